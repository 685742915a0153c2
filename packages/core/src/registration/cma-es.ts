import { ArgumentError } from '../errors.js'
import { symmetricEigen } from '../pose/symmetric-eigen.js'
import { createRandom } from '../random/random.js'

export interface CmaEsOptions {
  readonly start: ArrayLike<number>
  /** First standard deviation of the draws, in every variable: about a third of the distance to the optimum. */
  readonly sigma: number
  readonly lower?: ArrayLike<number>
  readonly upper?: ArrayLike<number>
  /** Draws a generation; default 4 + ⌊3·ln n⌋. More search wider. */
  readonly population?: number
  /** Stops where draws lie this close together in every variable; default 1e-6. */
  readonly precision?: number
  /** Default 1000·n. */
  readonly maxEvaluations?: number
  /** Default 1. */
  readonly seed?: number
}

export interface CmaEsResult {
  readonly x: Float64Array
  readonly value: number
  readonly evaluations: number
  readonly reason: 'converged' | 'evaluations' | 'precision'
}

/** A run of CMA-ES: yields generations of independent points, takes their values. Drive it with `minimise`. */
export type CmaEs = Generator<readonly Float64Array[], CmaEsResult, ArrayLike<number>>

/**
 * The covariance matrix adaptation evolution strategy (Hansen, The CMA Evolution Strategy: A Tutorial, 2016, arXiv:1604.00772, with
 * its default parameters and active updates left out): minimises a function that may be rugged, from a start that may be far off. Many times the
 * evaluations of BOBYQA: for starts that nothing else gets anywhere from. Draws beyond the bounds are put on them, and pay for the
 * distance by rank only.
 * @throws ArgumentError for a sigma that is not positive, bounds that do not fit, or a value that is not finite
 */
export function* cmaEs(options: CmaEsOptions): CmaEs {
  const n = options.start.length
  const { sigma: firstSigma, precision = 1e-6, maxEvaluations = 1000 * n, seed = 1 } = options
  const lambda = options.population ?? 4 + Math.floor(3 * Math.log(n))
  assertOptions(options, lambda)
  const random = createRandom(seed)
  const p = strategy(n, lambda)
  let mean = Float64Array.from(options.start)
  let sigma = firstSigma
  const covariance = Float64Array.from({ length: n * n }, (_, k) => (k % (n + 1) === 0 ? 1 : 0))
  const pathSigma = new Float64Array(n)
  const pathC = new Float64Array(n)
  let best = clamp(mean, options)
  let bestValue = Number.POSITIVE_INFINITY
  let evaluations = 0
  for (let generation = 1; evaluations + lambda <= maxEvaluations; generation++) {
    const { values: squares, vectors } = symmetricEigen(covariance, n)
    const lengths = Float64Array.from(squares, x => Math.sqrt(Math.max(x, 0)))
    if (!lengths.every(Number.isFinite) || lengths.some(x => x === 0))
      return { x: best, value: bestValue, evaluations, reason: 'precision' }
    const draws = Array.from({ length: lambda }, () => {
      const z = Float64Array.from({ length: n }, () => random.normal())
      const y = rotate(vectors, lengths, z, n)
      const free = mean.map((m, i) => m + sigma * y[i])
      const x = clamp(free, options)
      return { x, y: y.map((v, i) => v + (x[i] - free[i]) / sigma), beyond: distance2(x, free) }
    })
    const told = yield draws.map(d => d.x.slice())
    evaluations += lambda
    const ranked = draws.map((d, i) => ({ ...d, value: told[i] }))
    for (const { value, x } of ranked) {
      if (!Number.isFinite(value))
        throw new ArgumentError(
          `The function to be minimised is ${value} at (${Array.from(x).join(', ')})`,
          'Return a finite number for every point within the bounds.'
        )
      if (value < bestValue) {
        bestValue = value
        best = x
      }
    }
    // Of equals, the one that had to be moved less is better.
    ranked.sort((a, b) => a.value - b.value || a.beyond - b.beyond)
    const step = Float64Array.from({ length: n }, (_, i) =>
      p.weights.reduce((s, w, k) => s + w * ranked[k].y[i], 0)
    )
    mean = mean.map((m, i) => m + sigma * step[i])
    // C^(−1/2)·step, along the principal axes.
    const white = unrotate(vectors, lengths, step, n)
    for (let i = 0; i < n; i++)
      pathSigma[i] = (1 - p.cSigma) * pathSigma[i] + Math.sqrt(p.cSigma * (2 - p.cSigma) * p.mu) * white[i]
    const long = Math.hypot(...pathSigma)
    const steady =
      long / Math.sqrt(1 - (1 - p.cSigma) ** (2 * generation)) < (1.4 + 2 / (n + 1)) * p.expectedLength
        ? 1
        : 0
    for (let i = 0; i < n; i++)
      pathC[i] = (1 - p.cC) * pathC[i] + steady * Math.sqrt(p.cC * (2 - p.cC) * p.mu) * step[i]
    const kept = 1 - p.c1 - p.cMu + (1 - steady) * p.c1 * p.cC * (2 - p.cC)
    for (let i = 0; i < n; i++)
      for (let j = 0; j <= i; j++) {
        let rankMu = 0
        for (let k = 0; k < p.weights.length; k++) rankMu += p.weights[k] * ranked[k].y[i] * ranked[k].y[j]
        const c = kept * covariance[i * n + j] + p.c1 * pathC[i] * pathC[j] + p.cMu * rankMu
        covariance[i * n + j] = c
        covariance[j * n + i] = c
      }
    sigma *= Math.exp(Math.min(1, (p.cSigma / p.damping) * (long / p.expectedLength - 1)))
    if (sigma * Math.max(...lengths) < precision)
      return { x: best, value: bestValue, evaluations, reason: 'converged' }
  }
  return { x: best, value: bestValue, evaluations, reason: 'evaluations' }
}

/** The tutorial's default parameters (table 1), weights of the better half only. */
function strategy(n: number, lambda: number) {
  const half = Math.floor(lambda / 2)
  const raw = Array.from({ length: half }, (_, i) => Math.log((lambda + 1) / 2) - Math.log(i + 1))
  const total = raw.reduce((s, w) => s + w, 0)
  const weights = raw.map(w => w / total)
  const mu = 1 / weights.reduce((s, w) => s + w * w, 0)
  const cSigma = (mu + 2) / (n + mu + 5)
  const c1 = 2 / ((n + 1.3) ** 2 + mu)
  return {
    weights,
    mu,
    cSigma,
    damping: 1 + 2 * Math.max(0, Math.sqrt((mu - 1) / (n + 1)) - 1) + cSigma,
    cC: (4 + mu / n) / (n + 4 + (2 * mu) / n),
    c1,
    cMu: Math.min(1 - c1, (2 * (mu - 2 + 1 / mu)) / ((n + 2) ** 2 + mu)),
    /** Of a standard normal vector. */
    expectedLength: Math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n))
  }
}

/** B·D·z, axis k in row k of `vectors`. */
function rotate(vectors: ArrayLike<number>, lengths: Float64Array, z: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n)
  for (let k = 0; k < n; k++) for (let i = 0; i < n; i++) out[i] += lengths[k] * z[k] * vectors[k * n + i]
  return out
}

/** B·D⁻¹·Bᵀ·y. */
function unrotate(
  vectors: ArrayLike<number>,
  lengths: Float64Array,
  y: Float64Array,
  n: number
): Float64Array {
  const out = new Float64Array(n)
  for (let k = 0; k < n; k++) {
    let along = 0
    for (let i = 0; i < n; i++) along += vectors[k * n + i] * y[i]
    for (let i = 0; i < n; i++) out[i] += (along / lengths[k]) * vectors[k * n + i]
  }
  return out
}

const clamp = (x: Float64Array, { lower, upper }: CmaEsOptions): Float64Array =>
  x.map((v, i) =>
    Math.max(lower?.[i] ?? Number.NEGATIVE_INFINITY, Math.min(upper?.[i] ?? Number.POSITIVE_INFINITY, v))
  )

const distance2 = (a: Float64Array, b: Float64Array): number =>
  a.reduce((s, x, i) => s + (x === b[i] ? 0 : (x - b[i]) ** 2), 0)

function assertOptions({ start, sigma, lower, upper }: CmaEsOptions, lambda: number): void {
  const n = start.length
  if (!(sigma > 0 && Number.isFinite(sigma) && n > 0 && Number.isInteger(lambda) && lambda >= 4))
    throw new ArgumentError(
      `CMA-ES was asked to search ${n} variables with a deviation of ${sigma} and ${lambda} draws`,
      'Give a positive deviation, at least one variable and at least 4 draws.'
    )
  if ((lower && lower.length !== n) || (upper && upper.length !== n))
    throw new ArgumentError(
      `The bounds are not of ${n} variables`,
      'Give one lower and one upper bound for each.'
    )
}
