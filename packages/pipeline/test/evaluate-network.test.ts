import { describe, expect, it } from 'vitest'
import { rankCorrelation } from '../src/evaluate/evaluate-network.js'

describe('rank correlation', () => {
  const pairs = (c: number[], e: number[]) => c.map((confidence, i) => ({ confidence, error: e[i] }))

  it('is −1 where confidence falls as the error grows, however', () => {
    expect(rankCorrelation(pairs([0.9, 0.5, 0.3, 0.1], [1, 2, 50, 51]))).toBeCloseTo(-1, 12)
    expect(rankCorrelation(pairs([0.1, 0.3, 0.5, 0.9], [1, 2, 50, 51]))).toBeCloseTo(1, 12)
  })

  it('is what one computes by hand, ties sharing their rank', () => {
    // Ranks of confidence 0, 1.5, 1.5, 3; of error 3, 2, 1, 0.
    expect(rankCorrelation(pairs([1, 2, 2, 3], [9, 8, 7, 6]))).toBeCloseTo(-4.5 / Math.sqrt(4.5 * 5), 12)
  })
})
