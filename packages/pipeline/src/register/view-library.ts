import {
  binnedDetector,
  binWeighted,
  type Camera,
  createSlidingMatcher,
  DEGREE,
  type Detector,
  type EdgeField,
  edgeAgreement,
  edgeField,
  gridViews,
  type Image,
  levelBinning,
  type Mat4,
  poseFromView,
  project,
  type RegistrationView,
  type Renderer,
  type SlidingMatch,
  type Vec3,
  type View,
  type ViewGrid
} from '@raypose/core'
import { usualDepth } from './initial/eye.js'

/** C-arm positions: from the front, from behind, or about one view. */
export type ViewSet = 'front' | 'behind' | Pick<View, 'alpha' | 'beta' | 'gamma'>

/** DRRs of C-arm positions, to be compared with X-rays of one detector. */
export interface ViewLibrary {
  /**
   * Compares an X-ray with all DRRs, each moved to where it is most like it.
   * @param view at working resolution
   * @returns poses, the most alike first, at most `most`; and how alike the best place of each DRR is
   */
  compare(view: RegistrationView, most: number): { readonly poses: Mat4[]; readonly scores: number[] }
}

/**
 * The patient head-up, as wide as the views that a network learns, turns so close together that the next level comes from one to the next.
 * Where the anatomy lies in the picture, moving the pictures finds.
 */
const GRID: ViewGrid = {
  alpha: { from: -12 * DEGREE, to: 12 * DEGREE, count: 3 },
  beta: { from: -12 * DEGREE, to: 12 * DEGREE, count: 3 },
  gamma: { from: -50 * DEGREE, to: 50 * DEGREE, count: 11 },
  x: { from: 0, to: 0, count: 1 },
  y: { from: 0, to: 0, count: 1 },
  z: { from: -120, to: 120, count: 7 }
}

/** About the view that a C-arm's angles say: patients lie on the table not quite as the angles take them to. */
const ABOUT_VIEW: ViewGrid = {
  ...GRID,
  alpha: { from: -8 * DEGREE, to: 8 * DEGREE, count: 3 },
  beta: { from: -8 * DEGREE, to: 8 * DEGREE, count: 3 },
  gamma: { from: -9 * DEGREE, to: 9 * DEGREE, count: 3 }
}

/** Pixels on a detector 1200 mm from the source, mm: finer ones forgive less of a turn, coarser ones tell less. */
const PIXEL_MM = 6.4

/** How far pictures are moved, mm at the anatomy: across the body, and along it beyond the half of a step of the grid. */
const ACROSS = 45
const ALONG = 25

/**
 * @param volume renders, and says what of a picture the CT knows
 * @param detector of the X-rays, at working resolution
 * @param centre what the C-arm turns about, LPS mm
 */
export function createViewLibrary(
  volume: SeenVolume,
  detector: Detector,
  centre: Vec3,
  set: ViewSet
): ViewLibrary {
  const binning = levelBinning(detector, PIXEL_MM)
  const binned = binnedDetector(detector, binning)
  const [width, height] = binned.size
  const depth = usualDepth(detector.sdd)
  const [across, down] = [ACROSS, ALONG].map((mm, k) =>
    Math.ceil((mm * binned.sdd) / depth / binned.pixel[k])
  )
  const wide: Detector = {
    ...binned,
    size: [width + 2 * across, height + 2 * down],
    principalPoint: [binned.principalPoint[0] + across, binned.principalPoint[1] + down]
  }
  const poses = viewsOf(set).map(view => poseFromView(view, centre, depth))
  function* pictures(): Generator<EdgeField> {
    for (const cameraFromLps of poses) yield drrEdges(volume, { detector: wide, cameraFromLps })
  }
  const matcher = createSlidingMatcher(pictures(), poses.length, { width, height, across, down })
  /** What lies at u, v from the middle place in a picture is seen in the middle by a camera that the patient is moved back before. */
  const poseOf = ({ picture, u, v }: SlidingMatch): Mat4 => {
    const pose = [...poses[picture]]
    const perPixel = project({ detector: binned, cameraFromLps: poses[picture] }, centre).depth / binned.sdd
    pose[3] -= u * binned.pixel[0] * perPixel
    pose[7] -= v * binned.pixel[1] * perPixel
    return pose as unknown as Mat4
  }
  return {
    compare(view, most) {
      const matches = matcher.match(fieldOf(view))
      const best = new Map<number, number>()
      for (const { picture, score } of matches) if (!best.has(picture)) best.set(picture, score)
      return { poses: matches.slice(0, most).map(poseOf), scores: [...best.values()] }
    }
  }
}

/** The edges of an X-ray at the library's resolution. */
function fieldOf({ image, detector, weights }: RegistrationView): EdgeField {
  const binned = binWeighted(image, weights, levelBinning(detector, PIXEL_MM))
  return edgeField(binned.fixed, binned.weights)
}

/** What renders a CT, and says what of a picture it knows. */
export interface SeenVolume {
  readonly renderer: Renderer
  covered(camera: Camera): Image
}

const drrEdges = ({ renderer, covered }: SeenVolume, camera: Camera): EdgeField =>
  edgeField(renderer.render(camera), covered(camera).data)

/** How alike an X-ray and the DRR of a pose are, by the measure of the library. */
export function likenessOf(volume: SeenVolume, view: RegistrationView, cameraFromLps: Mat4): number {
  const detector = binnedDetector(view.detector, levelBinning(view.detector, PIXEL_MM))
  return edgeAgreement(fieldOf(view), drrEdges(volume, { detector, cameraFromLps }))
}

function viewsOf(set: ViewSet): View[] {
  if (set === 'front') return gridViews(GRID)
  if (set === 'behind') return gridViews(GRID).map(v => ({ ...v, gamma: v.gamma + Math.PI }))
  return gridViews(ABOUT_VIEW).map(v => ({
    ...v,
    alpha: v.alpha + set.alpha,
    beta: v.beta + set.beta,
    gamma: v.gamma + set.gamma
  }))
}
