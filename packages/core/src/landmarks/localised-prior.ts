import { distance } from '../geometry/linear.js'
import { symmetricEigen } from '../pose/symmetric-eigen.js'
import type { ShapePrior } from './shape-prior.js'

/** A prior with what each landmark strays about it by itself, mm along each axis. */
export interface ScatteredPrior {
  readonly prior: ShapePrior
  readonly scatterMm: readonly number[]
}

/**
 * Share of the modes' covariance that fades with distance; the distance it fades over; range and standard deviation of a smooth displacement beyond
 * the modes; scatter of single landmarks. Lengths are against the landmarks' root mean square distance from their centre: 70, 30, 1.5 and 1 mm for
 * a pelvis. Among the likeliest values for the atlas's 22 patients, each foretold from the others (docs/training.md).
 */
const SHARE = 0.4
const FADING = 0.8
const SMOOTH = { range: 0.35, deviation: 0.017 } as const
const ALONE = 0.0115
/** Modes kept: what is left of the covariance goes into each landmark's scatter. */
const MODES = 28

/**
 * A shape prior whose parts may differ from what the others foretell. Modes from few people bind far ends of a bone more tightly than
 * they are bound: their covariance is damped with distance (Schur product with a Gaussian, as localised shape models do: Wilms et al., Medical
 * Image Analysis 2017), and a smooth displacement is added that no mode holds. The result has modes of its own, more of them.
 */
export function localisedPrior(prior: ShapePrior): ScatteredPrior {
  const { mean, modes } = prior
  const n = 3 * mean.length
  const size = rootMeanSquareArm(prior)
  const covariance = new Float64Array(n * n)
  for (let i = 0; i < mean.length; i++)
    for (let j = 0; j < mean.length; j++) {
      const d = distance(mean[i], mean[j]) / size
      const kept = 1 - SHARE + SHARE * Math.exp(-0.5 * (d / FADING) ** 2)
      const smooth = (SMOOTH.deviation * size) ** 2 * Math.exp(-0.5 * (d / SMOOTH.range) ** 2)
      for (let a = 0; a < 3; a++)
        for (let b = 0; b < 3; b++) {
          let c = 0
          for (const m of modes) c += m[i][a] * m[j][b]
          covariance[(3 * i + a) * n + 3 * j + b] = kept * c + (a === b ? smooth : 0)
        }
    }
  const { values, vectors } = symmetricEigen(covariance, n)
  const local = Array.from({ length: Math.min(MODES, n) }, (_, k) => {
    const from = n - 1 - k
    const by = Math.sqrt(Math.max(0, values[from]))
    const at = (i: number, axis: number) => by * vectors[from * n + 3 * i + axis]
    return mean.map((_, i) => [at(i, 0), at(i, 1), at(i, 2)] as const)
  })
  const scatterMm = mean.map((_, i) => {
    let left = 0
    for (let a = 0; a < 3; a++) {
      left += covariance[(3 * i + a) * (n + 1)]
      for (const m of local) left -= m[i][a] ** 2
    }
    return Math.sqrt(Math.max(0, left) / 3 + (ALONE * size) ** 2)
  })
  return { prior: { mean, modes: local }, scatterMm }
}

function rootMeanSquareArm({ mean }: ShapePrior): number {
  const centre = [0, 1, 2].map(a => mean.reduce((s, p) => s + p[a], 0) / mean.length)
  return Math.sqrt(
    mean.reduce((s, p) => s + p.reduce((t, x, a) => t + (x - centre[a]) ** 2, 0), 0) / mean.length
  )
}
