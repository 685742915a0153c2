import { describe, expect, it } from 'vitest'
import { ArgumentError } from '../src/errors.js'
import type { Image } from '../src/image/image.js'
import { createRandom } from '../src/random/random.js'
import { gradientFilter } from '../src/registration/similarity/filters.js'
import { mutualInformation } from '../src/registration/similarity/mutual-information.js'
import { ncc } from '../src/registration/similarity/ncc.js'
import {
  type PatchCorrelationOptions,
  patchCorrelation
} from '../src/registration/similarity/patch-correlation.js'

const random = createRandom(3)
const W = 40
const H = 30
const image = (f: (x: number, y: number) => number, width = W, height = H): Image => ({
  width,
  height,
  data: Float32Array.from({ length: width * height }, (_, i) => f(i % width, Math.floor(i / width)))
})
const noise = (amount = 1) => image(() => amount * random.normal())
/** Smooth and different everywhere. */
const waves = (a: number, b: number, c: number) =>
  image((x, y) => Math.sin(a * x + c) + Math.cos(b * y - c) + 0.3 * Math.sin(0.31 * x * b + 0.27 * y))
const combine = (parts: readonly (readonly [number, Image])[]): Image =>
  image((x, y) => parts.reduce((s, [w, i]) => s + w * i.data[y * W + x], 0))

/** Σ over half-overlapping patches of Σw·ρ, over Σ of all Σw: as the definition has it. */
function plainPatches(f: Image, m: Image, patch: number, weights: ArrayLike<number>): number {
  const half = patch / 2
  let value = 0
  let total = 0
  for (let y0 = 0; y0 < H - half; y0 += half)
    for (let x0 = 0; x0 < W - half; x0 += half) {
      const pixels: number[] = []
      for (let y = y0; y < Math.min(y0 + patch, H); y++)
        for (let x = x0; x < Math.min(x0 + patch, W); x++) pixels.push(y * W + x)
      const n = pixels.reduce((s, i) => s + weights[i], 0)
      const mean = (d: Float32Array) => pixels.reduce((s, i) => s + weights[i] * d[i], 0) / n
      const [mf, mm] = [mean(f.data), mean(m.data)]
      const moment = (a: Float32Array, ma: number, b: Float32Array, mb: number) =>
        pixels.reduce((s, i) => s + weights[i] * (a[i] - ma) * (b[i] - mb), 0)
      const rho =
        moment(f.data, mf, m.data, mm) /
        Math.sqrt(moment(f.data, mf, f.data, mf) * moment(m.data, mm, m.data, mm))
      value += n * rho
      total += n
    }
  return value / total
}

describe('gradientFilter', () => {
  it('is 1 for a unit ramp and 0 across it, smoothed or not, but at the rim', () => {
    for (const sigma of [0, 0.7, 1, 2]) {
      const filter = gradientFilter(W, H, sigma)
      const u = new Float32Array(W * H)
      const v = new Float32Array(W * H)
      filter.apply(image(x => 3 * x + 7).data, u, v)
      const { radius } = filter
      for (let y = radius; y < H - radius; y++)
        for (let x = radius; x < W - radius; x++) {
          expect(u[y * W + x]).toBeCloseTo(3, 4)
          expect(v[y * W + x]).toBeCloseTo(0, 4)
        }
    }
  })
})

describe('patchCorrelation', () => {
  const f = noise()
  const m = combine([
    [1, f],
    [0.8, noise()]
  ])
  const weights = Float32Array.from({ length: W * H }, () => random.uniform(0.2, 1))

  it('of values in one patch is NCC', () => {
    const similarity = patchCorrelation(f, {
      of: 'value',
      patch: Number.POSITIVE_INFINITY,
      floor: 0,
      weights
    })
    expect(similarity(m)).toBeCloseTo(ncc(f, { weights })(m), 6)
  })
  it('of values in patches is what the definition says', () => {
    for (const patch of [8, 10, 20])
      expect(patchCorrelation(f, { of: 'value', patch, floor: 0, weights })(m)).toBeCloseTo(
        plainPatches(f, m, patch, weights),
        5
      )
  })
  it('is 1 for the image itself whatever its gain and offset, in each patch', () => {
    const similarity = patchCorrelation(f, { patch: 10, floor: 0 })
    expect(similarity(image((x, y) => 5 * f.data[y * W + x] + 3))).toBeCloseTo(1, 5)
    expect(similarity(image((x, y) => -f.data[y * W + x]))).toBeCloseTo(-1, 5)
  })
  it('does not see pixels without weight', () => {
    const hidden = Float32Array.from({ length: W * H }, (_, i) => (i % W < 12 ? 0 : 1))
    const spoilt = image((x, y) => (x < 12 ? 100 * random.normal() : m.data[y * W + x]))
    for (const of of ['value', 'gradient'] as const)
      expect(patchCorrelation(f, { of, weights: hidden })(spoilt)).toBe(
        patchCorrelation(f, { of, weights: hidden })(m)
      )
    expect(patchCorrelation(f, { weights: new Float32Array(W * H) })(m)).toBe(0)
  })
  it('counts patches that do not fit less where told so', () => {
    const broken = image((x, y) => (x < 12 && y < 12 ? 5 * random.normal() : f.data[y * W + x]))
    const plain = patchCorrelation(f, { patch: 12 })(broken)
    expect(patchCorrelation(f, { patch: 12, outlier: 0.2 })(broken)).toBeGreaterThan(plain)
  })

  const fixed = waves(0.5, 0.4, 0)
  const base = combine([
    [1, waves(0.5, 0.4, 0.15)],
    [0.2, noise()]
  ])
  const derivatives = Array.from({ length: 6 }, (_, k) => waves(0.2 + 0.1 * k, 0.6 - 0.07 * k, k))
  const at = (x: ArrayLike<number>): Image =>
    combine([[1, base], ...derivatives.map((d, k): [number, Image] => [x[k], d])])
  const cases: PatchCorrelationOptions[] = [
    { of: 'value', patch: Number.POSITIVE_INFINITY, floor: 0 },
    { of: 'value', patch: 10, floor: 0.02, weights },
    { of: 'gradient', patch: 10, floor: 0.05, smoothing: 1 },
    { of: 'gradient', patch: Number.POSITIVE_INFINITY, smoothing: 0, outlier: 0.4, weights },
    { of: 'gradient', patch: 12, floor: 0.02, outlier: 0.3 }
  ]
  it('has the slopes that differences find', () => {
    for (const options of cases) {
      const similarity = patchCorrelation(fixed, options)
      const { value, gradient } = similarity.model({ image: base, derivatives: derivatives.map(d => d.data) })
      expect(value).toBeCloseTo(similarity(base), 10)
      const h = 2e-3
      for (let k = 0; k < 6; k++) {
        const unit = (s: number) => similarity(at(Array.from({ length: 6 }, (_, j) => (j === k ? s : 0))))
        expect(gradient[k]).toBeCloseTo((unit(h) - unit(-h)) / (2 * h), 4)
      }
    }
  })
  it('has the curvature that differences find, where the images fit', () => {
    for (const of of ['value', 'gradient'] as const) {
      const similarity = patchCorrelation(base, { of, patch: 10, floor: 0 })
      const { gradient, normal } = similarity.model({
        image: base,
        derivatives: derivatives.map(d => d.data)
      })
      const h = 0.02
      const value = (j: number, s: number, k: number, t: number) => {
        const x = new Float64Array(6)
        x[j] += s
        x[k] += t
        return similarity(at(x))
      }
      for (let j = 0; j < 6; j++) {
        expect(gradient[j]).toBeCloseTo(0, 6)
        for (let k = 0; k < 6; k++) {
          const second = value(j, h, k, h) - value(j, h, k, -h) - value(j, -h, k, h) + value(j, -h, k, -h)
          expect(-second / (4 * h * h) / normal[7 * j]).toBeCloseTo(normal[6 * j + k] / normal[7 * j], 1)
        }
      }
    }
  })
  it('knows how its gradient scatters: as much as over many draws of noise', () => {
    const draw = createRandom(17)
    const a = combine([
      [1, waves(0.5, 0.4, 0.2)],
      [0.5, waves(0.9, 0.8, 1.1)]
    ])
    const derivatives = [1, 2, 3, 4, 5, 6].map(k => waves(0.3 + 0.11 * k, 0.7 - 0.07 * k, k).data)
    const moving = { image: a, derivatives }
    const options: PatchCorrelationOptions = { of: 'value', patch: 6, floor: 0 }
    const gradients: Float64Array[] = []
    const scatter = new Float64Array(36)
    const DRAWS = 400
    for (let n = 0; n < DRAWS; n++) {
      const measure = patchCorrelation(
        image((x, y) => a.data[y * W + x] + 0.2 * draw.normal()),
        options
      )
      const { normal, gradient } = measure.model(moving)
      gradients.push(gradient)
      const spread = measure.spread(moving)
      expect(spread.normal).toEqual(normal)
      spread.scatter.forEach((x, i) => {
        scatter[i] += x / DRAWS
      })
    }
    for (let k = 0; k < 6; k++) {
      const mean = gradients.reduce((s, g) => s + g[k], 0) / DRAWS
      const variance = gradients.reduce((s, g) => s + (g[k] - mean) ** 2, 0) / (DRAWS - 1)
      // The rim's cells are in one patch or two, not in four, and patches that are normalised lose what they are normalised by.
      expect(scatter[7 * k] / variance).toBeGreaterThan(0.7)
      expect(scatter[7 * k] / variance).toBeLessThan(1.4)
    }
  })
  it('refuses patches and images that do not fit', () => {
    for (const patch of [3, 7, 2, 64]) expect(() => patchCorrelation(f, { patch })).toThrow(ArgumentError)
    expect(() => patchCorrelation(f)(image(() => 0, 20, 20))).toThrow(ArgumentError)
    expect(() => patchCorrelation(f, { weights: [1, 2] })).toThrow(ArgumentError)
  })
})

describe('mutualInformation', () => {
  const steps = image(x => x % 4)
  it('is the entropy of a few equally frequent values that go together, whatever their order', () => {
    const similarity = mutualInformation(steps, { bins: 4 })
    expect(similarity(steps)).toBeCloseTo(Math.log(4), 6)
    expect(similarity(image(x => [7, 1, 5, 3][x % 4]))).toBeCloseTo(Math.log(4), 6)
    expect(similarity(image(x => Math.floor((x % 4) / 2)))).toBeCloseTo(Math.log(2), 6)
  })
  it('is 0 for values that have nothing to do with each other, and for a constant', () => {
    const similarity = mutualInformation(steps, { bins: 4 })
    expect(similarity(image((_, y) => y % 3))).toBeCloseTo(0, 6)
    expect(similarity(image(() => 5))).toBe(0)
  })
  it('does not see pixels without weight', () => {
    const weights = Float32Array.from({ length: W * H }, (_, i) => (i % W < 20 ? 1 : 0))
    const spoilt = image(x => (x < 20 ? x % 4 : 100 * random.normal()))
    expect(mutualInformation(steps, { bins: 4, weights })(spoilt)).toBeCloseTo(Math.log(4), 6)
  })
})
