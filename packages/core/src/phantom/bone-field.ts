import { mulMat3Vec3, transpose3, type Vec3 } from '../geometry/linear.js'
import type { Bone, Cylinder } from './bones.js'
import type { Noise } from './noise.js'
import { type WedgeDistance, wedgeDistance } from './sphere-mesh.js'
import { SURFACE_BAND_MM, surfaceDistance, type TriangleSurface } from './surface.js'

/** An axis-aligned LPS grid: the phantom is made on one of these. */
export interface AxisGrid {
  readonly size: Vec3
  readonly spacing: number
  /** LPS of voxel (0, 0, 0), mm. */
  readonly origin: Vec3
}

/** Distance beyond the surface to which the field is needed: the partial volume of a voxel. */
const MARGIN = 2

interface Box {
  readonly low: [number, number, number]
  readonly high: [number, number, number]
}

/**
 * Adds a bone to `hu` (density above its surroundings, HU, i fastest): a cortical shell around cancellous bone with texture,
 * the surface softened over about a voxel as a scanner does. Where bones overlap the denser one stays.
 */
export function addBone(hu: Float32Array, grid: AxisGrid, bone: Bone, texture: Noise): void {
  const box = boneBox(bone, grid)
  if (!box) return
  const nx = box.high[0] - box.low[0]
  const ny = box.high[1] - box.low[1]
  const nz = box.high[2] - box.low[2]
  const distance = bone.surface ? surfaceDistances(bone.surface, box, grid) : meshDistances(bone, box, grid)
  const [gx, gy] = grid.size
  const soften = Math.max(1, grid.spacing)
  for (let k = 0; k < nz; k++)
    for (let j = 0; j < ny; j++) {
      const z = grid.origin[2] + (k + box.low[2]) * grid.spacing
      const y = grid.origin[1] + (j + box.low[1]) * grid.spacing
      for (let i = 0; i < nx; i++) {
        let d = distance[(k * ny + j) * nx + i]
        if (d > MARGIN) continue
        const x = grid.origin[0] + (i + box.low[0]) * grid.spacing
        if (bone.hollow) {
          const h = bone.hollow.centre
          d = Math.max(d, bone.hollow.radius - Math.hypot(x - h[0], y - h[1], z - h[2]))
        }
        const solid = Math.min(1, Math.max(0, 0.5 - d / soften))
        if (solid === 0) continue
        const cortex = Math.min(1, Math.max(0, (d + bone.cortexMm) / soften + 0.5))
        const inside = bone.insideHu + bone.textureHu * texture(x, y, z)
        const value = (inside + (bone.cortexHu - inside) * cortex) * solid
        const at = ((k + box.low[2]) * gy + j + box.low[1]) * gx + i + box.low[0]
        if (value > hu[at]) hu[at] = value
      }
    }
}

/** In `box`, computed over all of the surface: where the grid cuts it, its inside is not to be taken for open. */
function surfaceDistances(surface: TriangleSurface, box: Box, grid: AxisGrid): Float32Array {
  const whole = surfaceBox(surface, grid)
  const [wx, wy] = [0, 1].map(k => whole.high[k] - whole.low[k])
  const all = surfaceDistance(surface, {
    origin: [0, 1, 2].map(k => grid.origin[k] + whole.low[k] * grid.spacing) as unknown as Vec3,
    size: [wx, wy, whole.high[2] - whole.low[2]],
    spacing: grid.spacing
  })
  const nx = box.high[0] - box.low[0]
  const out = new Float32Array(nx * (box.high[1] - box.low[1]) * (box.high[2] - box.low[2]))
  let o = 0
  for (let k = box.low[2]; k < box.high[2]; k++)
    for (let j = box.low[1]; j < box.high[1]; j++, o += nx) {
      const from = ((k - whole.low[2]) * wy + j - whole.low[1]) * wx + box.low[0] - whole.low[0]
      out.set(all.subarray(from, from + nx), o)
    }
  return out
}

/** Indices around a surface and its band, whether the grid has them or not. */
function surfaceBox({ vertices }: TriangleSurface, grid: AxisGrid): Box {
  const low = [Infinity, Infinity, Infinity]
  const high = [-Infinity, -Infinity, -Infinity]
  for (let i = 0; i < vertices.length; i += 3)
    for (let k = 0; k < 3; k++) {
      low[k] = Math.min(low[k], vertices[i + k])
      high[k] = Math.max(high[k], vertices[i + k])
    }
  const margin = SURFACE_BAND_MM + MARGIN
  return {
    low: low.map((x, k) => Math.floor((x - margin - grid.origin[k]) / grid.spacing)) as Box['low'],
    high: high.map((x, k) => Math.ceil((x + margin - grid.origin[k]) / grid.spacing) + 1) as Box['high']
  }
}

function meshDistances(bone: Bone, box: Box, grid: AxisGrid): Float32Array {
  const distance = new Float32Array(
    (box.high[0] - box.low[0]) * (box.high[1] - box.low[1]) * (box.high[2] - box.low[2])
  ).fill(99)
  const s = bone.mesh.spheres
  const w = bone.mesh.wedges
  const out: WedgeDistance = { w0: 0, w1: 0, w2: 0, distance: 0 }
  for (let t = 0; t < w.length; t += 3) {
    const corners = [w[t], w[t + 1], w[t + 2]]
    eachVoxel(spheresBox(s, corners, grid), box, grid, distance, (x, y, z) =>
      wedgeDistance(s, w[t], w[t + 1], w[t + 2], x, y, z, out)
    )
  }
  for (const c of bone.cylinders) {
    const toBody = transpose3(c.axes)
    eachVoxel(pointsBox([c.centre], Math.hypot(...c.half), grid), box, grid, distance, (x, y, z) =>
      cylinderDistance(c, mulMat3Vec3(toBody, [x - c.centre[0], y - c.centre[1], z - c.centre[2]]))
    )
  }
  return distance
}

function cylinderDistance(c: Cylinder, [x, y, z]: Vec3): number {
  const waist = 1 - 0.1 * Math.cos((Math.min(1, Math.abs(z) / c.half[2]) * Math.PI) / 2)
  const radial = (Math.hypot(x / c.half[0], y / c.half[1]) - waist) * Math.min(c.half[0], c.half[1])
  return Math.max(radial, Math.abs(z) - c.half[2])
}

/** Lowers `distance` to that of a primitive, within its box. */
function eachVoxel(
  part: Box | null,
  box: Box,
  grid: AxisGrid,
  distance: Float32Array,
  f: (x: number, y: number, z: number) => number
): void {
  if (!part) return
  const nx = box.high[0] - box.low[0]
  const ny = box.high[1] - box.low[1]
  for (let k = part.low[2]; k < part.high[2]; k++) {
    const z = grid.origin[2] + k * grid.spacing
    for (let j = part.low[1]; j < part.high[1]; j++) {
      const y = grid.origin[1] + j * grid.spacing
      const row = ((k - box.low[2]) * ny + j - box.low[1]) * nx - box.low[0]
      for (let i = part.low[0]; i < part.high[0]; i++) {
        const d = f(grid.origin[0] + i * grid.spacing, y, z)
        if (d < distance[row + i]) distance[row + i] = d
      }
    }
  }
}

function boneBox(bone: Bone, grid: AxisGrid): Box | null {
  if (bone.surface) {
    const whole = surfaceBox(bone.surface, grid)
    const low = whole.low.map(x => Math.max(0, x)) as Box['low']
    const high = whole.high.map((x, k) => Math.min(grid.size[k], x)) as Box['high']
    return low.every((x, k) => x < high[k]) ? { low, high } : null
  }
  const all = Array.from({ length: bone.mesh.spheres.length / 4 }, (_, i) => i)
  const boxes = [spheresBox(bone.mesh.spheres, all, grid)]
  for (const c of bone.cylinders) boxes.push(pointsBox([c.centre], Math.hypot(...c.half), grid))
  const some = boxes.filter(b => b !== null)
  if (some.length === 0) return null
  return some.reduce((a, b) => ({
    low: [0, 1, 2].map(k => Math.min(a.low[k], b.low[k])) as Box['low'],
    high: [0, 1, 2].map(k => Math.max(a.high[k], b.high[k])) as Box['high']
  }))
}

function spheresBox(s: Float64Array, which: readonly number[], grid: AxisGrid): Box | null {
  const low = [Infinity, Infinity, Infinity]
  const high = [-Infinity, -Infinity, -Infinity]
  for (const i of which)
    for (let k = 0; k < 3; k++) {
      low[k] = Math.min(low[k], s[i * 4 + k] - s[i * 4 + 3])
      high[k] = Math.max(high[k], s[i * 4 + k] + s[i * 4 + 3])
    }
  return toIndices(low, high, grid)
}

function pointsBox(points: readonly Vec3[], radius: number, grid: AxisGrid): Box | null {
  const low = [0, 1, 2].map(k => Math.min(...points.map(p => p[k])) - radius)
  const high = [0, 1, 2].map(k => Math.max(...points.map(p => p[k])) + radius)
  return toIndices(low, high, grid)
}

function toIndices(low: number[], high: number[], grid: AxisGrid): Box | null {
  const l = [0, 1, 2].map(k =>
    Math.max(0, Math.floor((low[k] - MARGIN - grid.origin[k]) / grid.spacing))
  ) as Box['low']
  const h = [0, 1, 2].map(k =>
    Math.min(grid.size[k], Math.ceil((high[k] + MARGIN - grid.origin[k]) / grid.spacing) + 1)
  ) as Box['high']
  return l.every((x, k) => x < h[k]) ? { low: l, high: h } : null
}
