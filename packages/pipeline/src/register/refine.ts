import {
  binnedDetector,
  binWeighted,
  type Correspondences,
  composeRigid,
  coverage,
  createCorrespondences,
  createWasmRenderer,
  type DerivativeRenderer,
  type Detector,
  type Image,
  invertRigid,
  type Mat4,
  prepareWasmVolume,
  type RegistrationView,
  type Renderer,
  registerViews,
  resampleVolume,
  scatteredStarts,
  type Vec3,
  type ViewsRegistration,
  type ViewsResult,
  type Volume,
  xrayWeights
} from '@raypose/core'
import type { DetectedLandmark } from '../types.js'

/**
 * Voxel size that DRRs are rendered from while registering. The similarity is no worse than with the scanner's own voxels, a DRR takes
 * a third of the time, and coarse pyramid levels alias less.
 */
const RENDER_MM = 1.6

/** Pixel size at the isocentre's ray slope that registration works at: finer only costs time. */
const WORKING_PIXEL = 1.6 / 1200

/** Detections less confident than this do not hold the pose. */
const LEAST_CONFIDENCE = 0.35

/** Poses to begin from: those that the landmarks allow, and others about the best of them. */
const MAX_HYPOTHESES = 5
const SCATTERED = 10

/** A CT made ready for refinement. */
export interface RefinementVolume {
  /** At about {@link RENDER_MM}. */
  readonly volume: Volume<Int16Array>
  /** The volume's own voxels, whatever the pixels. */
  readonly renderer: Renderer
  /** Voxels as coarse as the pixels. */
  readonly levelled: Renderer & DerivativeRenderer
  dispose(): void
}

export function prepareRefinement(ct: Volume<Int16Array>): RefinementVolume {
  const volume = renderingVolume(ct)
  const prepared = prepareWasmVolume(volume, { mips: 2, slots: 2 })
  const renderer = createWasmRenderer(prepared)
  const levelled = createWasmRenderer(prepared, { pixelMm: 'auto' })
  return {
    volume,
    renderer,
    levelled,
    dispose() {
      renderer.dispose()
      levelled.dispose()
    }
  }
}

/** An X-ray to refine the pose of. */
export interface RefinedXray {
  /** Line integrals, bone bright. */
  readonly image: Image
  readonly detector: Detector
  /** Poses of this view, best first. */
  readonly hypotheses: readonly Mat4[]
  readonly landmarks: readonly DetectedLandmark[]
  /** This camera from the first X-ray's. */
  readonly cameraFromFirst?: Mat4
}

/** A refinement with the X-rays as it took them, to be judged by (see `registrationEvidence`). */
export interface Refinement extends ViewsResult {
  readonly views: readonly RegistrationView[]
}

/**
 * The default fine registration of one or more X-rays: see `registerViews`. Pixels that do not show the patient and rays through the
 * cut ends of the CT do not count.
 * @param points the patient's landmarks, LPS mm, in the order of each X-ray's
 * @param centre what rotations turn about, LPS mm
 */
export function refineViews(
  ct: RefinementVolume,
  xrays: readonly RefinedXray[],
  points: readonly Vec3[],
  centre: Vec3,
  options: Pick<ViewsRegistration, 'signal' | 'onProgress' | 'levels'> & {
    /** Poses to begin from besides the hypotheses; default {@link SCATTERED}. */
    readonly scattered?: number
  } = {}
): Refinement {
  const { scattered = SCATTERED, ...task } = options
  const hypotheses = xrays.flatMap(x => {
    const back = x.cameraFromFirst && invertRigid(x.cameraFromFirst)
    return x.hypotheses.slice(0, MAX_HYPOTHESES).map(h => (back ? composeRigid(back, h) : h))
  })
  const views = xrays.map(x => workingView(x, points))
  const result = registerViews({
    ...task,
    views,
    starts: [...hypotheses, ...scatteredStarts(hypotheses[0], centre, scattered).slice(1)],
    centre,
    renderer: ct.levelled,
    coverage: camera => coverage(ct.volume, camera)
  })
  return { ...result, views }
}

/** An X-ray at the resolution that registration works at, with what of it counts. */
export function workingView(x: RefinedXray, points: readonly Vec3[]): RegistrationView {
  const { factor, detector } = workingDetector(x.detector)
  const { fixed, weights } = binWeighted(x.image, xrayWeights(x.image), factor)
  return {
    image: fixed,
    detector,
    weights: weights && { ...fixed, data: weights },
    cameraFromFirst: x.cameraFromFirst,
    landmarks: correspondences(x, points)
  }
}

/** The detector binned to the pixels that registration works at. */
export function workingDetector(detector: Detector): { factor: number; detector: Detector } {
  const factor = Math.max(1, Math.round((WORKING_PIXEL * detector.sdd) / detector.pixel[0]))
  return { factor, detector: binnedDetector(detector, factor) }
}

function correspondences(
  { landmarks, detector }: RefinedXray,
  points: readonly Vec3[]
): Correspondences | undefined {
  const used = landmarks.flatMap((l, i) => (l.confidence >= LEAST_CONFIDENCE && points[i] ? [i] : []))
  if (used.length === 0) return undefined
  return createCorrespondences(
    used.map(i => points[i]),
    used.map(i => [landmarks[i].u, landmarks[i].v]),
    detector,
    used.map(i => landmarks[i].confidence)
  )
}

/**
 * The volume at about {@link RENDER_MM}, ending exactly where it ended: a body cut off at the side of the scan shows as an edge in the
 * DRR, and an edge moved by a fraction of a voxel moves the pose.
 */
function renderingVolume(volume: Volume<Int16Array>): Volume<Int16Array> {
  if (volume.spacing.every(s => s >= RENDER_MM * 0.8)) return volume
  const extent = volume.size.map((n, k) => (n - 1) * volume.spacing[k])
  const size = extent.map((e, k) =>
    Math.max(2, Math.min(volume.size[k], Math.round(e / RENDER_MM) + 1))
  ) as unknown as Vec3
  const spacing = extent.map((e, k) => e / (size[k] - 1)) as unknown as Vec3
  return resampleVolume(volume, { spacing, size, origin: volume.origin })
}
