import type { Points } from '../shape-model/align.js'
import { vertexNormals } from '../shape-model/sphere-mesh-fit.js'
import { boneEdges } from './bone-edges.js'
import type { createSampler } from './sampler.js'
import type { Shape, SurfaceModel } from './surface-model.js'

/** Stiffness of the surface in each round: from bending as a whole to bending in detail. */
const STIFFNESS = [40, 40, 20, 20, 10, 10, 5, 5, 3, 3]
/** Pull towards where the model has the vertex, which also holds it where the CT shows no surface. */
const ANCHOR = 0.005
const REACH_MM = 5

/**
 * Bends surfaces onto the bone in a CT: each round finds the bone along the normals and solves
 * min Σ wᵢ (nᵢ·dᵢ − eᵢ)² + stiffness · Σ over edges |dᵢ − dⱼ|² + anchor · Σ |dᵢ|² for the displacements d from `rough`.
 * @param rough the surfaces after the model's modes, LPS mm
 */
export function deformElastically(
  model: Pick<SurfaceModel, 'bones'>,
  sample: ReturnType<typeof createSampler>,
  rough: Shape
): Shape {
  const out = rough.slice()
  for (const bone of model.bones) {
    const from = bone.start * 3
    const to = (bone.start + bone.count) * 3
    const rest = rough.slice(from, to)
    const every = Int32Array.from({ length: bone.count }, (_, i) => i)
    const mesh = neighbours(bone.faces, bone.count)
    const d = new Float64Array(rest.length)
    for (const stiffness of STIFFNESS) {
      const now = rest.map((x, i) => x + d[i])
      const normals = vertexNormals(now, bone.faces)
      const edges = boneEdges(sample, now, normals, every, REACH_MM)
      const weight = edges.map(e => (Number.isFinite(e) ? 1 / (1 + (e / 2) ** 2) ** 2 : 0))
      const wanted = new Float64Array(bone.count)
      for (let i = 0; i < bone.count; i++)
        if (weight[i] > 0)
          wanted[i] =
            edges[i] +
            normals[i * 3] * d[i * 3] +
            normals[i * 3 + 1] * d[i * 3 + 1] +
            normals[i * 3 + 2] * d[i * 3 + 2]
      solveDisplacements(mesh, normals, weight, wanted, stiffness, d)
    }
    for (let i = 0; i < d.length; i++) out[from + i] = rest[i] + d[i]
  }
  return out
}

/** Neighbours of each vertex, one list after the other. */
export interface Neighbours {
  readonly first: Int32Array
  readonly list: Int32Array
}

export function neighbours(faces: Uint32Array, count: number): Neighbours {
  const sets = Array.from({ length: count }, () => new Set<number>())
  for (let f = 0; f < faces.length; f += 3)
    for (let e = 0; e < 3; e++) {
      const a = faces[f + e]
      const b = faces[f + ((e + 1) % 3)]
      sets[a].add(b)
      sets[b].add(a)
    }
  const first = new Int32Array(count + 1)
  sets.forEach((s, i) => {
    first[i + 1] = first[i] + s.size
  })
  return { first, list: Int32Array.from(sets.flatMap(s => [...s])) }
}

/** Conjugate gradients from the last displacements, in place. */
function solveDisplacements(
  mesh: Neighbours,
  normals: Points,
  weight: Float64Array,
  wanted: Float64Array,
  stiffness: number,
  d: Float64Array
): void {
  const n = d.length
  const apply = (x: Float64Array, y: Float64Array) => {
    for (let i = 0; i < n; i += 3) {
      const v = i / 3
      const along = weight[v] * (normals[i] * x[i] + normals[i + 1] * x[i + 1] + normals[i + 2] * x[i + 2])
      const degree = mesh.first[v + 1] - mesh.first[v]
      for (let k = 0; k < 3; k++) {
        let s = degree * x[i + k]
        for (let e = mesh.first[v]; e < mesh.first[v + 1]; e++) s -= x[mesh.list[e] * 3 + k]
        // Divided by the mean degree, so that stiffness does not depend on the meshing.
        y[i + k] = along * normals[i + k] + (stiffness / 6) * s + ANCHOR * x[i + k]
      }
    }
  }
  const residual = new Float64Array(n)
  apply(d, residual)
  for (let i = 0; i < n; i++) {
    const v = Math.floor(i / 3)
    residual[i] = weight[v] * wanted[v] * normals[i] - residual[i]
  }
  const direction = residual.slice()
  const image = new Float64Array(n)
  let norm = residual.reduce((s, x) => s + x * x, 0)
  const enough = norm * 1e-6
  for (let k = 0; k < 60 && norm > enough; k++) {
    apply(direction, image)
    let curvature = 0
    for (let i = 0; i < n; i++) curvature += direction[i] * image[i]
    const step = norm / curvature
    let next = 0
    for (let i = 0; i < n; i++) {
      d[i] += step * direction[i]
      residual[i] -= step * image[i]
      next += residual[i] ** 2
    }
    for (let i = 0; i < n; i++) direction[i] = residual[i] + (next / norm) * direction[i]
    norm = next
  }
}
