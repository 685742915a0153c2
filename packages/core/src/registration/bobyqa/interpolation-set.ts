/**
 * The interpolation points of BOBYQA and everything that follows from where they are: their Lagrange functions.
 *
 * Powell keeps the inverse H of the interpolation matrix up to date through rank-two updates, with a product form, shifts of origin
 * and a rescue procedure against the rounding errors that these gather. With 2n + 1 points for a handful of variables
 * the matrix is inverted anew after each exchange, from the origin at the best point, in microseconds; nothing is
 * gathered, so the shifts and the rescue have nothing to do.
 */
export interface InterpolationSet {
  /** Variables. */
  readonly n: number
  /** Points. */
  readonly count: number
  /** Displacements of the points from the best one, n numbers each. */
  readonly steps: readonly Float64Array[]
  /** Unit of length in which `inverse` is computed: the largest displacement. */
  readonly unit: number
  /** Inverse of [[½(yi·yj)², 1, y], [1, 0, 0], [yᵀ, 0, 0]] in that unit, (count + 1 + n)² row-major. */
  readonly inverse: Float64Array
}

/**
 * @param points the positions
 * @param best index of the point that is the origin
 * @returns null where the points do not determine a quadratic (to working precision)
 */
export function createInterpolationSet(
  points: readonly Float64Array[],
  best: number
): InterpolationSet | null {
  const n = points[0].length
  const count = points.length
  const steps = points.map(p => p.map((x, i) => x - points[best][i]))
  const unit = Math.max(...steps.map(y => Math.hypot(...y)))
  const size = count + 1 + n
  const w = new Float64Array(size * size)
  for (let i = 0; i < count; i++) {
    for (let j = 0; j <= i; j++) {
      const a = 0.5 * (dotProduct(steps[i], steps[j]) / (unit * unit)) ** 2
      w[i * size + j] = w[j * size + i] = a
    }
    w[i * size + count] = w[count * size + i] = 1
    for (let k = 0; k < n; k++)
      w[i * size + count + 1 + k] = w[(count + 1 + k) * size + i] = steps[i][k] / unit
  }
  const inverse = invert(w, size)
  return inverse && { n, count, steps, unit, inverse }
}

export function dotProduct(a: Float64Array, b: Float64Array): number {
  let s = 0
  for (let i = 0; i < a.length; i++) s += a[i] * b[i]
  return s
}

/** A quadratic about the best point: constant left out. */
export interface Quadratic {
  readonly gradient: Float64Array
  /** n×n, row-major, symmetric. */
  readonly hessian: Float64Array
}

/**
 * The quadratic of least Frobenius norm of the Hessian that takes `values` at the points (all relative to the value at
 * the best point). With the k-th unit vector: the k-th Lagrange function.
 */
export function leastFrobeniusQuadratic(set: InterpolationSet, values: ArrayLike<number>): Quadratic {
  const { n, count, steps, unit, inverse } = set
  const size = count + 1 + n
  const gradient = new Float64Array(n)
  const hessian = new Float64Array(n * n)
  for (let j = 0; j < count; j++) {
    let lambda = 0
    for (let k = 0; k < count; k++) lambda += inverse[j * size + k] * values[k]
    lambda /= unit ** 4
    const y = steps[j]
    for (let a = 0; a < n; a++) for (let b = 0; b < n; b++) hessian[a * n + b] += lambda * y[a] * y[b]
  }
  for (let a = 0; a < n; a++) {
    for (let k = 0; k < count; k++) gradient[a] += inverse[(count + 1 + a) * size + k] * values[k]
    gradient[a] /= unit
  }
  return { gradient, hessian }
}

/** The k-th Lagrange function: 1 at point k, 0 at the others. */
export function lagrangeFunction(set: InterpolationSet, k: number): Quadratic {
  const unitVector = new Float64Array(set.count)
  unitVector[k] = 1
  return leastFrobeniusQuadratic(set, unitVector)
}

/** Diagonal element of H: how stiff the k-th Lagrange function is; not negative, in units of length⁻⁴. */
export const stiffness = ({ count, n, inverse, unit }: InterpolationSet, k: number): number =>
  Math.max(inverse[k * (count + 2 + n)], 0) / unit ** 4

/** What Powell's updating formula needs for a new point at `step` from the best one. */
export interface ExchangeTerms {
  /** Values of the Lagrange functions there. */
  readonly lagrange: Float64Array
  /** β of the updating formula, length⁴; not negative. */
  readonly beta: number
}

/** Lagrange functions and β at a step (Powell 2004, "Least Frobenius norm updating of quadratic models", section 2). */
export function exchangeTerms(
  { n, count, steps, unit, inverse }: InterpolationSet,
  best: number,
  step: Float64Array
): ExchangeTerms {
  const size = count + 1 + n
  const v = new Float64Array(size)
  for (let k = 0; k < count; k++) v[k] = 0.5 * (dotProduct(steps[k], step) / (unit * unit)) ** 2
  for (let a = 0; a < n; a++) v[count + 1 + a] = step[a] / unit
  const lagrange = new Float64Array(count)
  let quadratic = 0
  for (let r = 0; r < size; r++) {
    let s = 0
    for (let c = 0; c < size; c++) s += inverse[r * size + c] * v[c]
    quadratic += s * v[r]
    if (r < count) lagrange[r] = s
  }
  lagrange[best] += 1
  const d2 = dotProduct(step, step) / (unit * unit)
  return { lagrange, beta: Math.max(0.5 * d2 * d2 - quadratic, 0) * unit ** 4 }
}

/** Gauss–Jordan with row pivoting, on rows equilibrated first. */
function invert(a: Float64Array, n: number): Float64Array | null {
  const out = new Float64Array(n * n)
  for (let r = 0; r < n; r++) {
    let largest = 0
    for (let c = 0; c < n; c++) largest = Math.max(largest, Math.abs(a[r * n + c]))
    if (!(largest > 0)) return null
    for (let c = 0; c < n; c++) a[r * n + c] /= largest
    out[r * n + r] = 1 / largest
  }
  for (let c = 0; c < n; c++) {
    let pivot = c
    for (let r = c + 1; r < n; r++) if (Math.abs(a[r * n + c]) > Math.abs(a[pivot * n + c])) pivot = r
    if (!(Math.abs(a[pivot * n + c]) > 1e-300)) return null
    if (pivot !== c)
      for (const m of [a, out])
        for (let k = 0; k < n; k++) {
          const x = m[c * n + k]
          m[c * n + k] = m[pivot * n + k]
          m[pivot * n + k] = x
        }
    const f = 1 / a[c * n + c]
    for (let k = 0; k < n; k++) {
      a[c * n + k] *= f
      out[c * n + k] *= f
    }
    for (let r = 0; r < n; r++) {
      const g = a[r * n + c]
      if (r === c || g === 0) continue
      for (let k = 0; k < n; k++) {
        a[r * n + k] -= g * a[c * n + k]
        out[r * n + k] -= g * out[c * n + k]
      }
    }
  }
  return out.every(Number.isFinite) ? out : null
}
