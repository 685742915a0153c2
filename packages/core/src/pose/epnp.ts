import { PoseError } from '../errors.js'
import type { Mat4, Vec3 } from '../geometry/linear.js'
import { absoluteOrientation } from './absolute-orientation.js'
import { type ControlPoints, controlPoints } from './control-points.js'
import { type Correspondences, squaredResiduals } from './correspondences.js'
import { betaCandidates, type NullSpace, refineBetas } from './epnp-betas.js'
import { symmetricEigen } from './symmetric-eigen.js'

/**
 * Camera pose from n ≥ 4 points in O(n): EPnP (Lepetit, Moreno-Noguer & Fua, IJCV 2009; the paper's reference
 * [4]). The points are written in barycentric coordinates of four control points (three where they lie in a plane),
 * whose camera coordinates are a combination of null-space vectors of MᵀM. The combination is estimated under
 * several assumptions on how many vectors take part, each refined by Gauss–Newton; least reprojection wins.
 *
 * No outliers are tolerated: see `ransacPose`.
 * @returns cameraFromLps
 * @throws PoseError for fewer than 4 points, or points on one line
 */
export function epnp(c: Correspondences): Mat4 {
  if (c.points.length < 4)
    throw new PoseError(
      `EPnP was given ${c.points.length} points`,
      'It needs at least 4 points that are not on one line.'
    )
  const control = controlPoints(c.points)
  const nullSpace = nullSpaceOf(c, control)
  let best: Mat4 | undefined
  let least = Number.POSITIVE_INFINITY
  for (const start of betaCandidates(nullSpace)) {
    const pose = poseFromBetas(c, control, nullSpace, refineBetas(nullSpace, start))
    if (!pose.every(Number.isFinite)) continue
    let error = 0
    const residuals = squaredResiduals(c, pose)
    for (let i = 0; i < residuals.length; i++) error += c.weights[i] * residuals[i]
    if (error < least || best === undefined) {
      least = error
      best = pose
    }
  }
  if (best === undefined)
    throw new PoseError(
      'EPnP found no pose for these points',
      'Check that points and detections correspond and are not all the same.'
    )
  return best
}

/** The eigenvectors of MᵀM with the least eigenvalues: camera coordinates of the control points up to combination. */
function nullSpaceOf(c: Correspondences, { alphas, count, positions }: ControlPoints): NullSpace {
  const n = 3 * count
  const mtm = new Float64Array(n * n)
  const row = new Float64Array(n)
  for (let i = 0; i < c.points.length; i++)
    for (let axis = 0; axis < 2; axis++) {
      row.fill(0)
      for (let j = 0; j < count; j++) {
        const a = alphas[i * count + j]
        row[3 * j + axis] = a
        row[3 * j + 2] = -a * c.rays[2 * i + axis]
      }
      const w = c.weights[i]
      for (let r = 0; r < n; r++) {
        const f = w * row[r]
        if (f !== 0) for (let k = 0; k < n; k++) mtm[r * n + k] += f * row[k]
      }
    }
  const { vectors } = symmetricEigen(mtm, n)
  const used = count === 4 ? 4 : 3
  return {
    count,
    vectors: Array.from({ length: used }, (_, k) => vectors.subarray(k * n, (k + 1) * n)),
    positions
  }
}

function poseFromBetas(
  c: Correspondences,
  { alphas, count }: ControlPoints,
  { vectors }: NullSpace,
  betas: Float64Array
): Mat4 {
  const ctrl = new Float64Array(3 * count)
  betas.forEach((b, k) => {
    for (let i = 0; i < ctrl.length; i++) ctrl[i] += b * vectors[k][i]
  })
  let depth = 0
  const inCamera: Vec3[] = c.points.map((_, i) => {
    const p = [0, 0, 0]
    for (let j = 0; j < count; j++)
      for (let k = 0; k < 3; k++) p[k] += alphas[i * count + j] * ctrl[3 * j + k]
    depth += p[2]
    return [p[0], p[1], p[2]]
  })
  // A null vector has no sign: the points lie in front of the source.
  const sign = depth < 0 ? -1 : 1
  return absoluteOrientation(
    c.points,
    inCamera.map((p): Vec3 => [sign * p[0], sign * p[1], sign * p[2]]),
    c.weights
  )
}
