import { describe, expect, it } from 'vitest'
import { edgeMap } from '../src/image/edges.js'
import type { Image } from '../src/image/image.js'
import { createRandom } from '../src/random/random.js'

const imageOf = (width: number, height: number, f: (x: number, y: number) => number): Image => ({
  width,
  height,
  data: Float32Array.from({ length: width * height }, (_, i) => f(i % width, Math.floor(i / width)))
})

/** Share of a pixel that a disc covers, near enough: a ramp of one pixel across its border. */
const disc = (cx: number, cy: number, radius: number) => (x: number, y: number) =>
  Math.max(0, Math.min(1, radius + 0.5 - Math.hypot(x - cx, y - cy)))

const pointsOf = (edges: Uint8Array, width: number) =>
  [...edges].flatMap((e, i) => (e ? [[i % width, Math.floor(i / width)] as const] : []))

describe('edgeMap', () => {
  it('draws the border of a disc: whole, thin and in its place', () => {
    const points = pointsOf(edgeMap(imageOf(120, 100, disc(61.3, 48.6, 30))), 120)
    for (const [x, y] of points) expect(Math.abs(Math.hypot(x - 61.3, y - 48.6) - 30)).toBeLessThan(1)
    for (let a = 0; a < 360; a++) {
      const [x, y] = [61.3 + 30 * Math.cos((a * Math.PI) / 180), 48.6 + 30 * Math.sin((a * Math.PI) / 180)]
      expect(Math.min(...points.map(p => Math.hypot(p[0] - x, p[1] - y)))).toBeLessThan(1.5)
    }
    // A digital circle of one pixel width has between 4√2·r (8-connected) and 8·r (4-connected) pixels.
    expect(points.length).toBeGreaterThan(4 * Math.SQRT2 * 30 * 0.98)
    expect(points.length).toBeLessThan(8 * 30)
  })

  it.each([0.8, 1.5, 3])('puts one pixel per row beside a vertical step, sigma %f', sigma => {
    const edges = edgeMap(
      imageOf(60, 40, x => (x < 25 ? 0 : 1)),
      { sigma }
    )
    for (const [x, y] of pointsOf(edges, 60)) {
      expect([24, 25]).toContain(x)
      expect(y).toBeGreaterThan(0)
    }
    for (let y = 1; y < 39; y++)
      expect([...edges.subarray(y * 60, y * 60 + 60)].reduce((a, b) => a + b, 0)).toBe(1)
  })

  it('finds nothing in an even image, on any level', () => {
    for (const level of [0, 7.3, -1e6])
      expect(edgeMap(imageOf(30, 20, () => level)).every(e => e === 0)).toBe(true)
  })

  it('does not depend on scale and offset of the values', () => {
    const random = createRandom(3)
    const image = imageOf(80, 60, (x, y) => disc(40, 30, 18)(x, y) + 0.05 * random.normal())
    const other = { ...image, data: image.data.map(v => 64 * v) }
    expect(edgeMap(other)).toEqual(edgeMap(image))
    const shifted = pointsOf(edgeMap({ ...image, data: image.data.map(v => v + 2) }), 80).length
    expect(Math.abs(shifted - pointsOf(edgeMap(image), 80).length)).toBeLessThan(3)
  })

  it('follows an edge that fades, and leaves out one as weak that nothing strong leads to', () => {
    // A step whose height falls from 1 at the top to 0.3 at the bottom; and another of height 0.2 throughout, still above what the first may fade to.
    const image = imageOf(120, 80, (x, y) => (x < 30 ? 0 : 1 - (0.7 * y) / 79) + (x < 90 ? 0 : 0.2))
    const rows = (points: readonly (readonly [number, number])[], from: number) =>
      new Set(points.filter(p => p[0] >= from && p[0] < from + 10).map(p => p[1])).size
    const loose = pointsOf(edgeMap(image, { quantile: 0.98, follow: 0.3 }), 120)
    expect(rows(loose, 25)).toBe(78)
    expect(rows(loose, 85)).toBe(0)
    const all = pointsOf(edgeMap(image, { quantile: 0.5, follow: 0.3 }), 120)
    expect(rows(all, 85)).toBe(78)
  })

  it('refuses options that mean nothing', () => {
    const image = imageOf(10, 10, x => x)
    expect(() => edgeMap(image, { sigma: 0 })).toThrow(/sigma 0/)
    expect(() => edgeMap(image, { quantile: 1 })).toThrow(/quantile 1/)
    expect(() => edgeMap(image, { follow: Number.NaN })).toThrow(/follow NaN/)
  })
})
