/** Separable filters of an image that commute with its derivatives: what similarities compare images by. */

/** A Gaussian and its derivative, sampled; the derivative of a unit ramp is 1. */
interface Kernels {
  readonly radius: number
  /** Symmetric: taps at 0 … radius. */
  readonly smooth: Float64Array
  /** Antisymmetric: taps at 0 … radius of the positive side. */
  readonly slope: Float64Array
}

function kernels(sigma: number): Kernels {
  // Without smoothing, Sobel's.
  if (!(sigma > 0)) return { radius: 1, smooth: Float64Array.of(0.5, 0.25), slope: Float64Array.of(0, 0.5) }
  const radius = Math.max(1, Math.ceil(2.5 * sigma))
  const g = Float64Array.from({ length: radius + 1 }, (_, i) => Math.exp(-(i * i) / (2 * sigma * sigma)))
  const total = g.reduce((s, x, i) => s + (i === 0 ? x : 2 * x), 0)
  const moment = g.reduce((s, x, i) => s + 2 * i * i * x, 0)
  return { radius, smooth: g.map(x => x / total), slope: g.map((x, i) => (i * x) / moment) }
}

/** The derivative-of-Gaussian pair: makes the channels ∂/∂u and ∂/∂v of images of one size. */
export interface GradientFilter {
  /** Pixels at the rim, and around a masked one, that have no derivative. */
  readonly radius: number
  /** Writes both derivatives; the rim is left as it is. */
  apply(from: Float32Array, alongU: Float32Array, alongV: Float32Array): void
}

/** @param sigma of the Gaussian, pixels; 0: Sobel's 3 × 3 */
export function gradientFilter(width: number, height: number, sigma: number): GradientFilter {
  const { radius, smooth, slope } = kernels(sigma)
  const smoothed = new Float32Array(width * height)
  const sloped = new Float32Array(width * height)
  return {
    radius,
    apply(from, alongU, alongV) {
      for (let y = 0; y < height; y++)
        for (let x = radius, i = y * width + radius; x < width - radius; x++, i++) {
          let s = smooth[0] * from[i]
          let d = 0
          for (let k = 1; k <= radius; k++) {
            const after = from[i + k]
            const before = from[i - k]
            s += smooth[k] * (after + before)
            d += slope[k] * (after - before)
          }
          smoothed[i] = s
          sloped[i] = d
        }
      for (let y = radius; y < height - radius; y++)
        for (let x = radius, i = y * width + radius; x < width - radius; x++, i++) {
          let u = smooth[0] * sloped[i]
          let v = 0
          for (let k = 1, o = width; k <= radius; k++, o += width) {
            u += smooth[k] * (sloped[i + o] + sloped[i - o])
            v += slope[k] * (smoothed[i + o] - smoothed[i - o])
          }
          alongU[i] = u
          alongV[i] = v
        }
    }
  }
}

/** Least value within `radius` along both axes; 0 at the rim, where a filter of that radius has no value. */
export function erode(weights: Float64Array, width: number, height: number, radius: number): Float64Array {
  if (radius === 0) return weights
  const rows = new Float64Array(width * height)
  const out = new Float64Array(width * height)
  for (let y = 0; y < height; y++)
    for (let x = radius; x < width - radius; x++) {
      let least = Number.POSITIVE_INFINITY
      for (let k = -radius; k <= radius; k++) least = Math.min(least, weights[y * width + x + k])
      rows[y * width + x] = least
    }
  for (let y = radius; y < height - radius; y++)
    for (let x = radius; x < width - radius; x++) {
      let least = Number.POSITIVE_INFINITY
      for (let k = -radius; k <= radius; k++) least = Math.min(least, rows[(y + k) * width + x])
      out[y * width + x] = least
    }
  return out
}
