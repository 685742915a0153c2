import { describe, expect, it } from 'vitest'
import type { Image } from '../src/image/image.js'
import { createRandom } from '../src/random/random.js'
import { noiseShareIn, noiseWeights } from '../src/registration/noise-weights.js'

const WIDTH = 80
const HEIGHT = 60
const picture = (of: (x: number, y: number) => number): Image => ({
  width: WIDTH,
  height: HEIGHT,
  data: Float32Array.from({ length: WIDTH * HEIGHT }, (_, i) => of(i % WIDTH, Math.floor(i / WIDTH)))
})

describe('weights by noise', () => {
  it('are the reciprocal of the variance', () => {
    const random = createRandom(1)
    // Less than half of the picture is noisy, so that its median is the quiet part's.
    const sigma = (x: number) => (x < 50 ? 0.1 : 0.8)
    const image = picture((x, y) => 0.01 * x + 0.005 * y + sigma(x) * random.normal())
    const { data } = noiseWeights(image, { radius: 7 })
    const mean = (from: number, to: number) => {
      let [sum, n] = [0, 0]
      for (let y = 0; y < HEIGHT; y++) for (let x = from; x < to; x++, n++) sum += data[y * WIDTH + x]
      return sum / n
    }
    expect(mean(0, 40)).toBeGreaterThan(0.98)
    // Up to twice the usual variance counts 1.
    const expected = (2 * 0.1 ** 2) / 0.8 ** 2
    expect(mean(60, 80)).toBeGreaterThan(expected / 1.5)
    expect(mean(60, 80)).toBeLessThan(expected * 1.5)
  })

  it('take edges and smooth structure for no noise', () => {
    const step = noiseWeights(picture((x, y) => (x + 0.3 * y > 45 ? 3 : 1) + 0.2 * Math.sin(x / 6)))
    expect(Math.min(...step.data)).toBe(1)
  })

  it('look at what counts to tell what is usual', () => {
    const random = createRandom(2)
    const noisy = picture(x => (x < 60 ? 2 : 0.05) * random.normal())
    const inField = picture(x => (x < 60 ? 0 : 1))
    const at = (w: Image) => w.data[30 * WIDTH + 72]
    expect(at(noiseWeights(noisy, { weights: inField.data }))).toBeGreaterThan(0.5)
    expect(noiseWeights(noisy, { weights: inField.data }).data[30 * WIDTH + 20]).toBeLessThan(0.02)
  })
})

describe('the share of noise', () => {
  it('is that of its variance in all', () => {
    const random = createRandom(3)
    const image = picture((x, y) =>
      x < 40 ? 2 * Math.sin(x / 12) + 0.1 * random.normal() : 0.3 * random.normal() + 0.001 * y
    )
    // Variance of the sine over the part, by numbers.
    const sine = Array.from({ length: 34 }, (_, x) => 2 * Math.sin(x / 12))
    const mean = sine.reduce((s, v) => s + v, 0) / sine.length
    const spread = sine.reduce((s, v) => s + (v - mean) ** 2, 0) / sine.length
    const left = noiseShareIn(image, i => i % WIDTH < 34)
    expect(left).toBeGreaterThan((0.01 / (spread + 0.01)) * 0.6)
    expect(left).toBeLessThan((0.01 / (spread + 0.01)) * 1.6)
    expect(noiseShareIn(image, i => i % WIDTH >= 46)).toBeGreaterThan(0.75)
    expect(
      noiseShareIn(
        picture(() => 2),
        () => true
      )
    ).toBe(0)
  })
})
