import { type Mat3, mulMat3, type Vec3 } from './linear.js'

export const DEGREE = Math.PI / 180

/** Right-handed rotation about x by `angle` radians. */
export function rotationX(angle: number): Mat3 {
  const c = Math.cos(angle)
  const s = Math.sin(angle)
  return [1, 0, 0, 0, c, -s, 0, s, c]
}

/** Right-handed rotation about y by `angle` radians. */
export function rotationY(angle: number): Mat3 {
  const c = Math.cos(angle)
  const s = Math.sin(angle)
  return [c, 0, s, 0, 1, 0, -s, 0, c]
}

/** Right-handed rotation about z by `angle` radians. */
export function rotationZ(angle: number): Mat3 {
  const c = Math.cos(angle)
  const s = Math.sin(angle)
  return [c, -s, 0, s, c, 0, 0, 0, 1]
}

/**
 * Exponential map so(3) → SO(3), Rodrigues' formula.
 * @param w rotation vector (axis × angle), radians
 */
export function expSO3(w: Vec3): Mat3 {
  const [x, y, z] = w
  const t2 = x * x + y * y + z * z
  // Taylor series below 1e-8 rad², where sin(t)/t loses digits.
  const t = Math.sqrt(t2)
  const a = t2 < 1e-8 ? 1 - t2 / 6 : Math.sin(t) / t
  const b = t2 < 1e-8 ? 0.5 - t2 / 24 : (1 - Math.cos(t)) / t2
  return [
    1 - b * (y * y + z * z),
    b * x * y - a * z,
    b * x * z + a * y,
    b * x * y + a * z,
    1 - b * (x * x + z * z),
    b * y * z - a * x,
    b * x * z - a * y,
    b * y * z + a * x,
    1 - b * (x * x + y * y)
  ]
}

/** Logarithm SO(3) → so(3): the rotation vector of `r`, radians, of length in [0, π]. */
export function logSO3(r: Mat3): Vec3 {
  const v: Vec3 = [(r[7] - r[5]) / 2, (r[2] - r[6]) / 2, (r[3] - r[1]) / 2]
  const s = Math.hypot(...v)
  const c = (r[0] + r[4] + r[8] - 1) / 2
  const angle = Math.atan2(s, c)
  if (c > -0.5) {
    const f = s > 0 ? angle / s : 1
    return [v[0] * f, v[1] * f, v[2] * f]
  }
  // Towards π the skew part vanishes and leaves only the axis' sign; (R + Rᵀ)/2 − cos·I = (1 − cos)·n·nᵀ has the axis.
  const d = [r[0], r[4], r[8]]
  const k = d.indexOf(Math.max(...d))
  const col = [0, 1, 2].map(i => (r[3 * i + k] + r[3 * k + i]) / 2 - (i === k ? c : 0))
  const sign = v[0] * col[0] + v[1] * col[1] + v[2] * col[2] < 0 ? -1 : 1
  const f = (sign * angle) / Math.hypot(...col)
  return [col[0] * f, col[1] * f, col[2] * f]
}

/** Angle of a rotation matrix, radians in [0, π]. */
export const rotationAngle = (r: Mat3): number => Math.hypot(...logSO3(r))

/** `Rz(γ) · Rx(α) · Ry(β)`: the order of the geometry contract; radians. */
export const viewRotation = (alpha: number, beta: number, gamma: number): Mat3 =>
  mulMat3(mulMat3(rotationZ(gamma), rotationX(alpha)), rotationY(beta))
