import type { Image } from '../../image/image.js'

/**
 * Gaussian smoothing of images of one size, normalised by the smoothed weights so that pixels of weight 0 spread nowhere and
 * the rim is not darkened.
 * @param sigma pixels; 0 returns images as they are
 * @returns a function whose result is overwritten by its next call
 */
export function createSmoothing(
  { width, height }: { width: number; height: number },
  weights: Float64Array,
  sigma: number
): (image: Image) => Image {
  if (!(sigma > 0)) return image => image
  const radius = Math.ceil(3 * sigma)
  const kernel = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma * sigma))
  )
  const rows = new Float64Array(width * height)
  const sums = new Float64Array(width * height)
  const total = new Float64Array(width * height)
  convolve(weights, rows, total)
  const weighted = new Float64Array(width * height)
  const data = new Float32Array(width * height)
  return image => {
    for (let i = 0; i < weighted.length; i++) weighted[i] = weights[i] * image.data[i]
    convolve(weighted, rows, sums)
    for (let i = 0; i < data.length; i++) data[i] = total[i] > 0 ? sums[i] / total[i] : 0
    return { width, height, data }
  }

  function convolve(from: Float64Array, between: Float64Array, to: Float64Array): void {
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const first = Math.max(0, x - radius)
        const last = Math.min(width - 1, x + radius)
        let s = 0
        for (let k = first; k <= last; k++) s += kernel[k - x + radius] * from[y * width + k]
        between[y * width + x] = s
      }
    to.fill(0)
    for (let y = 0; y < height; y++) {
      const last = Math.min(height - 1, y + radius)
      for (let k = Math.max(0, y - radius); k <= last; k++) {
        const w = kernel[k - y + radius]
        for (let x = 0; x < width; x++) to[y * width + x] += w * between[k * width + x]
      }
    }
  }
}
