import { type Mat3, solveSpd, type Vec3 } from '../geometry/linear.js'
import type { Correspondences } from './correspondences.js'
import { type PriorTerm, priorResidual } from './depth-prior.js'
import { reprojectionJacobian } from './reprojection-jacobian.js'

/**
 * Covariance of a pose estimated with a Cauchy loss: σ² · (JᵀWJ)⁻¹ with W the detections' own weights, and the
 * M-estimator's variance factor σ² = [Σ w·ψ² / (2n − 6)] / [mean ψ′]² (Huber, Robust Statistics, 7.6). Weights count
 * as relative inverse variances; the size of the noise is taken from the residuals.
 * @returns 6×6, row-major, in (rad, mm); filled with Infinity where the points do not determine the pose
 */
export function poseCovariance(
  c: Correspondences,
  arms: readonly Vec3[],
  r: Mat3,
  t: Vec3,
  scale: number,
  prior?: PriorTerm
): Float64Array {
  const n = arms.length
  const normal = new Float64Array(36)
  const e = new Float64Array(2)
  const j = new Float64Array(12)
  let psi2 = 0
  let slope = 0
  let weightSum = 0
  for (let i = 0; i < n; i++) {
    reprojectionJacobian(arms[i], r, t, c.rays[2 * i], c.rays[2 * i + 1], c.sdd, e, j)
    const r2 = e[0] * e[0] + e[1] * e[1]
    const s = 1 + r2 / (scale * scale)
    const w = c.weights[i]
    psi2 += (w * r2) / (s * s)
    // Half the trace of ψ's derivative: the mean over the two image axes.
    slope += w / (s * s)
    weightSum += w
    for (let a = 0; a < 6; a++)
      for (let b = 0; b < 6; b++) normal[a * 6 + b] += w * (j[a] * j[b] + j[6 + a] * j[6 + b])
  }
  const variance = psi2 / Math.max(2 * n - 6, 1) / (slope / weightSum) ** 2
  if (prior) {
    const { value, slope } = priorResidual(prior, r, t)
    // The belief has an absolute size, the detections' weights have not: their noise as found sets the two against each other.
    const w = (prior.weight * variance) / prior.noise ** 2 / (1 + (value / prior.scale) ** 2)
    for (let a = 0; a < 6; a++) for (let b = 0; b < 6; b++) normal[a * 6 + b] += w * slope[a] * slope[b]
  }
  const covariance = new Float64Array(36).fill(Number.POSITIVE_INFINITY)
  const unit = new Float64Array(6)
  for (let k = 0; k < 6; k++) {
    unit.fill(0)
    unit[k] = 1
    const column = solveSpd(normal, unit, 6)
    if (!column) return covariance.fill(Number.POSITIVE_INFINITY)
    for (let a = 0; a < 6; a++) covariance[a * 6 + k] = variance * column[a]
  }
  return covariance
}
