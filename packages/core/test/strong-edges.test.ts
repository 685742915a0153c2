import { describe, expect, it } from 'vitest'
import type { Image } from '../src/image/image.js'
import { createRandom } from '../src/random/random.js'
import { patchCorrelation } from '../src/registration/similarity/patch-correlation.js'
import { holdBack } from '../src/registration/similarity/strong-edges.js'

const [W, H] = [48, 36]
const random = createRandom(8)
const image = (f: (x: number, y: number) => number): Image => ({
  width: W,
  height: H,
  data: Float32Array.from({ length: W * H }, (_, i) => f(i % W, Math.floor(i / W)))
})
const waves = (phase: number) =>
  image((x, y) => Math.sin(0.5 * x + phase) + Math.cos(0.4 * y - phase) + 0.5 * Math.sin(0.031 * x * y))

describe('strong edges', () => {
  const u = Float32Array.from({ length: 500 }, (_, i) => (i % 50 === 0 ? 100 : 1) * random.normal())
  const v = Float32Array.from({ length: 500 }, (_, i) => (i % 50 === 0 ? 100 : 1) * random.normal())
  const energy = (i: number, [a, b]: readonly Float32Array[]) => a[i] ** 2 + b[i] ** 2

  it('have at most the root of the limit, weak ones stay, directions do', () => {
    const [a, b] = [u.slice(), v.slice()]
    holdBack(a, b, new Float32Array(500).fill(1), 2)
    const median = Array.from(u, (_, i) => energy(i, [u, v])).sort((x, y) => x - y)[250]
    for (let i = 0; i < 500; i++) {
      const before = energy(i, [u, v])
      // By the formula, worked out here.
      expect(energy(i, [a, b])).toBeCloseTo(before / (1 + before / (2 * median)), 3)
      expect(energy(i, [a, b])).toBeLessThan(2 * median)
      expect(a[i] * v[i] - b[i] * u[i]).toBeCloseTo(0, 3)
    }
  })

  it('are measured against what counts alone', () => {
    const weights = Float32Array.from({ length: 500 }, (_, i) => Number(i % 50 !== 0))
    const [a, b, c, d] = [u.slice(), v.slice(), u.slice(), v.slice()]
    for (let i = 0; i < 500; i += 50) c[i] *= 1000
    holdBack(a, b, weights, 1)
    holdBack(c, d, weights, 1)
    for (let i = 1; i < 50; i++) expect(c[i]).toBeCloseTo(a[i], 6)
  })

  it('stay as they are without a limit, and where there are none', () => {
    const [a, b] = [u.slice(), v.slice()]
    holdBack(a, b, new Float32Array(500).fill(1), Number.POSITIVE_INFINITY)
    expect(a).toEqual(u)
    const flat = new Float32Array(10)
    holdBack(flat, flat, new Float32Array(10).fill(1), 1)
    expect([...flat].every(x => x === 0)).toBe(true)
  })
})

describe('patch correlation with strong edges held back', () => {
  const rod = (x: number, y: number) => Number(Math.abs(x - 0.6 * y - 14) < 2)
  const anatomy = waves(0.3)
  const withMetal = image((x, y) => anatomy.data[y * W + x] + 40 * rod(x, y))
  const options = { patch: 12 }

  it('sees the anatomy beside metal', () => {
    const plain = patchCorrelation(withMetal, options)(anatomy)
    const held = patchCorrelation(withMetal, { ...options, strong: 1 })(anatomy)
    expect(held).toBeGreaterThan(plain + 0.1)
    // And still tells it from another.
    expect(held).toBeGreaterThan(patchCorrelation(withMetal, { ...options, strong: 1 })(waves(1.9)) + 0.3)
  })

  it('has the derivatives that finite differences have', () => {
    const directions = Array.from({ length: 6 }, (_, k) => waves(k))
    const measure = patchCorrelation(withMetal, { ...options, strong: 1, outlier: 0.5 })
    const at = (step: number, k: number) =>
      image((x, y) => anatomy.data[y * W + x] + step * directions[k].data[y * W + x])
    const { gradient } = measure.model({ image: anatomy, derivatives: directions.map(d => d.data) })
    for (let k = 0; k < 6; k++)
      expect(gradient[k]).toBeCloseTo((measure(at(1e-2, k)) - measure(at(-1e-2, k))) / 2e-2, 3)
  })
})
