import { createRandom, type Image, PAPER_DETECTOR, VIEWS_LEVELS } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { heldByLandmarks } from '../src/register/held-by-landmarks.js'
import { workingView } from '../src/register/refine.js'

const [WIDTH, HEIGHT] = PAPER_DETECTOR.size

const imageOf = (f: (u: number, v: number) => number): Image => ({
  width: WIDTH,
  height: HEIGHT,
  data: Float32Array.from({ length: WIDTH * HEIGHT }, (_, i) => f(i % WIDTH, Math.floor(i / WIDTH)))
})
const weightsOf = (image: Image) =>
  workingView({ image, detector: PAPER_DETECTOR, hypotheses: [], landmarks: [] }, []).weights!.data

/** Least and mean weight of the pixels that a predicate holds for. */
function weightsWhere(weights: ArrayLike<number>, holds: (u: number, v: number) => boolean) {
  const of = Array.from(weights).filter((_, i) => holds(i % WIDTH, Math.floor(i / WIDTH)))
  return { least: Math.min(...of), mean: of.reduce((s, w) => s + w, 0) / of.length }
}

const body = (u: number, v: number) => 4.5 + 0.8 * Math.cos((u - 120) / 50) + 0.4 * Math.sin(v / 17)
const depth = (u: number, v: number) => Math.min(u - 31, 208 - u, v - 25, 160 - v)

describe('what of an X-ray counts', () => {
  it('is what lies between the collimator’s blades, behind which there is noise alone', () => {
    const random = createRandom(5)
    const weights = weightsOf(
      imageOf((u, v) => (depth(u, v) > 0 ? body(u, v) + 0.05 * random.normal() : random.uniform(8, 12)))
    )
    expect(weightsWhere(weights, (u, v) => depth(u, v) < -6).mean).toBeLessThan(0.02)
    expect(weightsWhere(weights, (u, v) => depth(u, v) > 12).mean).toBeGreaterThan(0.9)
  })

  it('is a thick patient too, though beside the open beam it looks like a blade: it has hardly any noise', () => {
    const random = createRandom(6)
    // Dense structure about a bright field; what an exposed field is found by is the same as above.
    const weights = weightsOf(
      imageOf((u, v) =>
        depth(u, v) > 0
          ? body(u, v) + 0.05 * random.normal()
          : 10 + 1.2 * Math.sin(u / 6) * Math.sin(v / 5) + 0.05 * random.normal()
      )
    )
    expect(weightsWhere(weights, (u, v) => depth(u, v) < -6).mean).toBeGreaterThan(0.9)
  })

  it('is the less the noisier a part is, in proportion to the variance', () => {
    const random = createRandom(7)
    const sd = (v: number) => (v < 60 ? 1.2 : 0.2)
    const weights = weightsOf(imageOf((u, v) => body(u, v) + sd(v) * random.normal()))
    const noisy = weightsWhere(weights, (_, v) => v < 50).mean
    const quiet = weightsWhere(weights, (_, v) => v > 70 && v < HEIGHT - 6).mean
    expect(quiet).toBeGreaterThan(0.9)
    // Variances 36 : 1; up to twice the usual counts in full.
    expect(noisy).toBeGreaterThan(1 / 36)
    expect(noisy).toBeLessThan(4 / 36)
  })
})

describe('landmarks', () => {
  const weights = (share: number) => heldByLandmarks(VIEWS_LEVELS, share).map(l => l.landmarkWeight ?? 0)

  it('hold the pose as the levels say where most of the picture can be compared', () => {
    expect(heldByLandmarks(VIEWS_LEVELS, 0.4)).toBe(VIEWS_LEVELS)
    expect(heldByLandmarks(VIEWS_LEVELS, 1)).toBe(VIEWS_LEVELS)
  })

  it('hold it ever more, to the last level, the less that is', () => {
    const shares = [0.4, 0.3, 0.2, 0.1, 0.05]
    const all = shares.map(weights)
    for (let i = 1; i < shares.length; i++)
      all[i].forEach((w, level) => expect(w).toBeGreaterThan(all[i - 1][level]))
    // Four times what the level says, and three parts of what holds at every level.
    expect(all[3][0] - 4 * all[0][0]).toBeCloseTo(all[3].at(-1)! - 4 * all[0].at(-1)!, 12)
    expect(weights(0)).toEqual(weights(0.01))
  })
})
