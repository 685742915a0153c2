import { ArgumentError } from '../../errors.js'
import type { Image } from '../../image/image.js'
import { assertSameSize, type Similarity, type SimilarityOptions, weightsOf } from './similarity.js'

export interface MutualInformationOptions extends SimilarityOptions {
  /** Of each image; default 32. */
  readonly bins?: number
}

/**
 * Mutual information (Viola & Wells 1997; Maes et al. 1997), nats: for images whose values go together in a way that is not linear.
 * Each pixel is shared between the four nearest cells of the joint histogram, so that the value changes smoothly with the pose.
 * 0 where either image is constant.
 * @throws ArgumentError for fewer than 2 bins, or weights that do not fit; the result throws it for an image of another size
 */
export function mutualInformation(fixed: Image, options: MutualInformationOptions = {}): Similarity {
  const { bins = 32 } = options
  if (!(Number.isInteger(bins) && bins >= 2))
    throw new ArgumentError(`A histogram cannot have ${bins} bins`, 'Give a whole number, 2 or more.')
  const weights = weightsOf(fixed, options.weights)
  const rows = binned(fixed.data, weights, bins)
  const joint = new Float64Array(bins * bins)
  return moving => {
    assertSameSize(fixed, moving)
    const columns = binned(moving.data, weights, bins)
    if (!rows || !columns) return 0
    joint.fill(0)
    let total = 0
    for (let i = 0; i < weights.length; i++) {
      const w = weights[i]
      if (w === 0) continue
      const r = Math.min(Math.floor(rows[i]), bins - 2)
      const c = Math.min(Math.floor(columns[i]), bins - 2)
      const fr = rows[i] - r
      const fc = columns[i] - c
      const o = r * bins + c
      joint[o] += w * (1 - fr) * (1 - fc)
      joint[o + 1] += w * (1 - fr) * fc
      joint[o + bins] += w * fr * (1 - fc)
      joint[o + bins + 1] += w * fr * fc
      total += w
    }
    return information(joint, bins, total)
  }
}

/** Values as positions among the bins' centres, 0 to bins − 1; null where all that count are equal. */
function binned(data: Float32Array, weights: Float64Array, bins: number): Float64Array | null {
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY
  for (let i = 0; i < data.length; i++) {
    if (weights[i] === 0) continue
    if (data[i] < min) min = data[i]
    if (data[i] > max) max = data[i]
  }
  if (!(max > min)) return null
  return Float64Array.from(data, x => Math.max(0, Math.min(bins - 1, ((x - min) / (max - min)) * (bins - 1))))
}

/** Σ p·log(p / (p_row · p_column)). */
function information(joint: Float64Array, bins: number, total: number): number {
  const byRow = new Float64Array(bins)
  const byColumn = new Float64Array(bins)
  joint.forEach((p, o) => {
    byRow[Math.floor(o / bins)] += p
    byColumn[o % bins] += p
  })
  let sum = 0
  joint.forEach((p, o) => {
    if (p > 0) sum += (p / total) * Math.log((p * total) / (byRow[Math.floor(o / bins)] * byColumn[o % bins]))
  })
  return Math.max(0, sum)
}
