import { type Mat3, mulMat3Vec3, type Vec3 } from '../geometry/linear.js'

/**
 * Residual (2, mm on the detector) and its Jacobian (2×6, row-major) of one point.
 * Unknowns: rotation vector about the centroid (rad), translation (mm), both in camera axes and applied after the pose.
 * @param arm point minus centroid, LPS mm
 * @param r,t rotation of the pose, and the centroid in camera coordinates (mm)
 * @param rayX,rayY where the point was seen: x/z and y/z
 * @param sdd source-to-detector distance, mm
 * @returns the depth of the point; the outputs are meaningless where it is not positive
 */
export function reprojectionJacobian(
  arm: Vec3,
  r: Mat3,
  t: Vec3,
  rayX: number,
  rayY: number,
  sdd: number,
  residual: Float64Array,
  jacobian: Float64Array
): number {
  const [ax, ay, az] = mulMat3Vec3(r, arm)
  const z = az + t[2]
  const x = (ax + t[0]) / z
  const y = (ay + t[1]) / z
  const f = sdd / z
  residual[0] = sdd * (x - rayX)
  residual[1] = sdd * (y - rayY)
  // Translation: ∂(X/Z) = (1, 0, −x)/Z. Rotation ω turns the arm by ω × arm.
  jacobian[3] = f
  jacobian[4] = 0
  jacobian[5] = -f * x
  jacobian[9] = 0
  jacobian[10] = f
  jacobian[11] = -f * y
  for (const o of [0, 6]) {
    const [gx, gy, gz] = [jacobian[o + 3], jacobian[o + 4], jacobian[o + 5]]
    jacobian[o] = gz * ay - gy * az
    jacobian[o + 1] = gx * az - gz * ax
    jacobian[o + 2] = gy * ax - gx * ay
  }
  return z
}
