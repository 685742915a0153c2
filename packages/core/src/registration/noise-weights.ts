import type { Image } from '../image/image.js'
import { boxBlur } from '../xray/fields.js'

export interface NoiseWeightOptions {
  /** Half the side of the squares that noise is measured in, pixels; default 4. */
  readonly radius?: number
  /** What pixels count for besides; what is usual is taken from those above 0. Default: all. */
  readonly weights?: ArrayLike<number>
}

/**
 * How much each pixel of an X-ray is worth by its noise: the reciprocal of the noise's variance about it, 1 for what is no noisier than
 * usual in the image. Line integrals are as noisy as few photons arrive: behind collimator blades, metal and the thickest parts they are
 * noise alone, and a least-squares fit that counted all alike would fit that.
 * @returns weights up to 1, none 0
 */
export function noiseWeights(image: Image, { radius, weights }: NoiseWeightOptions = {}): Image {
  const { data: variance } = noiseVariance(image, radius)
  const counts = (i: number) => !weights || weights[i] > 0
  const counted = variance.filter((_, i) => counts(i)).sort()
  const usual = USUAL * (counted[counted.length >> 1] ?? 0)
  const allowed = Math.max(usual, NEGLIGIBLE ** 2 * varianceOf(image.data, counts))
  return { ...image, data: variance.map(v => (v <= allowed ? 1 : allowed / v)) }
}

/**
 * Share of the variance of part of an X-ray that is noise: near 0 where it shows something, towards 1 where hardly a photon arrives.
 * @param part which pixels, by index
 */
export function noiseShareIn(image: Image, part: (i: number) => boolean): number {
  const { data } = noiseVariance(image)
  const values = data.filter((_, i) => part(i)).sort()
  const all = varianceOf(image.data, part)
  return all > 0 ? Math.min(1, values[values.length >> 1] / all) : 0
}

/**
 * Variance of the noise about each pixel, measured, not modelled: by the pseudo-residuals of each pixel to its neighbours' mean across it
 * (Gasser, Sroka & Jennen-Steinmetz, Biometrika 1986), the least of four directions; their roots are averaged, so that an edge, which is
 * but a small part of a square, hardly counts.
 * @param radius half the side of the squares that noise is measured in, pixels
 */
export function noiseVariance({ width, height, data }: Image, radius = 4): Image {
  const roots = new Float32Array(width * height)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const cx = Math.max(1, Math.min(width - 2, x))
      const cy = Math.max(1, Math.min(height - 2, y))
      const c = cy * width + cx
      const twice = 2 * data[c]
      const across = Math.abs(twice - data[c - 1] - data[c + 1])
      const along = Math.abs(twice - data[c - width] - data[c + width])
      const falling = Math.abs(twice - data[c - width - 1] - data[c + width + 1])
      const rising = Math.abs(twice - data[c - width + 1] - data[c + width - 1])
      roots[y * width + x] = Math.sqrt(Math.min(across, along, falling, rising) / 2)
    }
  const mean = boxBlur(roots, width, height, radius)
  return { width, height, data: mean.map(x => (x > 0 ? SCALE * (x * x) * (x * x) : 0)) }
}

/** From the fourth power of the mean root of such a residual of white noise to its variance: by simulation. */
const SCALE = 8.8
/** Noise of up to so many times the median's variance is usual. */
const USUAL = 2
/** Noise of less than this share of the image's standard deviation is no matter; fine structure looks like it. */
const NEGLIGIBLE = 0.05

function varianceOf(data: Float32Array, counts: (i: number) => boolean): number {
  let [n, sum, squares] = [0, 0, 0]
  for (let i = 0; i < data.length; i++) {
    if (!counts(i)) continue
    n++
    sum += data[i]
    squares += data[i] ** 2
  }
  return n > 0 ? Math.max(0, squares / n - (sum / n) ** 2) : 0
}
