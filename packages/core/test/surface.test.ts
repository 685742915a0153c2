import { describe, expect, it } from 'vitest'
import { addBone } from '../src/phantom/bone-field.js'
import { createNoise } from '../src/phantom/noise.js'
import {
  SURFACE_BAND_MM,
  surfaceDistance,
  type TriangleSurface,
  vertexNormals
} from '../src/phantom/surface.js'
import { createRandom } from '../src/random/random.js'

/** A closed sphere about the origin: rings and two poles, vertices about 2 mm apart. */
function sphere(radius: number, rings = 30): TriangleSurface {
  const around = 2 * rings
  const v: number[] = [0, 0, radius]
  const faces: number[] = []
  for (let i = 1; i < rings; i++)
    for (let j = 0; j < around; j++) {
      const t = (Math.PI * i) / rings
      const p = (2 * Math.PI * j) / around
      v.push(radius * Math.sin(t) * Math.cos(p), radius * Math.sin(t) * Math.sin(p), radius * Math.cos(t))
    }
  v.push(0, 0, -radius)
  const last = v.length / 3 - 1
  for (let j = 0; j < around; j++) {
    const next = (j + 1) % around
    faces.push(0, 1 + j, 1 + next)
    for (let i = 0; i < rings - 2; i++) {
      const [a, b] = [1 + i * around, 1 + (i + 1) * around]
      faces.push(a + j, b + j, b + next, a + j, b + next, a + next)
    }
    faces.push(last, last - around + next, last - around + j)
  }
  return { vertices: Float64Array.from(v), faces: Uint32Array.from(faces) }
}

const box = { origin: [-28, -28, -28] as const, size: [57, 57, 57] as const, spacing: 1 }

/** Largest error within the band; voxels on the wrong side beyond it count as far off. */
function worst(d: Float32Array, radius: number): number {
  let most = 0
  for (let k = 0, o = 0; k < 57; k++)
    for (let j = 0; j < 57; j++)
      for (let i = 0; i < 57; i++, o++) {
        const truth = Math.hypot(i - 28, j - 28, k - 28) - radius
        const clamped = Math.max(-SURFACE_BAND_MM, Math.min(SURFACE_BAND_MM, truth))
        // Where the nearest vertex comes into reach, the band begins with a step of at most its curvature.
        if (Math.abs(truth) < 4) most = Math.max(most, Math.abs(d[o] - clamped))
        else if (Math.sign(d[o]) !== Math.sign(truth)) most = 99
      }
  return most
}

describe('distance to a triangulated surface', () => {
  it('is that of a sphere within a tenth of the distance between vertices, whichever way its faces turn', () => {
    const { vertices, faces } = sphere(20)
    for (const f of [faces, faces.slice().reverse()])
      expect(worst(surfaceDistance({ vertices, faces: f }, box), 20)).toBeLessThan(0.25)
  })

  it('does not mind a hole of a few triangles', () => {
    const { vertices, faces } = sphere(20)
    expect(
      worst(surfaceDistance({ vertices, faces: faces.subarray(0, faces.length - 30) }, box), 20)
    ).toBeLessThan(0.25)
  })

  it('has the normals of a sphere', () => {
    const { vertices, faces } = sphere(20)
    const n = vertexNormals(vertices, faces)
    for (let i = 0; i < n.length; i += 3)
      expect(
        (n[i] * vertices[i] + n[i + 1] * vertices[i + 1] + n[i + 2] * vertices[i + 2]) / 20
      ).toBeGreaterThan(0.995)
  })

  it('fills a bone that the grid cuts through to its inside', () => {
    const grid = { size: [57, 57, 20] as const, spacing: 1, origin: [-28, -28, 0] as const }
    const hu = new Float32Array(57 * 57 * 20)
    addBone(
      hu,
      grid,
      {
        name: 'ball',
        mesh: { spheres: new Float64Array(), wedges: new Uint16Array() },
        cylinders: [],
        surface: sphere(20),
        cortexMm: 2,
        cortexHu: 1000,
        insideHu: 200,
        textureHu: 0
      },
      createNoise(createRandom(1), 10, [-30, -30, -30], [30, 30, 30])
    )
    const at = (x: number, y: number, z: number) => hu[(z * 57 + y + 28) * 57 + x + 28]
    expect(at(0, 0, 0)).toBe(200)
    expect(at(10, 5, 3)).toBe(200)
    expect(at(19, 0, 0)).toBeCloseTo(1000, 0)
    expect(at(22, 0, 0)).toBe(0)
  })
})
