import {
  binImage,
  binnedDetector,
  binWeighted,
  type Camera,
  type Correspondences,
  composeRigid,
  createCorrespondences,
  DEGREE,
  type Detector,
  exposedField,
  gradientPatches,
  type Image,
  invertRigid,
  type Mat4,
  noiseShareIn,
  noiseWeights,
  PoseError,
  type RegistrationView,
  registerViews,
  scatteredStarts,
  type Vec3,
  VIEWS_LEVELS,
  type ViewsLevel,
  type ViewsRegistration,
  type ViewsResult,
  xrayWeights
} from '@raypose/core'
import type { DetectedLandmark } from '../types.js'
import { heldByLandmarks } from './held-by-landmarks.js'
import { coveredBy, type RefinementVolume } from './refinement-volume.js'
import {
  FROM_SEARCH,
  fittingBest,
  loosened,
  type SearchRange,
  UNSURE,
  type WideSearch,
  widePoses
} from './wide-search.js'

/** Pixel size at the isocentre's ray slope that registration works at: finer only costs time. */
const WORKING_PIXEL = 1.6 / 1200

/** Detections less confident than this do not hold the pose. */
const LEAST_CONFIDENCE = 0.35

/** Poses to begin from: those that the landmarks allow, and others about the best of them. */
const MAX_HYPOTHESES = 5
const SCATTERED = 10

/** The best poses of a wide search go on. */
const BEGIN = 3

/** How the last steps compare: patches large enough for bones' edges to outweigh those of flesh, strong edges held back. */
export const BONE_PATCHES = { patch: 24, outlier: 0.5, strong: 2 }

/**
 * The last steps, with bones alone, of the scanner's own voxels: flesh lies otherwise in every X-ray than in the CT and draws the pose after it, by millimetres where a leg has moved. Before
 * them flesh is of use: under few photons it is most of what is seen.
 */
export const lastSteps = (ct: RefinementVolume): ViewsLevel => ({
  ...VIEWS_LEVELS[VIEWS_LEVELS.length - 1],
  similarity: gradientPatches(BONE_PATCHES.patch, BONE_PATCHES.outlier, BONE_PATCHES.strong),
  renderer: ct.bones(),
  precision: { rotation: 0.003 * DEGREE, inPlane: 0.005, depth: 0.03 }
})

/** An X-ray to refine the pose of. */
export interface RefinedXray {
  /** Line integrals, bone bright. */
  readonly image: Image
  readonly detector: Detector
  /** Poses of this view, best first. */
  readonly hypotheses: readonly Mat4[]
  readonly landmarks: readonly DetectedLandmark[]
  /** How probable it is that the first hypothesis is right; default 1. Where no X-ray's is, poses are looked for all about the anatomy. */
  readonly certainty?: number
  /** This camera from the first X-ray's. */
  readonly cameraFromFirst?: Mat4
  /** Where it is to be searched for if the landmarks are unsure. */
  readonly range?: SearchRange
}

/** A refinement with the X-rays as it took them, to be judged by (see `registrationEvidence`). */
export interface Refinement extends ViewsResult {
  readonly views: readonly RegistrationView[]
  /** Of all C-arm positions about the anatomy; absent where no search was wanted. */
  readonly searched?: WideSearch
}

export type RefineOptions = Pick<ViewsRegistration, 'signal' | 'onProgress' | 'levels'> & {
  /** Poses to begin from besides the hypotheses; default {@link SCATTERED}. */
  readonly scattered?: number
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
  options: RefineOptions = {}
): Refinement {
  const { scattered = SCATTERED, ...task } = options
  const hypotheses = xrays.flatMap(x => {
    const back = x.cameraFromFirst && invertRigid(x.cameraFromFirst)
    return x.hypotheses.slice(0, MAX_HYPOTHESES).map(h => (back ? composeRigid(back, h) : h))
  })
  const views = xrays.map(x => workingView(x, points))
  const where = {
    centre,
    renderer: ct.still,
    coverage: (camera: Camera) => coveredBy(ct, camera),
    signal: task.signal
  }
  const certainty = Math.max(...xrays.map(x => x.certainty ?? 1))
  const searched =
    certainty < UNSURE
      ? widePoses(views, hypotheses, centre, certainty, { ...where, library: ct.library }, xrays[0].range)
      : undefined
  const found = searched?.poses.slice(0, BEGIN).map(c => c.cameraFromLps) ?? []
  const begin = found.length > 0 ? found : hypotheses
  if (begin.length === 0)
    throw new PoseError(
      'Nothing in the X-ray says where to begin, and no C-arm position about the anatomy fits it',
      "Check that X-ray and patient belong together, and the X-ray's geometry."
    )
  const share = Math.max(...begin.slice(0, BEGIN).map(pose => leastShare(ct, views, pose)))
  const held = (levels: readonly ViewsLevel[]) =>
    loosened(heldByLandmarks(task.levels ?? [...levels, lastSteps(ct)], share), searched ? certainty : 1)
  if (found.length > 0) {
    const levels = held(FROM_SEARCH)
    const result = fittingBest(
      found.map(pose => registerViews({ ...task, ...where, views, starts: [pose], levels })),
      { ...where, views }
    )
    return { ...result, ...beforeAt(hypotheses[0], { ...where, views }, levels), views, searched }
  }
  const starts = [...begin, ...scatteredStarts(begin[0], centre, scattered).slice(1)]
  const result = registerViews({ ...task, ...where, views, starts, levels: held(VIEWS_LEVELS) })
  return { ...result, views, searched }
}

/** How alike the X-rays are at the landmarks' own pose, where there is one: what a registration is said to have begun at. */
function beforeAt(
  pose: Mat4 | undefined,
  task: Omit<ViewsRegistration, 'starts' | 'levels'>,
  levels: readonly ViewsLevel[]
): Pick<ViewsResult, 'similarityBefore'> | undefined {
  if (!pose) return undefined
  const last = { ...levels[levels.length - 1], maxEvaluations: 1 }
  const { similarityBefore } = registerViews({ ...task, starts: [pose], levels: [last] })
  return { similarityBefore }
}

/** Blocks of working pixels that shares are told by. */
const SHARE_BINNING = 4

/** Least share of a picture that can be compared under a pose of the first X-ray. */
function leastShare(ct: RefinementVolume, views: readonly RegistrationView[], pose: Mat4): number {
  const shares = views.map(({ detector, weights, cameraFromFirst }) => {
    const cameraFromLps = cameraFromFirst ? composeRigid(cameraFromFirst, pose) : pose
    const { data } = coveredBy(ct, { detector: binnedDetector(detector, SHARE_BINNING), cameraFromLps })
    const counts = weights && binImage(weights, SHARE_BINNING).data
    return data.reduce((s, c, i) => s + c * (counts?.[i] ?? 1), 0) / data.length
  })
  return Math.min(...shares)
}

/** An X-ray at the resolution that registration works at, with what of it counts. */
export function workingView(x: RefinedXray, points: readonly Vec3[]): RegistrationView {
  const { factor, detector } = workingDetector(x.detector)
  const { fixed, weights } = binWeighted(x.image, xrayWeights(x.image), factor)
  return {
    image: fixed,
    detector,
    weights: whatCounts(fixed, weights),
    cameraFromFirst: x.cameraFromFirst,
    landmarks: correspondences(x, points)
  }
}

/** A border of which noise is less than this share of its variance shows something: the thick of a patient beside air, no blade. */
const BLADE_NOISE = 0.1

/**
 * What of an X-ray at working resolution counts: what lies within the collimator, by how little noise it has. Behind the blades hardly a photon
 * arrives; the logarithm of that is noise a hundred times as strong as all structure, which the similarity would take its scale from.
 */
function whatCounts(image: Image, unclipped: Float32Array | undefined): Image {
  const { mask, share } = exposedField(image)
  const blades = share < 1 && noiseShareIn(image, i => mask[i] === 0) > BLADE_NOISE
  const field = image.data.map((_, i) => (unclipped?.[i] ?? 1) * (blades ? mask[i] : 1))
  const { data: noise } = noiseWeights(image, { weights: field })
  return { ...image, data: field.map((w, i) => w * noise[i]) }
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
