import { ArgumentError } from '../../errors.js'
import type { Image } from '../../image/image.js'
import { assertSameSize, type Similarity, type SimilarityOptions, weightsOf } from './similarity.js'

export interface LocalNccOptions extends SimilarityOptions {
  /** Patches are (2·radius + 1)² pixels; default 4 (9 × 9). */
  readonly radius?: number
  /**
   * Share of the image's variance that is added to each patch's, so that patches of noise or of nothing count little;
   * default 1e-4.
   */
  readonly floor?: number
}

/**
 * Local normalised cross-correlation, the paper's second similarity (section 2.4): the mean over all patches that lie within the
 * image of their correlation coefficients, in [−1, 1], weighted at the patch centres. Follows edges under intensity
 * differences that vary over the image, which a single coefficient cannot. Box sums slide: the time does not depend on the radius.
 * @throws ArgumentError for a radius that does not fit or bad weights; the result throws it for an image of another size
 */
export function localNcc(fixed: Image, options: LocalNccOptions = {}): Similarity {
  const { radius = 4, floor = 1e-4 } = options
  const { width, height } = fixed
  const side = 2 * radius + 1
  if (!(Number.isInteger(radius) && radius >= 1 && side <= width && side <= height))
    throw new ArgumentError(
      `A patch radius of ${radius} does not fit an image of ${width} × ${height} pixels`,
      'Give a whole number, 1 or more, with patches smaller than the image.'
    )
  const weights = weightsOf(fixed, options.weights)
  const f = centred(fixed.data)
  const fixedFloor = floor * f.variance
  const sums = createBoxSums(width)
  // Per patch: the mean of f, and 1/√(variance + floor), 0 where the patch shows nothing.
  const mean = new Float64Array(width * height)
  const inverse = new Float64Array(width * height)
  const n = side * side
  let weightSum = 0
  slide(sums, width, height, side, f.values, f.values, (centre, s, ss) => {
    const variance = Math.max(ss / n - (s / n) ** 2, 0) + fixedFloor
    mean[centre] = s / n
    inverse[centre] = variance > 0 ? weights[centre] / Math.sqrt(variance) : 0
    weightSum += weights[centre]
  })
  return moving => {
    assertSameSize({ width, height }, moving)
    const m = centred(moving.data)
    if (!(m.variance > 0) || weightSum === 0) return 0
    const movingFloor = floor * m.variance
    let total = 0
    slide(sums, width, height, side, m.values, f.values, (centre, s, ss, sf) => {
      const variance = Math.max(ss / n - (s / n) ** 2, 0) + movingFloor
      if (inverse[centre] > 0 && variance > 0)
        total += ((sf / n - (s / n) * mean[centre]) * inverse[centre]) / Math.sqrt(variance)
    })
    return total / weightSum
  }
}

/** Values minus their mean (so that sums of squares do not cancel), and their variance; exactly 0 for rounding. */
function centred(data: Float32Array): { values: Float64Array; variance: number } {
  let mean = 0
  for (const x of data) mean += x
  mean /= data.length
  const values = new Float64Array(data.length)
  let variance = 0
  for (let i = 0; i < data.length; i++) {
    values[i] = data[i] - mean
    variance += values[i] * values[i]
  }
  variance /= data.length
  return { values, variance: variance > 1e-12 * mean * mean ? variance : 0 }
}

/** Sums over columns of patch height, reused from call to call. */
interface BoxSums {
  readonly m: Float64Array
  readonly mm: Float64Array
  readonly mf: Float64Array
}

const createBoxSums = (width: number): BoxSums => ({
  m: new Float64Array(width),
  mm: new Float64Array(width),
  mf: new Float64Array(width)
})

/** Calls `visit` for each patch within the image with Σm, Σm², Σm·f over it. */
function slide(
  columns: BoxSums,
  width: number,
  height: number,
  side: number,
  m: Float64Array,
  f: Float64Array,
  visit: (centre: number, sum: number, squares: number, products: number) => void
): void {
  const radius = (side - 1) / 2
  columns.m.fill(0)
  columns.mm.fill(0)
  columns.mf.fill(0)
  const addRow = (y: number, sign: number) => {
    for (let x = 0, i = y * width; x < width; x++, i++) {
      const a = sign * m[i]
      columns.m[x] += a
      columns.mm[x] += a * m[i]
      columns.mf[x] += a * f[i]
    }
  }
  for (let y = 0; y < height; y++) {
    addRow(y, 1)
    if (y >= side) addRow(y - side, -1)
    if (y < side - 1) continue
    let s = 0
    let ss = 0
    let sf = 0
    const row = (y - radius) * width
    for (let x = 0; x < width; x++) {
      s += columns.m[x]
      ss += columns.mm[x]
      sf += columns.mf[x]
      if (x >= side) {
        s -= columns.m[x - side]
        ss -= columns.mm[x - side]
        sf -= columns.mf[x - side]
      }
      if (x >= side - 1) visit(row + x - radius, s, ss, sf)
    }
  }
}
