import { distance, solveSpd, type Vec3 } from '../geometry/linear.js'
import { applyRigid, invertRigid } from '../geometry/rigid.js'
import { absoluteOrientation } from '../pose/absolute-orientation.js'

/** How landmarks lie to each other over a population: a mean and modes of one standard deviation each; mm, any frame. */
export interface ShapePrior {
  readonly mean: readonly Vec3[]
  readonly modes: readonly (readonly Vec3[])[]
}

export interface ShapeFit {
  /** Every landmark, those without a point included, LPS mm. */
  readonly landmarks: readonly Vec3[]
  /** Distance of each point to its fitted landmark, mm; NaN without a point. */
  readonly residuals: readonly number[]
  /** Mode weights, standard deviations. */
  readonly weights: readonly number[]
}

/** Points this far off are believed half as much, mm. */
const CAUCHY_MM = 10
/** How far a well-found landmark strays from its place, mm: balances points against the prior. */
const SIGMA_MM = 4

/**
 * Fits the prior to points found in a patient: rigid motion and mode weights, robust to points that are wrong. It tells wrong
 * points (large residual) and says where missing ones should be. Null for fewer than 4 points.
 */
export function fitShapePrior(
  prior: ShapePrior,
  points: readonly (Vec3 | null)[],
  trust?: ArrayLike<number>
): ShapeFit | null {
  const known = points.map((_, i) => i).filter(i => points[i])
  if (known.length < 4) return null
  const modes = prior.modes.length
  let b = new Float64Array(modes)
  let weights = known.map(i => trust?.[i] ?? 1)
  const shape = (i: number): Vec3 =>
    prior.modes.reduce<Vec3>(
      (p, m, k) => [p[0] + b[k] * m[i][0], p[1] + b[k] * m[i][1], p[2] + b[k] * m[i][2]],
      prior.mean[i]
    )
  let place = absoluteOrientation(
    known.map(shape),
    known.map(i => points[i]!),
    weights
  )
  for (let round = 0; round < 12; round++) {
    place = absoluteOrientation(
      known.map(shape),
      known.map(i => points[i]!),
      weights
    )
    const back = invertRigid(place)
    const a = new Float64Array(modes * modes)
    const r = new Float64Array(modes)
    for (let k = 0; k < modes; k++) a[k * modes + k] = 1
    known.forEach((i, j) => {
      const w = weights[j] / SIGMA_MM ** 2
      const q = applyRigid(back, points[i]!)
      for (let k = 0; k < modes; k++) {
        const m = prior.modes[k][i]
        for (let c = 0; c < 3; c++) r[k] += w * m[c] * (q[c] - prior.mean[i][c])
        for (let l = 0; l <= k; l++) {
          const n = prior.modes[l][i]
          a[k * modes + l] += w * (m[0] * n[0] + m[1] * n[1] + m[2] * n[2])
          a[l * modes + k] = a[k * modes + l]
        }
      }
    })
    b = solveSpd(a, r, modes) as Float64Array<ArrayBuffer>
    weights = known.map(
      i => (trust?.[i] ?? 1) / (1 + (distance(applyRigid(place, shape(i)), points[i]!) / CAUCHY_MM) ** 2)
    )
  }
  const landmarks = prior.mean.map((_, i) => applyRigid(place, shape(i)))
  return {
    landmarks,
    residuals: points.map((p, i) => (p ? distance(p, landmarks[i]) : Number.NaN)),
    weights: Array.from(b)
  }
}

/** Offset of the landmarks' mean, as the prior has them, put where a fit places it. */
export const fittedCentre = (fit: ShapeFit): Vec3 => {
  const n = fit.landmarks.length
  return fit.landmarks.reduce<Vec3>((s, p) => [s[0] + p[0] / n, s[1] + p[1] / n, s[2] + p[2] / n], [0, 0, 0])
}
