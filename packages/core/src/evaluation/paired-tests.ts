import { ArgumentError } from '../errors.js'
import { createRandom } from '../random/random.js'

/** Wilcoxon's signed-rank test of paired differences against 0, two-sided. */
export interface SignedRankTest {
  /** Differences that are not 0. */
  readonly n: number
  /** Sum of the ranks of the positive differences. */
  readonly positive: number
  readonly negative: number
  readonly p: number
  /** From the exact distribution, or from its normal approximation. */
  readonly exact: boolean
}

/** Up to so many differences the distribution is counted out. */
const MOST_EXACT = 30

/**
 * Wilcoxon's signed-rank test (1945); differences of 0 are left out, as he did. Equal magnitudes share
 * their mean rank, and the exact distribution is that of these shared ranks.
 * @param differences one for each pair; ±∞ counts as the largest, NaN is refused
 * @throws ArgumentError for a difference that is not a number
 */
export function wilcoxonSignedRank(differences: readonly number[]): SignedRankTest {
  if (differences.some(Number.isNaN))
    throw new ArgumentError('A paired difference is not a number', 'Leave out pairs that lack a value.')
  const d = differences.filter(x => x !== 0).sort((a, b) => Math.abs(a) - Math.abs(b))
  const n = d.length
  // Twice the ranks, which are whole numbers even where they are shared.
  const doubled = new Array<number>(n)
  let ties = 0
  for (let i = 0; i < n; ) {
    let j = i
    while (j < n && Math.abs(d[j]) === Math.abs(d[i])) j++
    for (let k = i; k < j; k++) doubled[k] = i + 1 + j
    ties += (j - i) ** 3 - (j - i)
    i = j
  }
  const twicePositive = doubled.reduce((s, r, i) => (d[i] > 0 ? s + r : s), 0)
  const total = n * (n + 1)
  const result = { n, positive: twicePositive / 2, negative: (total - twicePositive) / 2 }
  if (n === 0) return { ...result, p: 1, exact: true }
  const lesser = Math.min(twicePositive, total - twicePositive)
  if (n <= MOST_EXACT) return { ...result, p: Math.min(1, 2 * shareUpTo(doubled, lesser)), exact: true }
  const variance = (n * (n + 1) * (2 * n + 1)) / 24 - ties / 48
  // Half a rank towards the middle, for a whole-numbered sum.
  const z = Math.max(0, total / 4 - lesser / 2 - 0.5) / Math.sqrt(variance)
  return { ...result, p: Math.min(1, 2 * normalTail(z)), exact: false }
}

/** Share of all 2ⁿ choices of signs whose positive ranks sum to at most `limit`. */
function shareUpTo(ranks: readonly number[], limit: number): number {
  const ways = new Float64Array(ranks.reduce((s, r) => s + r, 0) + 1)
  ways[0] = 1
  let reached = 0
  for (const r of ranks) {
    for (let s = reached; s >= 0; s--) ways[s + r] += ways[s]
    reached += r
  }
  return ways.subarray(0, limit + 1).reduce((s, w) => s + w, 0) / 2 ** ranks.length
}

/** P(Z > z) of the standard normal, relative error below 1.2e-7 (Numerical Recipes, section 6.2: Chebyshev fit of erfc). */
function normalTail(z: number): number {
  const x = z / Math.SQRT2
  const t = 2 / (2 + x)
  const c = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
    -0.82215223, 0.17087277
  ]
  const polynomial = c.reduceRight((s, a) => a + t * s, 0)
  return 0.5 * t * Math.exp(-x * x + polynomial)
}

/**
 * McNemar's exact test of two rates over the same cases, two-sided: whether those that changed did so evenly.
 * @param gained cases that only the second fulfils
 * @param lost cases that only the first fulfils
 */
export function mcnemarExact(gained: number, lost: number): number {
  const n = gained + lost
  if (n === 0) return 1
  let term = -n * Math.LN2
  let tail = 0
  for (let k = 0; k <= Math.min(gained, lost); k++) {
    tail += Math.exp(term)
    term += Math.log((n - k) / (k + 1))
  }
  return Math.min(1, 2 * tail)
}

/** Holm's adjustment of p-values that are looked at together (1979): each result can be held against the same level. */
export function holmAdjusted(p: readonly number[]): number[] {
  const order = p.map((_, i) => i).sort((a, b) => p[a] - p[b])
  const adjusted = new Array<number>(p.length)
  let least = 0
  order.forEach((i, rank) => {
    least = Math.max(least, Math.min(1, (p.length - rank) * p[i]))
    adjusted[i] = least
  })
  return adjusted
}

/** The mean of values that come in groups, with an interval that respects the groups. */
export interface GroupedMean {
  readonly mean: number
  /** 95 % interval by the percentile bootstrap. */
  readonly low: number
  readonly high: number
}

/**
 * Mean of the values with a 95 % interval. Groups (patients) are drawn with replacement and then the values within each: views of
 * one patient are no independent evidence. With one group only the values are drawn.
 * @param groups values by group, none empty
 * @throws ArgumentError without a value
 */
export function groupedBootstrap(
  groups: readonly (readonly number[])[],
  seed: number,
  resamples = 2000
): GroupedMean {
  if (groups.length === 0 || groups.some(g => g.length === 0))
    throw new ArgumentError('There is no value to draw from', 'Leave out groups without values.')
  const random = createRandom(seed)
  const meanOf = (chosen: readonly (readonly number[])[], draw: boolean) => {
    let sum = 0
    let count = 0
    for (const g of chosen)
      for (let i = 0; i < g.length; i++) {
        sum += draw ? g[random.integer(g.length)] : g[i]
        count++
      }
    return sum / count
  }
  const means = Float64Array.from({ length: resamples }, () =>
    meanOf(
      groups.map(g => (groups.length > 1 ? groups[random.integer(groups.length)] : g)),
      true
    )
  ).sort()
  const at = (q: number) => means[Math.min(resamples - 1, Math.floor(q * resamples))]
  return { mean: meanOf(groups, false), low: at(0.025), high: at(0.975) }
}
