import { binImage, type Image } from '../image/image.js'

/** Blocks' weighted means, so that what has weight 0 leaves no trace in them. */
export function binWeighted(
  image: Image,
  weights: Image | undefined,
  binning: number
): { fixed: Image; weights?: Float32Array } {
  if (!weights) return { fixed: binImage(image, binning) }
  const total = binImage(weights, binning)
  const sum = binImage({ ...image, data: image.data.map((x, i) => x * weights.data[i]) }, binning)
  return {
    fixed: { ...sum, data: sum.data.map((x, i) => (total.data[i] > 0 ? x / total.data[i] : 0)) },
    weights: total.data
  }
}
