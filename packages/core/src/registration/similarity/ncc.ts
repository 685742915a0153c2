import type { Image } from '../../image/image.js'
import { correlate, prepareSignal } from './correlation.js'
import { assertSameSize, type Similarity, type SimilarityOptions, weightsOf } from './similarity.js'

/**
 * Normalised cross-correlation over the whole image, in [−1, 1]: the paper's first similarity (section 2.4). Blind to gain
 * and offset; 0 for a constant image.
 * @throws ArgumentError for weights that do not fit; the result throws it for an image of another size
 */
export function ncc(fixed: Image, options: SimilarityOptions = {}): Similarity {
  const signal = prepareSignal(fixed.data, weightsOf(fixed, options.weights))
  const { width, height } = fixed
  return moving => {
    assertSameSize({ width, height }, moving)
    return correlate(signal, moving.data)
  }
}
