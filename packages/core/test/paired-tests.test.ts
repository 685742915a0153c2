import { describe, expect, it } from 'vitest'
import {
  groupedBootstrap,
  holmAdjusted,
  mcnemarExact,
  wilcoxonSignedRank
} from '../src/evaluation/paired-tests.js'
import { createRandom } from '../src/random/random.js'

/** Every choice of signs, one by one. */
function bySigns(differences: readonly number[]): number {
  const d = differences.filter(x => x !== 0)
  const size = d.map(Math.abs)
  const rank = size.map(x => size.filter(y => y < x).length + (size.filter(y => y === x).length + 1) / 2)
  const total = rank.reduce((s, r) => s + r, 0)
  const lesser = (sum: number) => Math.min(sum, total - sum)
  const seen = lesser(rank.reduce((s, r, i) => (d[i] > 0 ? s + r : s), 0))
  let low = 0
  for (let signs = 0; signs < 2 ** d.length; signs++) {
    const sum = rank.reduce((s, r, i) => (signs & (1 << i) ? s + r : s), 0)
    if (sum <= seen) low++
  }
  return Math.min(1, (2 * low) / 2 ** d.length)
}

describe("Wilcoxon's signed-rank test", () => {
  it('gives what the tables have', () => {
    // All of five in one direction: 2 of 32 choices of signs are as extreme.
    expect(wilcoxonSignedRank([1, 2, 3, 4, 5])).toEqual({
      n: 5,
      positive: 15,
      negative: 0,
      p: 0.0625,
      exact: true
    })
    // Critical value of the tables: n = 10, W = 8 at 5 % two-sided: 25 of 1,024 sums are at most 8.
    const d = [-1, -3, -4, 2, 5, 6, 7, 8, 9, 10]
    expect(wilcoxonSignedRank(d)).toMatchObject({ n: 10, positive: 47, negative: 8, p: 50 / 1024 })
  })

  it('leaves zeros out and shares ranks, as counting every choice of signs does', () => {
    const random = createRandom(3)
    for (let trial = 0; trial < 20; trial++) {
      const d = Array.from({ length: 9 }, () => random.integer(7) - 2)
      expect(wilcoxonSignedRank(d).p).toBeCloseTo(bySigns(d), 12)
    }
    expect(wilcoxonSignedRank([0, 0])).toMatchObject({ n: 0, p: 1 })
  })

  it('takes a lost pose as the largest difference', () => {
    expect(wilcoxonSignedRank([Number.POSITIVE_INFINITY, -1, -2])).toMatchObject({ positive: 3, negative: 3 })
    expect(() => wilcoxonSignedRank([Number.NaN])).toThrow(/not a number/)
  })

  it('goes over into the normal approximation without a step', () => {
    // 31 differences of which rank 1 … 9 are negative: mean 248, variance 31·32·63/24 = 2604, z = (248 − 45 − 0.5)/51.03.
    const d = Array.from({ length: 31 }, (_, i) => (i < 9 ? -1 : 1) * (i + 1))
    const r = wilcoxonSignedRank(d)
    expect(r).toMatchObject({ n: 31, negative: 45, exact: false })
    // 2·(1 − Φ(3.96829)) = 7.24e-5.
    expect(r.p).toBeGreaterThan(7.2e-5)
    expect(r.p).toBeLessThan(7.3e-5)
    const thirty = wilcoxonSignedRank(d.slice(0, 30))
    expect(thirty.exact).toBe(true)
    expect(Math.log(thirty.p / r.p)).toBeLessThan(1)
  })

  it('errs as often as it says where there is nothing', () => {
    const random = createRandom(5)
    let below = 0
    for (let trial = 0; trial < 2000; trial++)
      if (wilcoxonSignedRank(Array.from({ length: 40 }, () => random.normal())).p < 0.05) below++
    // 100 expected, standard deviation 9.7.
    expect(below).toBeGreaterThan(60)
    expect(below).toBeLessThan(140)
  })
})

it("McNemar's test counts binomial tails", () => {
  expect(mcnemarExact(0, 0)).toBe(1)
  expect(mcnemarExact(0, 5)).toBeCloseTo(2 / 32, 12)
  // 2·(1 + 10 + 45)/1024
  expect(mcnemarExact(8, 2)).toBeCloseTo(112 / 1024, 12)
  expect(mcnemarExact(3, 3)).toBe(1)
  expect(mcnemarExact(900, 1100)).toBeLessThan(1e-4)
})

it("Holm's adjustment keeps the order and multiplies by what is left", () => {
  const [a, b, c] = holmAdjusted([0.04, 0.01, 0.03])
  expect(a).toBeCloseTo(0.06, 12)
  expect(b).toBeCloseTo(0.03, 12)
  expect(c).toBeCloseTo(0.06, 12)
  expect(holmAdjusted([0.9, 0.8])).toEqual([1, 1])
})

describe('the grouped bootstrap', () => {
  it('comes to the interval of the normal distribution for one group', () => {
    const random = createRandom(8)
    const values = Array.from({ length: 400 }, () => random.normal())
    const mean = values.reduce((s, x) => s + x, 0) / 400
    const std = Math.sqrt(values.reduce((s, x) => s + (x - mean) ** 2, 0) / 400)
    const b = groupedBootstrap([values], 1)
    expect(b.mean).toBeCloseTo(mean, 12)
    const half = (1.96 * std) / 20
    expect(Math.abs(b.low - (mean - half))).toBeLessThan(0.15 * half)
    expect(Math.abs(b.high - (mean + half))).toBeLessThan(0.15 * half)
  })

  it('does not take the views of one patient for independent', () => {
    const groups = [-1, 0, 1, 2].map(x => new Array<number>(100).fill(x))
    const b = groupedBootstrap(groups, 1)
    // Four values, not four hundred: the standard error is 0.56, not 0.056.
    expect(b.high - b.low).toBeGreaterThan(1.5)
    expect(groupedBootstrap(groups, 1)).toEqual(b)
    expect(() => groupedBootstrap([], 1)).toThrow(/no value/)
  })
})
