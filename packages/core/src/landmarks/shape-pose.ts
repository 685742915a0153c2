import { ArgumentError } from '../errors.js'
import { type Detector, onDetector, PAPER_SOURCE_TO_ISOCENTER } from '../geometry/camera.js'
import { type Mat4, mulMat3Vec3, sub } from '../geometry/linear.js'
import { rigid } from '../geometry/rigid.js'
import { DEGREE } from '../geometry/rotation.js'
import type { Detection } from './back-projection.js'
import { PELVIS_DETECTION_NOISE } from './detection-noise.js'
import {
  advance,
  costOf,
  type PosteriorLandmark,
  posterior,
  problemOf,
  type ShapePoseOptions,
  type State,
  startAt
} from './shape-pose-solver.js'
import type { ShapePrior } from './shape-prior.js'

export type { PosteriorLandmark, ShapePoseOptions } from './shape-pose-solver.js'

export const SHAPE_POSE_DEFAULTS: ShapePoseOptions = {
  scatterMm: 2,
  noise: PELVIS_DETECTION_NOISE,
  degreesOfFreedom: 4,
  distanceMm: [PAPER_SOURCE_TO_ISOCENTER, 70],
  orbits: [0, -35 * DEGREE, 35 * DEGREE]
}

export interface ShapePoseFit {
  /** Where the prior's frame lies: p_camera = cameraFromPrior · p_prior. */
  readonly cameraFromPrior: Mat4
  /** Mode weights, standard deviations. */
  readonly weights: readonly number[]
  /** Of each landmark, found or not. */
  readonly landmarks: readonly PosteriorLandmark[]
  /** Negative log posterior up to a constant: for comparing fits to the same detections. */
  readonly cost: number
}

/** Steps from each start while the noise is taken to be larger, and steps at the end. */
const COARSE = [16, 16, 8, 4, 2, 1, 1]
const MOST_STEPS = 25

/**
 * The most probable pose and shape given the landmarks found in one X-ray, and where each landmark then is: the shape prior's modes with
 * standard normal weights and an independent scatter of each landmark about them, seen through a pinhole camera with errors of Student's t.
 * What one detection says of its landmark and what all others say are weighed by their covariances (the scatter is integrated out in
 * closed form, so that only pose and weights are iterated on: Gauss–Newton with damping).
 *
 * @param detections one for each landmark of the prior; u, v not finite: not found
 * @returns null where fewer than 5 landmarks were found with some confidence
 * @throws ArgumentError if the detections are not as many as the prior's landmarks
 */
export function fitShapeAndPose(
  prior: ShapePrior,
  detections: readonly Detection[],
  detector: Detector,
  options: Partial<ShapePoseOptions> = {}
): ShapePoseFit | null {
  const o = { ...SHAPE_POSE_DEFAULTS, ...options }
  if (detections.length !== prior.mean.length)
    throw new ArgumentError(
      `${detections.length} detections do not fit a shape prior of ${prior.mean.length} landmarks`,
      'Give one detection for each landmark, in the order of the prior.'
    )
  const problem = problemOf(prior, detections, detector, o)
  if (problem.seen.filter(s => s.confident).length < 5) return null
  let best: State | null = null
  for (const gamma of o.orbits) {
    let state = startAt(problem, gamma)
    for (const widened of COARSE) state = advance(problem, state, widened, 1).state
    state = { ...state, cost: costOf(problem, state, 1) }
    if (!best || state.cost < best.cost) best = state
  }
  if (!best) return null
  const { state } = advance(problem, best, 1, MOST_STEPS)
  return {
    cameraFromPrior: rigid(state.r, sub(state.t, mulMat3Vec3(state.r, problem.centre))),
    weights: Array.from(state.b),
    landmarks: posterior(problem, state),
    cost: state.cost
  }
}

/** A detection of {@link refineDetections} is as sure as it is likely to be this near the truth, mm. */
const NEAR_MM = 5

/**
 * The detections of a view put right by each other: where {@link fitShapeAndPose} has the landmarks, as confidence the probability that a
 * landmark is within 5 mm of there, and 0 where it is outside the image. As they were where too few were found for a fit.
 * @throws ArgumentError as {@link fitShapeAndPose}
 */
export function refineDetections(
  prior: ShapePrior,
  detections: readonly Detection[],
  detector: Detector,
  options: Partial<ShapePoseOptions> = {}
): readonly Detection[] {
  const fit = fitShapeAndPose(prior, detections, detector, options)
  if (!fit) return detections
  return fit.landmarks.map(({ u, v, sigmaMm }) => ({
    u,
    v,
    confidence: onDetector(detector, u, v) ? 1 - Math.exp(-0.5 * (NEAR_MM / sigmaMm) ** 2) : 0
  }))
}
