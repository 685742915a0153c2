import type { Vec3 } from '../geometry/linear.js'

/** A triangulated surface that encloses a solid, its vertices a few millimetres apart at most; small holes do no harm. */
export interface TriangleSurface {
  /** x, y, z a vertex, mm. */
  readonly vertices: Float64Array
  /** Three vertices a triangle, all turned the same way. */
  readonly faces: Uint32Array
}

/** Vertex normals, area-weighted, turned outward (positive enclosed volume); x, y, z each. */
export function vertexNormals(v: Float64Array, faces: Uint32Array): Float64Array {
  const n = new Float64Array(v.length)
  let volume = 0
  for (let f = 0; f < faces.length; f += 3) {
    const [a, b, c] = [faces[f] * 3, faces[f + 1] * 3, faces[f + 2] * 3]
    const e = [v[b] - v[a], v[b + 1] - v[a + 1], v[b + 2] - v[a + 2]]
    const g = [v[c] - v[a], v[c + 1] - v[a + 1], v[c + 2] - v[a + 2]]
    const x = [e[1] * g[2] - e[2] * g[1], e[2] * g[0] - e[0] * g[2], e[0] * g[1] - e[1] * g[0]]
    volume += v[a] * x[0] + v[a + 1] * x[1] + v[a + 2] * x[2]
    for (const k of [a, b, c]) for (let d = 0; d < 3; d++) n[k + d] += x[d]
  }
  const sign = volume < 0 ? -1 : 1
  for (let i = 0; i < n.length; i += 3) {
    const l = sign / (Math.hypot(n[i], n[i + 1], n[i + 2]) || 1)
    n[i] *= l
    n[i + 1] *= l
    n[i + 2] *= l
  }
  return n
}

/** Distances are exact up to this; beyond it they are this, mm. It exceeds the gaps between vertices, so that the band is closed. */
export const SURFACE_BAND_MM = 5

/** A part of a regular grid with axes along LPS: LPS of its first voxel, voxels along x, y, z. */
export interface GridBox {
  readonly origin: Vec3
  readonly size: Vec3
  readonly spacing: number
}

/**
 * Signed distance to a surface on a grid, mm, negative inside, clamped to ±{@link SURFACE_BAND_MM}; i fastest. Each voxel near the surface
 * takes its nearest vertex and the distance to the tangent plane there; what the border of the grid cannot reach without crossing the
 * surface is inside. The grid must hold all of the surface with a voxel to spare, or its border must lie outside it.
 */
export function surfaceDistance(surface: TriangleSurface, box: GridBox): Float32Array {
  const { vertices: v } = surface
  const normals = vertexNormals(v, surface.faces)
  const [nx, ny, nz] = box.size
  const squared = new Float32Array(nx * ny * nz).fill(SURFACE_BAND_MM ** 2)
  const out = new Float32Array(nx * ny * nz).fill(SURFACE_BAND_MM)
  const from = [0, 0, 0]
  const to = [0, 0, 0]
  for (let p = 0; p < v.length; p += 3) {
    for (let k = 0; k < 3; k++) {
      const at = (v[p + k] - box.origin[k]) / box.spacing
      from[k] = Math.max(0, Math.ceil(at - SURFACE_BAND_MM / box.spacing))
      to[k] = Math.min(box.size[k] - 1, Math.floor(at + SURFACE_BAND_MM / box.spacing))
    }
    for (let k = from[2]; k <= to[2]; k++) {
      const z = box.origin[2] + k * box.spacing - v[p + 2]
      for (let j = from[1]; j <= to[1]; j++) {
        const y = box.origin[1] + j * box.spacing - v[p + 1]
        const row = (k * ny + j) * nx
        for (let i = from[0]; i <= to[0]; i++) {
          const x = box.origin[0] + i * box.spacing - v[p]
          const d2 = x * x + y * y + z * z
          if (d2 >= squared[row + i]) continue
          squared[row + i] = d2
          const along = x * normals[p] + y * normals[p + 1] + z * normals[p + 2]
          // Away from the tangent plane's foot the vertex itself is nearer to the truth.
          out[row + i] =
            d2 < 16 || Math.abs(along) * Math.abs(along) > 0.5 * d2 ? along : Math.sign(along) * Math.sqrt(d2)
        }
      }
    }
  }
  fillInside(out, squared, nx, ny, nz)
  return out
}

/** Voxels beyond the band that the border does not reach get −band. */
function fillInside(out: Float32Array, squared: Float32Array, nx: number, ny: number, nz: number): void {
  const band2 = Math.fround(SURFACE_BAND_MM ** 2)
  const reached = new Uint8Array(out.length)
  const stack: number[] = []
  const push = (o: number) => {
    if (reached[o] || squared[o] < band2) return
    reached[o] = 1
    stack.push(o)
  }
  const slice = nx * ny
  for (let k = 0; k < nz; k++)
    for (let j = 0; j < ny; j++) {
      const edge = k === 0 || j === 0 || k === nz - 1 || j === ny - 1
      for (let i = 0; i < nx; i += edge ? 1 : Math.max(1, nx - 1)) push((k * ny + j) * nx + i)
    }
  while (stack.length > 0) {
    const o = stack.pop()!
    const i = o % nx
    const j = Math.floor(o / nx) % ny
    if (i > 0) push(o - 1)
    if (i < nx - 1) push(o + 1)
    if (j > 0) push(o - nx)
    if (j < ny - 1) push(o + nx)
    if (o >= slice) push(o - slice)
    if (o < out.length - slice) push(o + slice)
  }
  for (let o = 0; o < out.length; o++) if (!reached[o] && squared[o] >= band2) out[o] = -SURFACE_BAND_MM
}
