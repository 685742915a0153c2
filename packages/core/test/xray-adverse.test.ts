import { describe, expect, it } from 'vitest'
import { createRandom } from '../src/random/random.js'
import { addPhotonNoise, adverseConditions } from '../src/xray/adverse.js'
import { augmentView } from '../src/xray/augment.js'

const [width, height] = [240, 188]
const pixels = width * height

describe('photon noise on line integrals', () => {
  /** The left three fifths behind `thick`, the rest behind `thin`: the median is the thick part. */
  const parts = (thick: number, thin: number) =>
    Float32Array.from({ length: pixels }, (_, i) => (i % width < 0.6 * width ? thick : thin))
  const counts = (data: Float32Array, open: number, left: boolean) =>
    Array.from(data)
      .filter((_, i) => i % width < 0.6 * width === left)
      .map(x => open * Math.exp(-x))
  const moments = (x: readonly number[]) => {
    const mean = x.reduce((s, v) => s + v, 0) / x.length
    return { mean, variance: x.reduce((s, v) => s + (v - mean) ** 2, 0) / (x.length - 1) }
  }

  it.each([0, 12])(
    'has the mean and variance of counted photons, electronics of %d photons',
    electronicNoise => {
      const data = parts(4, 2)
      addPhotonNoise(data, { photons: 900, electronicNoise }, createRandom(5))
      const open = 900 / Math.exp(-4)
      for (const [left, expected] of [
        [true, 900],
        [false, 900 * Math.exp(2)]
      ] as const) {
        const { mean, variance } = moments(counts(data, open, left))
        expect(mean / expected).toBeCloseTo(1, 2)
        expect(variance / (expected + electronicNoise ** 2)).toBeGreaterThan(0.94)
        expect(variance / (expected + electronicNoise ** 2)).toBeLessThan(1.06)
      }
    }
  )

  it('never shows less than one photon', () => {
    const data = parts(1, 14)
    addPhotonNoise(data, { photons: 50, electronicNoise: 3 }, createRandom(1))
    const open = 50 / Math.exp(-1)
    expect(data.every(x => x <= Math.log(open) + 1e-4)).toBe(true)
  })
})

describe('adverse conditions', () => {
  const patient = () =>
    Float32Array.from({ length: pixels }, (_, i) => 3 + Math.sin(i / 400) + 0.5 * Math.cos((i % width) / 9))

  it('are many: metal, borders, noise, each in some images and not in all, and the seed repeats them', () => {
    let metal = 0
    let bordered = 0
    let open = 0
    for (let seed = 0; seed < 36; seed++) {
      const data = patient()
      adverseConditions(data, width, height, createRandom(seed))
      expect(data.every(Number.isFinite)).toBe(true)
      const again = patient()
      adverseConditions(again, width, height, createRandom(seed))
      expect(again).toEqual(data)
      const least = data.reduce((a, b) => Math.min(a, b))
      const atLeast = data.filter(x => x === least).length / pixels
      // A window cuts at most a twentieth; more at the least value is a border.
      if (atLeast > 0.08) bordered++
      if (atLeast < 0.06) open++
      // The patient ends at 4.5: beyond twice that are metal and blades.
      if (data.some(x => x > 9)) metal++
    }
    for (const count of [metal, bordered, open]) expect(count).toBeGreaterThan(1)
  })

  it('come in the share of training images that is asked for', () => {
    const view = {
      width,
      height,
      bone: new Float32Array(pixels),
      soft: patient(),
      points: Float32Array.from([120, 90])
    }
    // At strength 0 an image is as rendered, unless it is one of the hard ones.
    const plain = augmentView(view, createRandom(1), { strength: 0 }).image.data
    let hard = 0
    for (let seed = 0; seed < 200; seed++) {
      const { image } = augmentView(view, createRandom(seed), { strength: 0, adverse: 0.3 })
      if (image.data.some((x, i) => Math.abs(x - plain[i]) > 1e-6)) hard++
    }
    expect(hard).toBeGreaterThan(40)
    expect(hard).toBeLessThan(80)
  })
})
