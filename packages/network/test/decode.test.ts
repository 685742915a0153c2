import { createRandom } from '@raypose/core'
import { describe, expect, test } from 'vitest'
import {
  binsPerLandmark,
  compactSpec,
  cpmSpec,
  decode,
  encodeTargets,
  mapSize,
  normaliseInput
} from '../src/index.js'

const spec = compactSpec(2)
const bins = binsPerLandmark(spec)
const cells = bins - 1

describe('targets', () => {
  test('sum to 1 for every landmark; outside the image only the absent bin is set', () => {
    const t = encodeTargets(spec, [100.3, 50.2, -3, 50], 4.4)
    expect(t.subarray(0, bins).reduce((a, b) => a + b)).toBeCloseTo(1, 5)
    expect(t[cells]).toBe(0)
    expect(t[bins + cells]).toBe(1)
    expect(t.subarray(bins, bins + cells).every(x => x === 0)).toBe(true)
  })

  test('have the mean and the spread of the Gaussian they stand for', () => {
    const [u, v, sigma] = [101.3, 87.9, 6]
    const t = encodeTargets(spec, [u, v, Number.NaN, 0], sigma)
    const { width } = mapSize(spec)
    const moments = [0, 0, 0]
    for (let i = 0; i < cells; i++) {
      const [x, y] = [4 * (i % width) + 1.5, 4 * Math.floor(i / width) + 1.5]
      moments[0] += t[i] * x
      moments[1] += t[i] * y
      moments[2] += t[i] * (x - u) ** 2
    }
    expect(moments[0]).toBeCloseTo(u, 3)
    expect(moments[1]).toBeCloseTo(v, 3)
    expect(Math.sqrt(moments[2])).toBeCloseTo(sigma, 3)
    expect(t[bins + cells]).toBe(1)
  })

  test('a sigma far below the stride still gives a distribution', () => {
    const t = encodeTargets(spec, [3.4, 3.6, 239, 187], 0.01)
    expect(t.subarray(0, bins).reduce((a, b) => a + b)).toBeCloseTo(1, 6)
    expect(t.subarray(bins).reduce((a, b) => a + b)).toBeCloseTo(1, 6)
  })

  test('cpm: a Gaussian of height 1 at a cell centre, zeros outside the image', () => {
    const cpm = cpmSpec(2)
    const t = encodeTargets(cpm, [8 * 5 + 3.5, 8 * 7 + 3.5, 500, 10], 8)
    expect(t[7 * 30 + 5]).toBe(1)
    expect(t[7 * 30 + 6]).toBeCloseTo(Math.exp(-0.5), 6)
    expect(t.subarray(720).every(x => x === 0)).toBe(true)
  })

  test('wrong arguments are refused', () => {
    expect(() => encodeTargets(spec, [1, 2], 4)).toThrowError(expect.objectContaining({ code: 'argument' }))
    expect(() => encodeTargets(spec, [1, 2, 3, 4], 0)).toThrowError(
      expect.objectContaining({ code: 'argument' })
    )
  })
})

describe('decoding', () => {
  test('finds the centre of a Gaussian to a fraction of a cell', () => {
    const random = createRandom(4)
    for (let i = 0; i < 200; i++) {
      const points = [0, 1].flatMap(() => [random.uniform(15, 220), random.uniform(15, 170)])
      const logits = encodeTargets(spec, points, 3).map(p => Math.log(p + 1e-12))
      const found = decode(spec, logits)
      found.forEach((d, k) => {
        // The window of five cells is centred on the largest; its cut of the tails moves the mean by less than this.
        expect(Math.hypot(d.u - points[2 * k], d.v - points[2 * k + 1])).toBeLessThan(0.2)
        expect(d.confidence).toBeGreaterThan(0.95)
      })
    }
  })

  test('the spread is that of the belief', () => {
    for (const sigma of [3, 4, 5]) {
      const [d] = decode(
        spec,
        encodeTargets(spec, [101.5, 81.5, 50, 50], sigma).map(p => Math.log(p + 1e-30))
      )
      // Cut at 14 pixels, a Gaussian of 5 loses 3 % of its standard deviation.
      expect(d.spread! / sigma).toBeGreaterThan(0.95)
      expect(d.spread! / sigma).toBeLessThan(1.001)
    }
  })

  test('confidence is the probability in the window; the rest may lie elsewhere or be absent', () => {
    const logits = new Float32Array(2 * bins).fill(-100)
    logits[61] = Math.log(0.3)
    logits[cells] = Math.log(0.7)
    logits[bins + 200] = Math.log(0.6)
    logits[bins + 1500] = Math.log(0.4)
    const [absent, split] = decode(spec, logits)
    expect(absent.confidence).toBeCloseTo(0.3, 6)
    expect(absent.u).toBeCloseTo(5.5, 6)
    expect(absent.v).toBeCloseTo(5.5, 6)
    expect(split.confidence).toBeCloseTo(0.6, 6)
  })

  test('an overwhelming absent bin gives confidence 0, not NaN', () => {
    const logits = new Float32Array(2 * bins)
    logits[cells] = 5000
    expect(decode(spec, logits)[0].confidence).toBe(0)
  })

  test('cpm: the peak of the map is the confidence', () => {
    const cpm = cpmSpec(1)
    const [d] = decode(cpm, encodeTargets(cpm, [100, 80], 8))
    expect(d.u).toBeCloseTo(100, 3)
    expect(d.v).toBeCloseTo(80, 3)
    expect(d.confidence).toBeGreaterThan(0.8)
    expect(decode(cpm, new Float32Array(720).fill(-1))[0].confidence).toBe(0)
  })
})

describe('input normalisation', () => {
  test('zero mean, unit deviation, last row repeated, whatever the linear scale', () => {
    const random = createRandom(9)
    const image = Float32Array.from({ length: 240 * 188 }, () => random.uniform(-2, 9))
    const input = normaliseInput(spec, image)
    const inside = input.subarray(0, image.length)
    const mean = inside.reduce((a, b) => a + b) / image.length
    const variance = inside.reduce((a, b) => a + (b - mean) ** 2, 0) / image.length
    expect(mean).toBeCloseTo(0, 4)
    expect(variance).toBeCloseTo(1, 4)
    for (let y = 188; y < 192; y++)
      expect(input.subarray(240 * y, 240 * (y + 1))).toEqual(input.subarray(240 * 187, 240 * 188))
    const scaled = normaliseInput(
      spec,
      image.map(x => 3 * x + 50)
    )
    scaled.forEach((x, i) => {
      if (Math.abs(x - input[i]) > 1e-4) expect(x).toBeCloseTo(input[i], 4)
    })
  })

  test('a flat image becomes zeros and a wrong size is refused', () => {
    expect(normaliseInput(spec, new Float32Array(240 * 188).fill(3)).every(x => x === 0)).toBe(true)
    expect(() => normaliseInput(spec, new Float32Array(10))).toThrowError(
      expect.objectContaining({ code: 'argument' })
    )
  })
})
