import type { Image } from '../../image/image.js'
import { correlate, prepareSignal } from './correlation.js'
import { assertSameSize, type Similarity, type SimilarityOptions, weightsOf } from './similarity.js'
import { createSmoothing } from './smoothing.js'

export interface GradientNccOptions extends SimilarityOptions {
  /** Standard deviation of the Gaussian by which both images are smoothed first, pixels; default 1.5. 0: not at all. */
  readonly smoothing?: number
}

/**
 * Gradient correlation (Penney et al., IEEE TMI 1998): the mean of the normalised cross-correlations of the two Sobel derivatives,
 * in [−1, 1]. Blind to gain, offset and most of what varies slowly (scatter, soft tissue, heel effect).
 * @throws ArgumentError for weights that do not fit; the result throws it for an image of another size
 */
export function gradientNcc(fixed: Image, options: GradientNccOptions = {}): Similarity {
  const { width, height } = fixed
  const given = weightsOf(fixed, options.weights)
  const smooth = createSmoothing(fixed, given, options.smoothing ?? 1.5)
  const weights = derivativeWeights(fixed, given)
  const alongU = new Float64Array(width * height)
  const alongV = new Float64Array(width * height)
  sobel(smooth(fixed), alongU, alongV)
  const u = prepareSignal(alongU, weights)
  const v = prepareSignal(alongV, weights)
  return moving => {
    assertSameSize({ width, height }, moving)
    sobel(smooth(moving), alongU, alongV)
    return 0.5 * (correlate(u, alongU) + correlate(v, alongV))
  }
}

/** A derivative counts as little as the least of the nine pixels it is made of; on the rim there is none. */
function derivativeWeights({ width, height }: Image, weights: Float64Array): Float64Array {
  const out = new Float64Array(width * height)
  for (let y = 1; y < height - 1; y++)
    for (let x = 1; x < width - 1; x++) {
      let least = Number.POSITIVE_INFINITY
      for (let dy = -1; dy <= 1; dy++)
        for (let dx = -1; dx <= 1; dx++) least = Math.min(least, weights[(y + dy) * width + x + dx])
      out[y * width + x] = least
    }
  return out
}

/** Sobel derivatives along columns (u) and rows (v), of a unit ramp 8; the outermost pixels are left as they are. */
export function sobel({ width, height, data }: Image, alongU: Float64Array, alongV: Float64Array): void {
  for (let y = 1; y < height - 1; y++)
    for (let x = 1; x < width - 1; x++) {
      const i = y * width + x
      const a = data[i - width - 1]
      const b = data[i - width]
      const c = data[i - width + 1]
      const d = data[i - 1]
      const f = data[i + 1]
      const g = data[i + width - 1]
      const h = data[i + width]
      const k = data[i + width + 1]
      alongU[i] = c + 2 * f + k - a - 2 * d - g
      alongV[i] = g + 2 * h + k - a - 2 * b - c
    }
}
