import { describe, expect, it } from 'vitest'
import { ArgumentError } from '../src/errors.js'
import { createImage, type Image } from '../src/image/image.js'
import { createRandom } from '../src/random/random.js'
import { gradientNcc, sobel } from '../src/registration/similarity/gradient-ncc.js'
import { localNcc } from '../src/registration/similarity/local-ncc.js'
import { ncc } from '../src/registration/similarity/ncc.js'
import type { SimilarityFactory } from '../src/registration/similarity/similarity.js'

const random = createRandom(1)
const noise = (width: number, height: number): Image => ({
  width,
  height,
  data: Float32Array.from({ length: width * height }, () => random.normal())
})
const map = (image: Image, f: (x: number, i: number) => number): Image => ({
  ...image,
  data: image.data.map(f)
})

/** Correlation as the textbook has it, over the given pixels. */
function plainCorrelation(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  pixels: number[],
  w?: ArrayLike<number>
) {
  const weight = (i: number) => (w ? w[i] : 1)
  const sum = pixels.reduce((s, i) => s + weight(i), 0)
  const mean = (x: ArrayLike<number>) => pixels.reduce((s, i) => s + weight(i) * x[i], 0) / sum
  const [ma, mb] = [mean(a), mean(b)]
  const moment = (x: ArrayLike<number>, mx: number, y: ArrayLike<number>, my: number) =>
    pixels.reduce((s, i) => s + weight(i) * (x[i] - mx) * (y[i] - my), 0)
  return {
    covariance: moment(a, ma, b, mb) / sum,
    va: moment(a, ma, a, ma) / sum,
    vb: moment(b, mb, b, mb) / sum
  }
}

const all: [string, SimilarityFactory][] = [
  ['ncc', ncc],
  ['localNcc', localNcc],
  ['gradientNcc', gradientNcc]
]

describe.each(all)('%s', (_, similarity) => {
  const fixed = noise(31, 23)
  const other = noise(31, 23)

  it('is 1 for the image itself, −1 for its negative, whatever the gain and offset', () => {
    // The local one lacks what its floor takes: the floor's share of each patch's variance.
    expect(similarity(fixed)(fixed)).toBeCloseTo(1, 3)
    expect(similarity(fixed)(map(fixed, x => 3 * x + 10))).toBeCloseTo(1, 3)
    expect(similarity(fixed)(map(fixed, x => -0.2 * x + 7))).toBeCloseTo(-1, 3)
    const before = similarity(fixed)(other)
    expect(similarity(fixed)(map(other, x => 5 * x - 2))).toBeCloseTo(before, 5)
  })

  it('is symmetric, and lower for a shifted image', () => {
    expect(similarity(fixed)(other)).toBeCloseTo(similarity(other)(fixed), 6)
    const shifted = map(fixed, (x, i) => (i % 31 < 4 ? x : fixed.data[i - 4]))
    expect(similarity(fixed)(shifted)).toBeLessThan(0.5)
  })

  it('is 0, never NaN, for constant images, large or small', () => {
    for (const c of [0, 1, 1e6, 0.1]) {
      const constant = map(fixed, () => c)
      expect(similarity(fixed)(constant)).toBe(0)
      expect(similarity(constant)(fixed)).toBe(0)
      expect(similarity(constant)(constant)).toBe(0)
    }
  })

  it('gives the same again: nothing is left over from the last image', () => {
    const measure = similarity(fixed)
    const once = measure(other)
    measure(noise(31, 23))
    expect(measure(other)).toBe(once)
  })

  it('ignores pixels of weight 0, whatever they hold', () => {
    const weights = fixed.data.map((_, i) => (i % 31 < 16 ? 1 : 0))
    const spoil = (image: Image) => map(image, (x, i) => (i % 31 >= 16 ? 100 * random.normal() : x))
    const expected = similarity(fixed, { weights })(other)
    expect(similarity(fixed, { weights })(spoil(other))).toBeCloseTo(expected, 6)
    expect(similarity(spoil(fixed), { weights })(other)).toBeCloseTo(expected, 6)
    expect(similarity(fixed)(spoil(other))).not.toBeCloseTo(expected, 2)
    expect(similarity(fixed, { weights: weights.map(() => 0) })(other)).toBe(0)
  })

  it('refuses images and weights of another size', () => {
    expect(() => similarity(fixed)(noise(30, 23))).toThrow(ArgumentError)
    expect(() => similarity(fixed, { weights: [1, 2] })).toThrow(ArgumentError)
    expect(() => similarity(fixed, { weights: fixed.data.map(() => -1) })).toThrow(ArgumentError)
  })
})

describe('against plain implementations', () => {
  const [width, height] = [19, 16]
  const fixed = noise(width, height)
  const moving = map(fixed, x => 0.5 * x + random.normal() + 3)
  const weights = Float64Array.from({ length: width * height }, () => random.next())
  const everywhere = Array.from({ length: width * height }, (_, i) => i)

  it('ncc', () => {
    const { covariance, va, vb } = plainCorrelation(fixed.data, moving.data, everywhere, weights)
    expect(ncc(fixed, { weights })(moving)).toBeCloseTo(covariance / Math.sqrt(va * vb), 10)
  })

  it.each([1, 3])('localNcc with radius %i', radius => {
    const floor = 0.01
    const total = plainCorrelation(fixed.data, moving.data, everywhere, weights)
    let sum = 0
    let weight = 0
    for (let y = radius; y < height - radius; y++)
      for (let x = radius; x < width - radius; x++) {
        const patch: number[] = []
        for (let dy = -radius; dy <= radius; dy++)
          for (let dx = -radius; dx <= radius; dx++) patch.push((y + dy) * width + x + dx)
        const { covariance, va, vb } = plainCorrelation(fixed.data, moving.data, patch, weights)
        const w = patch.reduce((s, i) => s + weights[i], 0)
        sum += (w * covariance) / Math.sqrt((va + floor * total.va) * (vb + floor * total.vb))
        weight += w
      }
    expect(localNcc(fixed, { radius, floor, weights })(moving)).toBeCloseTo(sum / weight, 9)
  })

  it('gradientNcc', () => {
    const kernel = [
      [-1, 0, 1],
      [-2, 0, 2],
      [-1, 0, 1]
    ]
    const convolve = (image: Image, transposed: boolean) => {
      const out = new Float64Array(width * height)
      for (let y = 1; y < height - 1; y++)
        for (let x = 1; x < width - 1; x++)
          for (let b = 0; b < 3; b++)
            for (let a = 0; a < 3; a++)
              out[y * width + x] +=
                (transposed ? kernel[a][b] : kernel[b][a]) * image.data[(y + b - 1) * width + x + a - 1]
      return out
    }
    const inner = everywhere.filter(i => {
      const [x, y] = [i % width, Math.floor(i / width)]
      return x > 0 && y > 0 && x < width - 1 && y < height - 1
    })
    const least = everywhere.map(i =>
      Math.min(...[-1, 0, 1].flatMap(dy => [-1, 0, 1].map(dx => weights[i + dy * width + dx])))
    )
    const expected =
      [false, true]
        .map(t => plainCorrelation(convolve(fixed, t), convolve(moving, t), inner, least))
        .reduce((s, { covariance, va, vb }) => s + covariance / Math.sqrt(va * vb), 0) / 2
    expect(gradientNcc(fixed, { weights, smoothing: 0 })(moving)).toBeCloseTo(expected, 10)
  })

  it('gradientNcc after smoothing: the same as without it on images smoothed by a plain Gaussian', () => {
    const sigma = 1.2
    const blurred = (image: Image) =>
      map(image, (_, i) => {
        let s = 0
        let n = 0
        for (const j of everywhere) {
          const [dx, dy] = [(j % width) - (i % width), Math.floor(j / width) - Math.floor(i / width)]
          if (Math.max(Math.abs(dx), Math.abs(dy)) > Math.ceil(3 * sigma)) continue
          const w = weights[j] * Math.exp(-(dx * dx + dy * dy) / (2 * sigma * sigma))
          s += w * image.data[j]
          n += w
        }
        return s / n
      })
    const expected = gradientNcc(blurred(fixed), { weights, smoothing: 0 })(blurred(moving))
    expect(gradientNcc(fixed, { weights, smoothing: sigma })(moving)).toBeCloseTo(expected, 5)
  })

  it('sobel of a plane is 8 times its slopes', () => {
    const plane = map(createImage(width, height), (_, i) => 2 * (i % width) - 3 * Math.floor(i / width))
    const u = new Float64Array(width * height)
    const v = new Float64Array(width * height)
    sobel(plane, u, v)
    expect(u[width + 1]).toBe(16)
    expect(v[5 * width + 7]).toBe(-24)
  })

  it('localNcc refuses patches larger than the image', () => {
    expect(() => localNcc(fixed, { radius: 8 })).toThrow(ArgumentError)
    expect(() => localNcc(fixed, { radius: 1.5 })).toThrow(ArgumentError)
  })
})
