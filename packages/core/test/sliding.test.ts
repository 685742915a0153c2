import { describe, expect, it } from 'vitest'
import {
  ArgumentError,
  createRandom,
  createSlidingMatcher,
  type EdgeField,
  edgeAgreement,
  edgeField,
  type Image
} from '../src/index.js'
import { holdBack } from '../src/registration/similarity/strong-edges.js'

/** Blobs of different sizes. */
function picture(width: number, height: number, seed: number): Image {
  const random = createRandom(seed)
  const blobs = Array.from({ length: 12 }, () => ({
    x: random.uniform(0, width),
    y: random.uniform(0, height),
    r: random.uniform(2, 8),
    a: random.uniform(-1, 1)
  }))
  const data = Float32Array.from({ length: width * height }, (_, i) =>
    blobs.reduce(
      (s, b) =>
        s +
        b.a * Math.exp(-(((i % width) - b.x) ** 2 + (Math.floor(i / width) - b.y) ** 2) / (2 * b.r * b.r)),
      0
    )
  )
  return { width, height, data }
}

const crop = ({ width, data }: Image, x0: number, y0: number, w: number, h: number): Image => ({
  width: w,
  height: h,
  data: Float32Array.from({ length: w * h }, (_, i) => data[(y0 + Math.floor(i / w)) * width + x0 + (i % w)])
})

const part = (f: EdgeField, x0: number, y0: number, w: number, h: number): EdgeField => {
  const of = (data: Float32Array) => crop({ width: f.width, height: f.height, data }, x0, y0, w, h).data
  return { width: w, height: h, u: of(f.u), v: of(f.v), weights: of(f.weights) }
}

describe('edges', () => {
  it('do not depend on contrast and brightness', () => {
    const image = picture(40, 30, 1)
    const other = { ...image, data: image.data.map(x => 5 * x + 3) }
    const [a, b] = [edgeField(image), edgeField(other)]
    for (let i = 0; i < a.u.length; i++) {
      expect(b.u[i]).toBeCloseTo(a.u[i], 3)
      expect(b.v[i]).toBeCloseTo(a.v[i], 3)
    }
  })

  it('of a ramp are none: the slope that thickness gives all of a picture says nothing', () => {
    const image = {
      width: 20,
      height: 20,
      data: Float32Array.from({ length: 400 }, (_, i) => (i % 20) + 3 * Math.floor(i / 20))
    }
    const { u, v } = edgeField(image)
    for (let y = 4; y < 16; y++)
      for (let x = 4; x < 16; x++) expect(Math.hypot(u[y * 20 + x], v[y * 20 + x])).toBeLessThan(1e-5)
    // A step on a ramp is one, across it.
    const stepped = image.data.map((_, i) => (i % 20 < 10 ? i % 20 : (i % 20) + 5))
    const step = edgeField({ ...image, data: stepped })
    expect(step.u[10 * 20 + 10]).toBeGreaterThan(0.5)
    expect(step.v[10 * 20 + 10]).toBe(0)
  })

  it('are less the mean of the square about them, in units of their root mean square there', () => {
    const image = picture(40, 30, 5)
    const weights = Float32Array.from({ length: 1200 }, (_, i) =>
      (i % 40) + Math.floor(i / 40) < 8 ? 0 : 1 - (i % 7) / 10
    )
    const field = edgeField(image, weights)
    // By the formula, pixel by pixel.
    const sobel = (x: number, y: number, along: 'u' | 'v') => {
      const at = (dx: number, dy: number) => image.data[(y + dy) * 40 + x + dx]
      const [p, q] = along === 'u' ? [1, 0] : [0, 1]
      const side = (sign: number) =>
        [-1, 0, 1].reduce((s, t) => s + (t === 0 ? 2 : 1) * at(sign * p + t * q, sign * q + t * p), 0)
      return side(1) - side(-1)
    }
    const u = new Float32Array(1200)
    const v = new Float32Array(1200)
    for (let y = 1; y < 29; y++)
      for (let x = 1; x < 39; x++) {
        u[y * 40 + x] = sobel(x, y, 'u')
        v[y * 40 + x] = sobel(x, y, 'v')
      }
    const counts = field.weights
    holdBack(u, v, counts, 0.2)
    const mean = (of: (i: number) => number, x: number, y: number) => {
      let [sum, n] = [0, 0]
      for (let j = y - 2; j <= y + 2; j++)
        for (let i = x - 2; i <= x + 2; i++) {
          sum += counts[j * 40 + i] * of(j * 40 + i)
          n += counts[j * 40 + i]
        }
      return sum / n
    }
    // Ratios, for the floor is a mean over the picture: u : v, and how both compare with the square's energy.
    for (const [x, y] of [
      [12, 11],
      [20, 15],
      [30, 22]
    ]) {
      const i = y * 40 + x
      const [du, dv] = [u[i] - mean(k => u[k], x, y), v[i] - mean(k => v[k], x, y)]
      expect(field.u[i] * dv).toBeCloseTo(field.v[i] * du, 4)
      const energy = mean(
        k => {
          const [kx, ky] = [k % 40, Math.floor(k / 40)]
          return (u[k] - mean(q => u[q], kx, ky)) ** 2 + (v[k] - mean(q => v[q], kx, ky)) ** 2
        },
        x,
        y
      )
      const strength = Math.hypot(field.u[i], field.v[i]) / Math.hypot(du, dv)
      expect(strength).toBeLessThan(1 / Math.sqrt(energy))
      // The floor is three hundredths of the mean energy of all, which blobs have unevenly.
      expect(strength).toBeGreaterThan(0.5 / Math.sqrt(energy))
    }
  })

  it('that are far stronger than the others are held back', () => {
    const image = picture(60, 60, 2)
    const metal = { ...image, data: image.data.map((x, i) => (i % 60 > 28 && i % 60 < 32 ? x + 100 : x)) }
    const field = edgeField(metal)
    expect(Math.max(...field.u.map(Math.abs))).toBeLessThan(3)
    // Away from it the edges are those of the picture.
    const plain = edgeField(image)
    const left = (f: EdgeField) => part(f, 3, 3, 18, 54)
    const own = (f: EdgeField) => edgeAgreement(left(f), left(f))
    expect(edgeAgreement(left(plain), left(field))).toBeGreaterThan(0.9 * Math.sqrt(own(plain) * own(field)))
  })

  it('are none at and beside what does not count, nor in a constant image', () => {
    const image = picture(30, 30, 3)
    const weights = new Float32Array(900).fill(1)
    weights[15 * 30 + 15] = 0
    const field = edgeField(image, weights)
    for (const [x, y] of [
      [15, 15],
      [14, 14],
      [16, 15]
    ]) {
      expect(field.weights[y * 30 + x]).toBe(0)
      expect(field.u[y * 30 + x]).toBe(0)
    }
    expect(field.weights[12 * 30 + 15]).toBe(1)
    const flat = edgeField({ width: 10, height: 10, data: new Float32Array(100).fill(7) })
    expect([...flat.u, ...flat.v].every(x => x === 0)).toBe(true)
    expect(edgeAgreement(flat, flat)).toBe(0)
  })

  it('of pictures of different sizes are not compared', () => {
    const f = edgeField(picture(20, 20, 4))
    expect(() => edgeAgreement(f, part(f, 0, 0, 10, 20))).toThrow(ArgumentError)
  })
})

describe('sliding', () => {
  const window = { width: 37, height: 22, across: 5, down: 3 }
  const large = [1, 2, 3].map(seed => picture(47, 28, seed))
  // Weights that vary, and a part that does not count.
  const weightsOf = (w: number, h: number, seed: number) => {
    const random = createRandom(seed)
    return Float32Array.from({ length: w * h }, (_, i) => (i % w < 4 ? 0 : random.uniform(0.2, 1)))
  }
  const fields = large.map((image, k) => edgeField(image, weightsOf(47, 28, k)))

  it('scores every place as the agreement of the field with that part of the picture', () => {
    const fixed = edgeField(picture(37, 22, 9), weightsOf(37, 22, 9))
    const matches = createSlidingMatcher(fields, 3, window).match(fixed, 1000)
    expect(matches.length).toBeGreaterThan(10)
    for (const { picture: k, u, v, score } of matches) {
      const expected = edgeAgreement(fixed, part(fields[k], 5 + u, 3 + v, 37, 22))
      expect(score).toBeCloseTo(expected, 5)
    }
    // The best place of each picture is the best of all its places.
    fields.forEach((field, k) => {
      let best = Number.NEGATIVE_INFINITY
      for (let v = -3; v <= 3; v++)
        for (let u = -5; u <= 5; u++)
          best = Math.max(best, edgeAgreement(fixed, part(field, 5 + u, 3 + v, 37, 22)))
      const found = Math.max(...matches.filter(m => m.picture === k).map(m => m.score))
      expect(found).toBeCloseTo(best, 5)
    })
  })

  it.each([
    [0, 0, 0],
    [1, -5, 3],
    [2, 4, -3]
  ])('finds where a part of picture %i was, %i and %i pixels from its middle', (k, u, v) => {
    const fixed = edgeField(crop(large[k], 5 + u, 3 + v, 37, 22))
    const matches = createSlidingMatcher(
      large.map(image => edgeField(image)),
      3,
      window
    ).match(fixed)
    expect(matches[0]).toMatchObject({ picture: k, u, v })
    const other = matches.find(m => m.picture !== k)?.score ?? 0
    expect(matches[0].score).toBeGreaterThan(1.5 * other)
  })

  it('keeps places of one picture apart, and no more than wanted', () => {
    const fixed = edgeField(picture(37, 22, 9))
    const matches = createSlidingMatcher(fields, 3, window).match(fixed, 2)
    for (const k of [0, 1, 2]) {
      const own = matches.filter(m => m.picture === k)
      expect(own.length).toBeLessThanOrEqual(2)
      if (own.length === 2) expect(Math.hypot(own[0].u - own[1].u, own[0].v - own[1].v)).toBeGreaterThan(2.5)
    }
  })

  it('refuses pictures and fields of other sizes', () => {
    expect(() => createSlidingMatcher(fields, 3, { ...window, across: 6 })).toThrow(ArgumentError)
    expect(() => createSlidingMatcher(fields, 2, window)).toThrow(ArgumentError)
    expect(() => createSlidingMatcher(fields, 3, window).match(edgeField(picture(36, 22, 1)))).toThrow(
      ArgumentError
    )
  })
})
