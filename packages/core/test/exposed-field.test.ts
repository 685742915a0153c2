import { describe, expect, it } from 'vitest'
import { PAPER_DETECTOR } from '../src/geometry/camera.js'
import { exposedField } from '../src/image/exposed-field.js'
import type { Image } from '../src/image/image.js'
import { mirrorDetector, mirrorImage } from '../src/image/mirror.js'
import { percentiles } from '../src/image/percentiles.js'
import { toDetectorPixel } from '../src/image/resample-image.js'
import { createRandom } from '../src/random/random.js'

const WIDTH = 240
const HEIGHT = 188

const imageOf = (f: (u: number, v: number) => number): Image => ({
  width: WIDTH,
  height: HEIGHT,
  data: Float32Array.from({ length: WIDTH * HEIGHT }, (_, i) => f(i % WIDTH, Math.floor(i / WIDTH)))
})

/** Something like a thick pelvis: smooth, with a brighter ring, dense at the upper rim. */
const body = (u: number, v: number): number =>
  4.5 + 0.8 * Math.cos((u - 120) / 50) + 0.4 * Math.sin(v / 17) + (v < 40 && Math.abs(u - 120) < 30 ? 0.2 : 0)

/** Share of pixels on which a mask and a truth agree, those within 5 pixels of the truth's edge left out. */
function agreement(mask: Uint8Array, inside: (u: number, v: number) => number): number {
  let same = 0
  let count = 0
  for (let i = 0; i < mask.length; i++) {
    const depth = inside(i % WIDTH, Math.floor(i / WIDTH))
    if (Math.abs(depth) < 5) continue
    count++
    if (mask[i] === (depth > 0 ? 1 : 0)) same++
  }
  return same / count
}

const rectangle = (u: number, v: number) => Math.min(u - 31, 208 - u, v - 25, 160 - v)
const circle = (u: number, v: number) => 90 - Math.hypot(u - 125, v - 92)

describe('the exposed field', () => {
  it('is the whole image where there is no border, whatever leaves the image at its rim', () => {
    expect(exposedField(imageOf(body)).share).toBe(1)
  })

  it.each([
    ['rectangle', rectangle],
    ['circle', circle]
  ] as const)('is the %s that the blades leave, behind noise', (_, inside) => {
    const random = createRandom(3)
    const image = imageOf((u, v) =>
      inside(u, v) > 0 ? body(u, v) + 0.05 * random.normal() : random.uniform(8, 12)
    )
    const { mask, share } = exposedField(image)
    expect(agreement(mask, inside)).toBeGreaterThan(0.99)
    expect(share).toBeCloseTo(mask.reduce((a, b) => a + b, 0) / mask.length, 9)
  })

  it('leaves out a white border too', () => {
    const image = imageOf((u, v) => (circle(u, v) > 0 ? body(u, v) : 0))
    expect(agreement(exposedField(image).mask, circle)).toBeGreaterThan(0.99)
  })

  it('keeps a burnt-in letter and a screw in the field', () => {
    const image = imageOf((u, v) => (u > 8 && u < 24 && v > 8 && v < 26 ? 12 : body(u, v)))
    expect(exposedField(image).share).toBe(1)
    const screw = imageOf((u, v) => (Math.abs(u - v - 20) < 3 ? 9 : body(u, v)))
    expect(exposedField(screw).share).toBeGreaterThan(0.9)
  })

  it('is the whole of a constant image, and of a tiny one', () => {
    expect(exposedField(imageOf(() => 3)).share).toBe(1)
    expect(exposedField({ width: 3, height: 2, data: new Float32Array(6) }).share).toBe(1)
  })
})

describe('percentiles', () => {
  it('agree with sorting to a bin of the histogram', () => {
    const random = createRandom(8)
    const data = Float32Array.from({ length: 5000 }, () => random.normal())
    const sorted = data.slice().sort()
    const bin = (sorted[sorted.length - 1] - sorted[0]) / 4096
    const shares = [0, 0.01, 0.5, 0.9, 1]
    percentiles(data, shares).forEach((p, i) => {
      const rank = Math.min(sorted.length - 1, Math.max(0, Math.ceil(shares[i] * sorted.length) - 1))
      expect(Math.abs(p - sorted[rank])).toBeLessThanOrEqual(1.01 * bin)
    })
  })

  it('count only what the mask lets through, and refuse nothing at all', () => {
    expect(percentiles([1, 2, 3, 100], [1], [1, 1, 1, 0])[0]).toBeCloseTo(3, 6)
    expect(() => percentiles([1], [0.5], [0])).toThrow(/no value/)
  })
})

describe('a mirrored image', () => {
  it('shows each ray at the mirrored slope', () => {
    const d = { ...PAPER_DETECTOR, principalPoint: [100, 80] as const }
    const image = imageOf((u, v) => u + 1000 * v)
    const mirrored = mirrorImage(image)
    const m = mirrorDetector(d)
    expect(mirrored.data[7 * WIDTH + (WIDTH - 1 - 30)]).toBe(image.data[7 * WIDTH + 30])
    // Slope of column 30 before and of its place after: opposite.
    const slope = (u: number, p: number) => (u - p) * d.pixel[0]
    expect(slope(WIDTH - 1 - 30, m.principalPoint[0])).toBeCloseTo(-slope(30, d.principalPoint[0]), 12)
    expect(mirrorImage(mirrored).data).toEqual(image.data)
  })
})

describe('a turned detector', () => {
  it('maps pixels by the turn of their slopes, and back by the opposite turn', () => {
    const d = {
      sdd: 1000,
      pixel: [0.9, 1.1] as const,
      size: [420, 300] as const,
      principalPoint: [180, 160] as const
    }
    // A quarter turn takes the slope (x, y) to (−y, x).
    const p = toDetectorPixel(30, 200, PAPER_DETECTOR, d, Math.PI / 2)
    const [x, y] = [((30 - 119.5) * 1.6) / 1200, ((200 - 93.5) * 1.6) / 1200]
    expect(((p.u - 180) * 0.9) / 1000).toBeCloseTo(-y, 12)
    expect(((p.v - 160) * 1.1) / 1000).toBeCloseTo(x, 12)
    const q = toDetectorPixel(p.u, p.v, d, PAPER_DETECTOR, -Math.PI / 2)
    expect(q.u).toBeCloseTo(30, 9)
    expect(q.v).toBeCloseTo(200, 9)
  })
})
