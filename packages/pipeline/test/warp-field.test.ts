import { createRandom } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { fitWarp, jacobianRange, sampleWarp, warpPoints } from '../src/population/warp-field.js'

const random = createRandom(3)
const cloud = (n: number) => Float64Array.from({ length: n * 3 }, () => random.uniform(-60, 60))
const affine = (p: Float64Array) => {
  const out = new Float64Array(p.length)
  for (let i = 0; i < p.length; i += 3) {
    out[i] = 1.1 * p[i] + 0.05 * p[i + 1] + 4
    out[i + 1] = 0.9 * p[i + 1] - 0.1 * p[i + 2] - 7
    out[i + 2] = 0.02 * p[i] + 1.05 * p[i + 2] + 1
  }
  return out
}
const bump = (p: Float64Array) =>
  p.map((x, i) => x + (i % 3 === 0 ? 6 * Math.exp(-(p[i] ** 2 + p[i + 1] ** 2 + p[i + 2] ** 2) / 2000) : 0))
const grid = { size: [20, 20, 20] as const, spacing: 8, origin: [-76, -76, -76] as const }

describe('warps', () => {
  it('are affine where the correspondences are', () => {
    const from = cloud(80)
    const warp = fitWarp(from, affine(from))
    const elsewhere = cloud(20).map(x => 4 * x)
    const wanted = affine(elsewhere)
    warpPoints(warp, elsewhere.slice()).forEach((x, i) => expect(x).toBeCloseTo(wanted[i], 6))
    const { least, most } = jacobianRange(sampleWarp(warp, grid))
    // Determinant of the affine map above.
    const det = 1.1 * (0.9 * 1.05) + 0.05 * (-0.1 * 0.02)
    expect(least).toBeCloseTo(det, 6)
    expect(most).toBeCloseTo(det, 6)
  })

  it('come near a smooth displacement between their control points, and are affine beyond its reach', () => {
    const from = cloud(400)
    const warp = fitWarp(from, bump(from), { noiseMm: 0.1, bendMm: 5, radius: 120 })
    const between = cloud(40).map(x => 0.7 * x)
    const wanted = bump(between)
    warpPoints(warp, between.slice()).forEach((x, i) => expect(Math.abs(x - wanted[i])).toBeLessThan(0.3))
    const far = Float64Array.from([400, 0, 0, 500, 0, 0, 600, 0, 0])
    const [a, , , b, , , c] = warpPoints(warp, far)
    expect(c - b).toBeCloseTo(b - a, 9)
  })

  it('that fold are seen by their Jacobian', () => {
    const from = cloud(200)
    // Points on either side of x = 0 change places.
    const to = from.map((x, i) => (i % 3 === 0 && Math.abs(x) < 20 ? -x : x))
    const warp = fitWarp(from, to, { noiseMm: 0.01, bendMm: 20, radius: 60 })
    expect(jacobianRange(sampleWarp(warp, grid)).least).toBeLessThan(0)
  })
})
