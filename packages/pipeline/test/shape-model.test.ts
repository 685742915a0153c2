import { expSO3, meshDistance, rigid, type Vec3 } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { fitAcetabulum } from '../src/shape-model/acetabulum.js'
import { alignShapes, transformPoints } from '../src/shape-model/align.js'
import { principalComponents } from '../src/shape-model/fit-shape-model.js'
import {
  clusterBalls,
  medialBalls,
  refineSpheres,
  spheresFromClusters,
  vertexNormals,
  wedgesFromClusters
} from '../src/shape-model/sphere-mesh-fit.js'

/** A triangulated ellipsoid with half axes a, b, c: vertices and outward faces. */
function ellipsoid(a: number, b: number, c: number, n = 24): { vertices: Float64Array; faces: Uint32Array } {
  const vertices: number[] = []
  const faces: number[] = []
  for (let i = 0; i <= n; i++)
    for (let j = 0; j < 2 * n; j++) {
      const t = (Math.PI * (i + 0.5)) / (n + 1)
      const p = (Math.PI * j) / n
      vertices.push(a * Math.sin(t) * Math.cos(p), b * Math.sin(t) * Math.sin(p), c * Math.cos(t))
      if (i === n) continue
      const k = i * 2 * n
      const next = (j + 1) % (2 * n)
      faces.push(k + j, k + 2 * n + j, k + 2 * n + next, k + j, k + 2 * n + next, k + next)
    }
  return { vertices: Float64Array.from(vertices), faces: Uint32Array.from(faces) }
}

describe('fitting a sphere mesh', () => {
  it('finds outward normals and the inscribed ball of a sphere, whichever way the faces turn', () => {
    const { vertices, faces } = ellipsoid(12, 12, 12)
    for (const f of [faces, Uint32Array.from(faces).reverse()]) {
      const normals = vertexNormals(vertices, f)
      for (let i = 48 * 6; i < vertices.length - 48 * 6; i += 300)
        expect(
          (normals[i] * vertices[i] + normals[i + 1] * vertices[i + 1] + normals[i + 2] * vertices[i + 2]) /
            12
        ).toBeGreaterThan(0.98)
      const balls = medialBalls(vertices, normals)
      // Without the rows at the two open poles, whose normals see faces on one side only.
      for (let i = 48 * 2; i < 48 * 23; i += 50) expect(Math.abs(balls[i * 4 + 3] - 12)).toBeLessThan(0.7)
    }
  })

  it('lays a flat solid out in few spheres to a fraction of a millimetre', () => {
    const { vertices, faces } = ellipsoid(30, 20, 6, 30)
    const normals = vertexNormals(vertices, faces)
    const balls = medialBalls(vertices, normals)
    const label = clusterBalls(balls, 40)
    const mesh = { spheres: spheresFromClusters(balls, label, 40), wedges: wedgesFromClusters(label, faces) }
    const rms = refineSpheres(mesh, vertices, normals, 25)
    expect(rms).toBeLessThan(0.5)
    expect(meshDistance(mesh, 0, 0, 0)).toBeLessThan(-3)
    expect(meshDistance(mesh, 0, 0, 16)).toBeCloseTo(10, 0)
  })

  it('finds the sphere of a hollow from a guess some millimetres off', () => {
    // The inner half of a sphere of 25 mm about (5, -3, 8), normals pointing at its centre.
    const { vertices } = ellipsoid(25, 25, 25, 30)
    const centre: Vec3 = [5, -3, 8]
    const inside: number[] = []
    const normals: number[] = []
    for (let i = 0; i < vertices.length; i += 3) {
      if (vertices[i] > 5) continue
      inside.push(vertices[i] + centre[0], vertices[i + 1] + centre[1], vertices[i + 2] + centre[2])
      normals.push(-vertices[i] / 25, -vertices[i + 1] / 25, -vertices[i + 2] / 25)
    }
    const [x, y, z, r] = fitAcetabulum(Float64Array.from(inside), Float64Array.from(normals), [9, 0, 5])
    expect(Math.hypot(x - 5, y + 3, z - 8)).toBeLessThan(0.01)
    expect(r).toBeCloseTo(25, 2)
  })
})

describe('statistics of shapes', () => {
  it('aligns turned and shifted copies onto each other', () => {
    const { vertices } = ellipsoid(30, 20, 10, 8)
    const moved = [0, 1, 2].map(k =>
      transformPoints(vertices, rigid(expSO3([0.3 * k, -0.2 * k, 0.1]), [10 * k, 5, -k]))
    )
    const aligned = alignShapes(moved).map((m, i) => transformPoints(moved[i], m))
    for (const a of aligned) a.forEach((x, i) => expect(x).toBeCloseTo(aligned[0][i], 6))
    expect(aligned[0].reduce((s, x) => s + x, 0)).toBeCloseTo(0, 6)
  })

  it('finds the one direction in which rows vary, scaled to one standard deviation', () => {
    const b = [-1.5, -0.5, 0.5, 1.5]
    const { mean, modes, explained } = principalComponents(
      b.map(w => [10 + 3 * w, 20, 30 - 4 * w]),
      2
    )
    expect(Array.from(mean)).toEqual([10, 20, 30])
    const sd = Math.sqrt(b.reduce((s, w) => s + w * w, 0) / 3)
    const sign = Math.sign(modes[0][0])
    expect(modes[0][0] * sign).toBeCloseTo(3 * sd, 9)
    expect(modes[0][1]).toBeCloseTo(0, 9)
    expect(modes[0][2] * sign).toBeCloseTo(-4 * sd, 9)
    expect(explained).toBeCloseTo(1, 12)
  })
})
