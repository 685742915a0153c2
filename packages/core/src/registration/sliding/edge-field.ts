import { ArgumentError } from '../../errors.js'
import type { Image } from '../../image/image.js'
import { boxBlur } from '../../xray/fields.js'
import { erode, gradientFilter } from '../similarity/filters.js'
import { holdBack } from '../similarity/strong-edges.js'

/**
 * The edges of an image, each as strong as those about it: what tells where something is, whatever its contrast. The scalar product of two
 * such fields is high where edges lie on edges of the same direction.
 */
export interface EdgeField {
  readonly width: number
  readonly height: number
  /** Edges along u and along v, dimensionless; 0 where the weight is 0. */
  readonly u: Float32Array
  readonly v: Float32Array
  /** How much each pixel counts. */
  readonly weights: Float32Array
}

/**
 * Edges stronger than this share of the median's energy are held back (to its square root at most): blades, metal and skin are the strongest of an
 * X-ray, and say the least of where the bones are.
 */
const STRONG = 0.2
/** Half the side of the squares that edges are measured against, pixels. */
const RADIUS = 2
/** Share of the whole image's energy that is added to a square's: flat squares stay quiet. */
const FLOOR = 0.03

/**
 * Sobel's derivatives, strong ones held back, less their mean in the square about each pixel and divided by their root mean square there. Without the mean, the slope that a body's
 * thickness gives all of the picture is what agrees best, and wrong poses do best by it (docs/registration.md has the figures of all these constants).
 * @param weights what pixels count, none negative; default: all alike. Pixels beside one that does not count have no edge
 */
export function edgeField(image: Image, weights?: ArrayLike<number>): EdgeField {
  const { width, height, data } = image
  const u = new Float32Array(width * height)
  const v = new Float32Array(width * height)
  const sobel = gradientFilter(width, height, 0)
  sobel.apply(data, u, v)
  const own = Float64Array.from({ length: width * height }, (_, i) => (weights ? weights[i] : 1))
  const least = erode(own, width, height, sobel.radius)
  const counts = Float32Array.from(own, (w, i) => (least[i] > 0 ? w : 0))
  holdBack(u, v, counts, STRONG)
  const share = boxBlur(counts, width, height, RADIUS)
  for (const edges of [u, v]) takeMean(edges, counts, share, width, height)
  const energy = new Float32Array(width * height)
  let [sum, total] = [0, 0]
  for (let i = 0; i < energy.length; i++) {
    energy[i] = (u[i] * u[i] + v[i] * v[i]) * counts[i]
    sum += energy[i]
    total += counts[i]
  }
  const floor = total > 0 ? (FLOOR * sum) / total : 0
  const about = boxBlur(energy, width, height, RADIUS)
  for (let i = 0; i < energy.length; i++) {
    const square = (share[i] > 0 ? Math.max(0, about[i]) / share[i] : 0) + floor
    const counted = counts[i] > 0 && square > 0
    u[i] = counted ? u[i] / Math.sqrt(square) : 0
    v[i] = counted ? v[i] / Math.sqrt(square) : 0
  }
  return { width, height, u, v, weights: counts }
}

/** Takes from each value the mean of what counts in the square about it. */
function takeMean(
  values: Float32Array,
  counts: Float32Array,
  share: Float32Array,
  width: number,
  height: number
): void {
  const about = boxBlur(
    values.map((x, i) => x * counts[i]),
    width,
    height,
    RADIUS
  )
  for (let i = 0; i < values.length; i++) values[i] = share[i] > 0 ? values[i] - about[i] / share[i] : 0
}

/**
 * A mean over what can be compared is worth less the less that is: this share of all, of no similarity, is added to it. Of thousands of places those with the least to compare
 * are the luckiest.
 */
export const UNCOMPARED = 0.4

/**
 * How well the edges of two fields of one size agree: the mean product of edges over what both show, less where that is little.
 * @throws ArgumentError for fields of different sizes
 */
export function edgeAgreement(fixed: EdgeField, moving: EdgeField): number {
  if (fixed.width !== moving.width || fixed.height !== moving.height)
    throw new ArgumentError(
      `Fields of ${fixed.width} × ${fixed.height} and ${moving.width} × ${moving.height} pixels were to be compared`,
      'Render both for the same detector.'
    )
  let [products, both, all] = [0, 0, 0]
  for (let i = 0; i < fixed.u.length; i++) {
    const weight = fixed.weights[i] * moving.weights[i]
    products += weight * (fixed.u[i] * moving.u[i] + fixed.v[i] * moving.v[i])
    both += weight
    all += fixed.weights[i]
  }
  return all > 0 ? products / (both + UNCOMPARED * all) : 0
}
