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
  const taps = kernels(sigma)
  const { radius } = taps
  const smoothed = new Float32Array(width * height)
  const sloped = new Float32Array(width * height)
  const pass = radius === 3 ? sevenTaps(taps) : anyTaps(taps)
  return {
    radius,
    apply(from, alongU, alongV) {
      for (let y = 0; y < height; y++) {
        const row = y * width
        pass(from, from, 1, row + radius, row + width - radius, smoothed, sloped)
      }
      // Across the rows: slopes smoothed, and what is smooth sloped.
      for (let y = radius; y < height - radius; y++) {
        const row = y * width
        pass(sloped, smoothed, width, row + radius, row + width - radius, alongU, alongV)
      }
    }
  }
}

/**
 * One direction of the filter, for pixels `first` … `end` − 1: `smooth` of one image, `slope` of another.
 * @param step from one tap to the next
 */
type Pass = (
  smoothedFrom: Float32Array,
  slopedFrom: Float32Array,
  step: number,
  first: number,
  end: number,
  smooth: Float32Array,
  slope: Float32Array
) => void

const anyTaps =
  ({ radius, smooth, slope }: Kernels): Pass =>
  (a, b, step, first, end, toSmooth, toSlope) => {
    for (let i = first; i < end; i++) {
      let s = smooth[0] * a[i]
      let d = 0
      for (let k = 1, o = step; k <= radius; k++, o += step) {
        s += smooth[k] * (a[i + o] + a[i - o])
        d += slope[k] * (b[i + o] - b[i - o])
      }
      toSmooth[i] = s
      toSlope[i] = d
    }
  }

/** The usual Gaussian's, written out: registrations spend most of their time here, and a loop over so few taps costs thrice as much. */
function sevenTaps({ smooth, slope }: Kernels): Pass {
  const [s0, s1, s2, s3] = smooth
  const [, d1, d2, d3] = slope
  return (a, b, step, first, end, toSmooth, toSlope) => {
    const [two, three] = [2 * step, 3 * step]
    for (let i = first; i < end; i++) {
      toSmooth[i] =
        s0 * a[i] +
        s1 * (a[i + step] + a[i - step]) +
        s2 * (a[i + two] + a[i - two]) +
        s3 * (a[i + three] + a[i - three])
      toSlope[i] =
        d1 * (b[i + step] - b[i - step]) + d2 * (b[i + two] - b[i - two]) + d3 * (b[i + three] - b[i - three])
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
