import { ArgumentError } from '../errors.js'
import type { Image } from './image.js'

export interface EdgeOptions {
  /** Standard deviation of the Gaussian that the image is smoothed with, pixels; at least 0.5. */
  readonly sigma?: number
  /** Share of all pixels whose gradient is too weak to start an edge, 0 to 1. */
  readonly quantile?: number
  /** An edge goes on for as long as its gradient is above this part of the one that starts it, 0 to 1. */
  readonly follow?: number
}

/** Gradients below this part of the steepest are rounding, not structure. */
const ROUNDING = 1e-4

/**
 * Thin edges of an image (Canny 1986): gradient of the smoothed image, only its maxima across the edge, and of these
 * the strong ones with whatever hangs on to them. The thresholds follow from the image's own gradients, so that
 * neither scale nor offset of its values matters.
 *
 * @returns width·height bytes, row-major: 1 on an edge, else 0; never on the outermost pixels
 * @throws ArgumentError for an option out of range.
 */
export function edgeMap(image: Image, options: EdgeOptions = {}): Uint8Array {
  const { sigma = 1, quantile = 0.9, follow = 0.4 } = options
  if (!(sigma >= 0.5 && quantile >= 0 && quantile < 1 && follow > 0 && follow <= 1))
    throw new ArgumentError(
      `Edges with sigma ${sigma}, quantile ${quantile} and follow ${follow} cannot be found`,
      'Give sigma of at least 0.5, a quantile in [0, 1) and follow in (0, 1].'
    )
  const { width, height } = image
  const { gx, gy, magnitude } = imageGradient(image, sigma)
  const sorted = Float32Array.from(magnitude).sort()
  const steepest = sorted[sorted.length - 1] ?? 0
  const edges = new Uint8Array(width * height)
  if (!(steepest > 0)) return edges
  const strong = Math.max(sorted[Math.floor(quantile * sorted.length)], ROUNDING * steepest)
  const ridges = suppressNonMaxima(gx, gy, magnitude, width, height, follow * strong)
  const queue: number[] = []
  const take = (at: number) => {
    edges[at] = 1
    queue.push(at)
  }
  for (let start = 0; start < edges.length; start++) {
    if (!ridges[start] || edges[start] || magnitude[start] < strong) continue
    take(start)
    // A ridge never touches the rim, so its neighbours always exist.
    for (let at = queue.pop(); at !== undefined; at = queue.pop())
      for (let dy = -width; dy <= width; dy += width)
        for (let dx = -1; dx <= 1; dx++) {
          const n = at + dy + dx
          if (ridges[n] && !edges[n]) take(n)
        }
  }
  return edges
}

/** Separable Gaussian; the image goes on beyond its rim with the rim's values. */
function smooth({ width, height, data }: Image, sigma: number): Float64Array {
  const radius = Math.ceil(3 * sigma)
  const kernel = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma * sigma))
  )
  const total = kernel.reduce((a, b) => a + b, 0)
  const pass = (from: ArrayLike<number>, n: number, step: number, lines: number, stride: number) => {
    const out = new Float64Array(from.length)
    for (let line = 0; line < lines; line++)
      for (let i = 0; i < n; i++) {
        let sum = 0
        for (let k = -radius; k <= radius; k++) {
          const j = Math.max(0, Math.min(n - 1, i + k))
          sum += kernel[k + radius] * from[line * stride + j * step]
        }
        out[line * stride + i * step] = sum / total
      }
    return out
  }
  return pass(pass(data, width, 1, height, width), height, width, width, 1)
}

/** Central differences of an image smoothed by a Gaussian of `sigma` pixels; 0 on the outermost pixels. */
export function imageGradient(image: Image, sigma: number) {
  const { width, height } = image
  const s = smooth(image, sigma)
  const gx = new Float32Array(s.length)
  const gy = new Float32Array(s.length)
  const magnitude = new Float32Array(s.length)
  for (let y = 1; y < height - 1; y++)
    for (let x = 1; x < width - 1; x++) {
      const at = y * width + x
      gx[at] = (s[at + 1] - s[at - 1]) / 2
      gy[at] = (s[at + width] - s[at - width]) / 2
      magnitude[at] = Math.hypot(gx[at], gy[at])
    }
  return { gx, gy, magnitude }
}

/** 1 where the gradient is at least `least` and no smaller than a pixel ahead and behind along its own direction. */
function suppressNonMaxima(
  gx: Float32Array,
  gy: Float32Array,
  magnitude: Float32Array,
  width: number,
  height: number,
  least: number
): Uint8Array {
  const ridges = new Uint8Array(magnitude.length)
  for (let y = 1; y < height - 1; y++)
    for (let x = 1; x < width - 1; x++) {
      const at = y * width + x
      const m = magnitude[at]
      if (!(m > 0 && m >= least)) continue
      const ax = Math.abs(gx[at])
      const ay = Math.abs(gy[at])
      // Between the two neighbours that the gradient points to: one along an axis, one on the diagonal.
      const axis = ax >= ay ? 1 : width
      const diagonal = gx[at] * gy[at] >= 0 ? width + 1 : ax >= ay ? 1 - width : width - 1
      const f = Math.min(ax, ay) / Math.max(ax, ay)
      const ahead = magnitude[at + axis] + f * (magnitude[at + diagonal] - magnitude[at + axis])
      const behind = magnitude[at - axis] + f * (magnitude[at - diagonal] - magnitude[at - axis])
      // Strict on one side only, so that a ridge between two pixels is drawn once, and rounding leaves no gap in it.
      if (m > ahead && m >= behind * (1 - 1e-5)) ridges[at] = 1
    }
  return ridges
}
