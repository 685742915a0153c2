import { type Mat4, mulMat3, mulMat3Vec3, sub, transpose3, type Vec3 } from '../geometry/linear.js'
import { applyRigid, rigid, rotationOf } from '../geometry/rigid.js'
import { expSO3, logSO3 } from '../geometry/rotation.js'

/** How much motion one unit of each variable is, so that a unit matters about as much in each. */
export interface PoseScale {
  /** Rotation about each camera axis, radians. */
  readonly rotation: number
  /** Translation parallel to the detector, mm. */
  readonly inPlane: number
  /** Translation along the beam, mm: the weak direction of a single view. */
  readonly depth: number
}

/** Six numbers for a pose near a start: 0 is the start. */
export interface PoseVariables {
  readonly count: number
  /** cameraFromLps at x. */
  poseAt(x: ArrayLike<number>): Mat4
  /** The inverse of `poseAt`, for rotations below π from the start. */
  variablesOf(pose: Mat4): Float64Array
}

/**
 * The rigid perturbations (so(3) × ℝ³) of a start pose about a centre, in the start's camera axes: x0–x2 turn the patient
 * about the camera's x, y, z axes through the centre, x3–x5 shift it along them. Turning about a centre within the patient keeps
 * rotations from looking like translations, which they do about the source.
 * @param start cameraFromLps
 * @param centre LPS, mm
 */
export function rigidPoseVariables(start: Mat4, centre: Vec3, scale: PoseScale): PoseVariables {
  const r0 = rotationOf(start)
  const c0 = applyRigid(start, centre)
  const units = [scale.rotation, scale.rotation, scale.rotation, scale.inPlane, scale.inPlane, scale.depth]
  return {
    count: 6,
    poseAt(x) {
      const v = units.map((u, i) => u * x[i])
      const r = mulMat3(expSO3([v[0], v[1], v[2]]), r0)
      // The centre goes to c0 + shift whatever the rotation.
      const arm = mulMat3Vec3(r, centre)
      return rigid(r, sub([c0[0] + v[3], c0[1] + v[4], c0[2] + v[5]], arm))
    },
    variablesOf(pose) {
      const w = logSO3(mulMat3(rotationOf(pose), transpose3(r0)))
      const shift = sub(applyRigid(pose, centre), c0)
      return Float64Array.from([...w, ...shift], (v, i) => v / units[i])
    }
  }
}
