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
 * image of their (weighted) correlation coefficients, in [−1, 1], each patch counting by its weights' sum. Follows edges under intensity
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
  const f = centred(fixed.data, weights)
  const fixedFloor = floor * f.variance
  const columns = createColumnSums(width)
  const each = (m: Float64Array, visit: PatchVisitor) =>
    slide(columns, width, height, side, weights, m, f.values, visit)
  // Per patch: Σw, the mean of f, and Σw/√(variance + floor), 0 where the patch shows nothing.
  const count = new Float64Array(width * height)
  const mean = new Float64Array(width * height)
  const factor = new Float64Array(width * height)
  let total = 0
  slide(
    columns,
    width,
    height,
    side,
    weights,
    new Float64Array(width * height).fill(1),
    f.values,
    (i, n, _, sf) => {
      // Sliding sums of weights that have all become 0 leave rounding behind.
      if (!(n > 1e-9)) return
      count[i] = n
      mean[i] = sf / n
      total += n
    }
  )
  each(f.values, (i, _, ss) => {
    const variance = count[i] > 0 ? Math.max(ss / count[i] - mean[i] * mean[i], 0) + fixedFloor : 0
    factor[i] = variance > 0 ? count[i] / Math.sqrt(variance) : 0
  })
  return moving => {
    assertSameSize({ width, height }, moving)
    const m = centred(moving.data, weights)
    if (!(m.variance > 0) || total === 0) return 0
    const movingFloor = floor * m.variance
    let sum = 0
    each(m.values, (i, s, ss, sf) => {
      if (factor[i] === 0) return
      const n = count[i]
      const average = s / n
      const variance = Math.max(ss / n - average * average, 0) + movingFloor
      if (variance > 0) sum += ((sf / n - average * mean[i]) * factor[i]) / Math.sqrt(variance)
    })
    return sum / total
  }
}

/** Values minus their weighted mean (so that sums of squares do not cancel), and their variance; exactly 0 for rounding. */
function centred(data: Float32Array, weights: Float64Array): { values: Float64Array; variance: number } {
  let sum = 0
  let mean = 0
  for (let i = 0; i < data.length; i++) {
    sum += weights[i]
    mean += weights[i] * data[i]
  }
  mean = sum > 0 ? mean / sum : 0
  const values = new Float64Array(data.length)
  let variance = 0
  for (let i = 0; i < data.length; i++) {
    values[i] = data[i] - mean
    variance += weights[i] * values[i] * values[i]
  }
  variance = sum > 0 ? variance / sum : 0
  return { values, variance: variance > 1e-12 * mean * mean ? variance : 0 }
}

/** Sums over columns of patch height, reused from call to call: of w·m, w·m², w·m·f. */
interface ColumnSums {
  readonly m: Float64Array
  readonly mm: Float64Array
  readonly mf: Float64Array
}

const createColumnSums = (width: number): ColumnSums => ({
  m: new Float64Array(width),
  mm: new Float64Array(width),
  mf: new Float64Array(width)
})

type PatchVisitor = (centre: number, sum: number, squares: number, products: number) => void

/** Calls `visit` for each patch within the image with Σw·m, Σw·m², Σw·m·f over it. */
function slide(
  columns: ColumnSums,
  width: number,
  height: number,
  side: number,
  weights: Float64Array,
  m: Float64Array,
  f: Float64Array,
  visit: PatchVisitor
): void {
  const radius = (side - 1) / 2
  columns.m.fill(0)
  columns.mm.fill(0)
  columns.mf.fill(0)
  const addRow = (y: number, sign: number) => {
    for (let x = 0, i = y * width; x < width; x++, i++) {
      const a = sign * weights[i] * m[i]
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
