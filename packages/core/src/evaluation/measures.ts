import { ArgumentError } from '../errors.js'
import { type Camera, type Detector, project, rayThrough, sourcePosition } from '../geometry/camera.js'
import { distance, type Mat4, mulMat3, mulMat3Vec3, sub, transpose3, type Vec3 } from '../geometry/linear.js'
import { applyRigid, composeRigid, invertRigid, rotationOf } from '../geometry/rigid.js'
import { DEGREE, rotationAngle } from '../geometry/rotation.js'
import { distanceToRay } from '../landmarks/back-projection.js'

/** The errors of one estimated pose: the names of the geometry contract. */
export interface PoseErrors {
  /** Target registration error: mean of ‖T_gt⁻¹·T_est·p − p‖, mm. */
  readonly tre: number
  /** The part of it parallel to the detector: mean over the targets, mm. */
  readonly treInPlane: number
  /** The part of it along the true optical axis (depth): mean over the targets of its magnitude, mm. */
  readonly treDepth: number
  /** mPD: mean distance between the two projections on the detector, mm; Infinity if a target falls behind the source. */
  readonly projectionDistance: number
  /** mRPD: mean distance of the true target from the true camera's ray through its estimated projection, mm. */
  readonly reprojectionDistance: number
  /** Distance between the two source positions in LPS, mm. */
  readonly cameraTranslation: number
  /** Angle of the axis-angle form of R_est·R_gtᵀ, degrees. */
  readonly cameraRotationDeg: number
}

/**
 * All error measures of the contract for one pose.
 * @param estimated T_est, camera_from_lps
 * @param truth T_gt, camera_from_lps
 * @param targets LPS mm; the reference set M or surface points, never the points the pose was computed from
 * @throws ArgumentError without targets.
 */
export function poseErrors(
  detector: Detector,
  estimated: Mat4,
  truth: Mat4,
  targets: readonly Vec3[]
): PoseErrors {
  if (targets.length === 0)
    throw new ArgumentError('There is no target to measure an error at', 'Give landmarks or surface points.')
  const est: Camera = { detector, cameraFromLps: estimated }
  const gt: Camera = { detector, cameraFromLps: truth }
  const mapped = composeRigid(invertRigid(truth), estimated)
  const mean = (f: (p: Vec3) => number) => targets.reduce((s, p) => s + f(p), 0) / targets.length
  // Displacement of a target in the axes of the true camera, mm.
  const displacement = (p: Vec3) => mulMat3Vec3(rotationOf(truth), sub(applyRigid(mapped, p), p))
  return {
    tre: mean(p => distance(applyRigid(mapped, p), p)),
    treInPlane: mean(p => {
      const d = displacement(p)
      return Math.hypot(d[0], d[1])
    }),
    treDepth: mean(p => Math.abs(displacement(p)[2])),
    projectionDistance: mean(p => projectionDistance(est, gt, p)),
    reprojectionDistance: mean(p => reprojectionDistance(est, gt, p)),
    cameraTranslation: cameraTranslation(estimated, truth),
    cameraRotationDeg: cameraRotation(estimated, truth) / DEGREE
  }
}

/** Distance on the detector, in mm, between the projections of one target under two poses. */
export function projectionDistance(estimated: Camera, truth: Camera, target: Vec3): number {
  const a = project(estimated, target)
  const b = project(truth, target)
  if (!(a.depth > 0 && b.depth > 0)) return Number.POSITIVE_INFINITY
  const { pixel } = truth.detector
  return Math.hypot((a.u - b.u) * pixel[0], (a.v - b.v) * pixel[1])
}

/** Distance of one target from the true camera's ray through the target's projection under the estimate, mm. */
export function reprojectionDistance(estimated: Camera, truth: Camera, target: Vec3): number {
  const { u, v, depth } = project(estimated, target)
  return depth > 0 ? distanceToRay(rayThrough(truth, u, v), target) : Number.POSITIVE_INFINITY
}

/** Distance between the sources of two poses in LPS, mm. */
export const cameraTranslation = (a: Mat4, b: Mat4): number => distance(sourcePosition(a), sourcePosition(b))

/** Angle between the orientations of two poses, radians. */
export const cameraRotation = (a: Mat4, b: Mat4): number =>
  rotationAngle(mulMat3(rotationOf(a), transpose3(rotationOf(b))))
