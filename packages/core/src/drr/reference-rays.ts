import type { Vec3 } from '../geometry/linear.js'

/** A volume of attenuations. */
export interface Density {
  readonly size: Vec3
  readonly data: Float32Array
}

/** How a point of the ray moves: `v(t) = atSource + t·perT`, voxels. */
export interface RayMotion {
  readonly atSource: Vec3
  readonly perT: Vec3
}

const GAUSS = 0.5 / Math.sqrt(3)

/**
 * ∫ density(s + t·d) dt over t ≥ 0, for s and d in voxels: exact. Each ray is cut where it crosses the planes through the voxel
 * centres; in between the trilinear volume is a cubic along the ray, which Gauss's two-point rule integrates exactly.
 */
export function integrateRay({ size, data }: Density, s: Vec3, d: Vec3): number {
  const span = spanOf(size, s, d)
  if (!span) return 0
  // Written out axis by axis, and the eight corners of a cell read once for both points: this loop is where X-rays take their time.
  const [nx, ny, nz] = size
  const [dx, dy, dz] = d
  // An axis of one voxel has no extent: its only rays lie in the plane and see that plane's values.
  const di = nx > 1 ? 1 : 0
  const dj = ny > 1 ? nx : 0
  const dk = nz > 1 ? nx * ny : 0
  const [x, y, z] = [0, 1, 2].map(a => firstCrossing(size[a], s[a], d[a], span.from))
  let [cx, cy, cz] = [x.cell, y.cell, z.cell]
  let [tx, ty, tz] = [x.next, y.next, z.next]
  let sum = 0
  let from = span.from
  while (from < span.to) {
    const to = Math.min(tx, ty, tz, span.to)
    if (to > from) {
      const h = to - from
      const gauss = GAUSS * h
      const first = from + h / 2 - gauss
      from = to
      const o = (cz * ny + cy) * nx + cx
      const c000 = data[o]
      const c100 = data[o + di]
      const c010 = data[o + dj]
      const c110 = data[o + dj + di]
      const c001 = data[o + dk]
      const c101 = data[o + dk + di]
      const c011 = data[o + dk + dj]
      const c111 = data[o + dk + dj + di]
      for (let t = first, k = 0; k < 2; k++, t += 2 * gauss) {
        const fx = s[0] + t * dx - cx
        const fy = s[1] + t * dy - cy
        const fz = s[2] + t * dz - cz
        const c00 = c000 + fx * (c100 - c000)
        const c10 = c010 + fx * (c110 - c010)
        const c01 = c001 + fx * (c101 - c001)
        const c11 = c011 + fx * (c111 - c011)
        const near = c00 + fy * (c10 - c00)
        sum += (h / 2) * (near + fz * (c01 + fy * (c11 - c01) - near))
      }
    }
    // All that are crossed here at once: a ray through an edge or a corner of a cell.
    if (tx <= to) {
      cx = clampCell(cx + x.step, nx)
      tx = (cx + x.ahead - s[0]) / dx
    }
    if (ty <= to) {
      cy = clampCell(cy + y.step, ny)
      ty = (cy + y.ahead - s[1]) / dy
    }
    if (tz <= to) {
      cz = clampCell(cz + z.step, nz)
      tz = (cz + z.ahead - s[2]) / dz
    }
  }
  return sum
}

const clampCell = (cell: number, size: number) => Math.max(0, Math.min(size - 2, cell))

/** One axis of a ray at t: its cell, and the t at which it leaves it towards `cell + ahead`, by steps of `step`. */
function firstCrossing(size: number, s: number, d: number, t: number) {
  const ahead = d > 0 ? 1 : 0
  const step = Math.sign(d)
  if (d === 0) return { cell: clampCell(Math.floor(s), size), next: Number.POSITIVE_INFINITY, ahead, step }
  const place = s + t * d
  const cell = clampCell(d > 0 ? Math.floor(place) : Math.ceil(place) - 1, size)
  return { cell, next: (cell + ahead - s) / d, ahead, step }
}

/**
 * The same integral of a volume whose voxels are boxes of constant value, half a voxel to either side of their centres (Siddon
 * 1985): exact too.
 */
export function integrateBoxes({ size, data }: Density, s: Vec3, d: Vec3): number {
  // Their faces are planes through the centres of a grid half a voxel off and one larger.
  const faces: Vec3 = [size[0] + 1, size[1] + 1, size[2] + 1]
  const from: Vec3 = [s[0] + 0.5, s[1] + 0.5, s[2] + 0.5]
  let sum = 0
  forEachPiece(faces, from, d, (t0, t1) => {
    const cell = cellAt(faces, from, d, (t0 + t1) / 2)
    sum += (t1 - t0) * data[(cell[2] * size[1] + cell[1]) * size[0] + cell[0]]
  })
  return sum
}

/**
 * The derivative of {@link integrateRay} (t fixed to the ray) as its points move, by each of some motions: exact too, because
 * gradient times motion is a cubic in each piece. Where the ray enters and leaves the volume, where the density has a step, its
 * ends move with the faces.
 */
export function differentiateRay(
  density: Density,
  s: Vec3,
  d: Vec3,
  motions: readonly RayMotion[]
): number[] {
  const sums = motions.map(() => 0)
  const slope: [number, number, number] = [0, 0, 0]
  forEachPiece(density.size, s, d, (from, to) => {
    const h = to - from
    const middle = from + h / 2
    const cell = cellAt(density.size, s, d, middle)
    for (const t of [middle - GAUSS * h, middle + GAUSS * h]) {
      slopeAt(density, cell, s, d, t, slope)
      motions.forEach(({ atSource: v, perT: w }, n) => {
        for (let a = 0; a < 3; a++) sums[n] += (h / 2) * slope[a] * (v[a] + t * w[a])
      })
    }
  })
  const span = spanOf(density.size, s, d)
  if (!span) return sums
  for (const { t, axis, sign } of [
    { t: span.from, axis: span.fromAxis, sign: 1 },
    { t: span.to, axis: span.toAxis, sign: -1 }
  ]) {
    // A ray that begins inside begins at the source, however it moves.
    if (axis < 0) continue
    const inside = (span.from + span.to) / 2
    const value = valueAt(density, cellAt(density.size, s, d, t + 1e-9 * (inside - t)), s, d, t)
    motions.forEach(({ atSource: v, perT: w }, n) => {
      sums[n] += (sign * value * (v[axis] + t * w[axis])) / d[axis]
    })
  }
  return sums
}

/** Where a ray is inside the box of the voxel centres, and through which faces it comes and goes (−1: the source). */
function spanOf(size: Vec3, s: Vec3, d: Vec3) {
  const span = { from: 0, to: Number.POSITIVE_INFINITY, fromAxis: -1, toAxis: -1 }
  for (let a = 0; a < 3; a++) {
    if (d[a] === 0) {
      if (s[a] < 0 || s[a] > size[a] - 1) return null
      continue
    }
    const t0 = -s[a] / d[a]
    const t1 = (size[a] - 1 - s[a]) / d[a]
    if (Math.min(t0, t1) > span.from) {
      span.from = Math.min(t0, t1)
      span.fromAxis = a
    }
    if (Math.max(t0, t1) < span.to) {
      span.to = Math.max(t0, t1)
      span.toAxis = a
    }
  }
  return span.to > span.from ? span : null
}

/** The pieces of a ray between the planes through the voxel centres (Siddon 1985, on the dual grid). */
function forEachPiece(size: Vec3, s: Vec3, d: Vec3, piece: (from: number, to: number) => void): void {
  const span = spanOf(size, s, d)
  if (!span) return
  // Next crossing of each axis, as plane number and t.
  const plane = [0, 0, 0]
  const next = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let a = 0; a < 3; a++) {
    if (d[a] === 0) continue
    const x = s[a] + span.from * d[a]
    plane[a] = d[a] > 0 ? Math.floor(x) + 1 : Math.ceil(x) - 1
    next[a] = (plane[a] - s[a]) / d[a]
  }
  let t = span.from
  while (t < span.to) {
    const a = next[0] <= next[1] ? (next[0] <= next[2] ? 0 : 2) : next[1] <= next[2] ? 1 : 2
    const end = Math.min(next[a], span.to)
    if (end > t) {
      piece(t, end)
      t = end
    }
    plane[a] += d[a] > 0 ? 1 : -1
    next[a] = (plane[a] - s[a]) / d[a]
  }
}

/** The cell that holds s + t·d: its lowest corner. */
function cellAt(size: Vec3, s: Vec3, d: Vec3, t: number): Vec3 {
  const along = (a: number) => Math.max(0, Math.min(size[a] - 2, Math.floor(s[a] + t * d[a])))
  return [along(0), along(1), along(2)]
}

/** Value at s + t·d by the trilinear form of a cell. */
function valueAt(density: Density, cell: Vec3, s: Vec3, d: Vec3, t: number): number {
  const { data, size } = density
  const fx = s[0] + t * d[0] - cell[0]
  const fy = s[1] + t * d[1] - cell[1]
  const fz = s[2] + t * d[2] - cell[2]
  // An axis of one voxel has no extent: its only rays lie in the plane and see that plane's values.
  const di = size[0] > 1 ? 1 : 0
  const dj = size[1] > 1 ? size[0] : 0
  const dk = size[2] > 1 ? size[0] * size[1] : 0
  const o = (cell[2] * size[1] + cell[1]) * size[0] + cell[0]
  const row = (p: number) => data[p] + fx * (data[p + di] - data[p])
  const near = row(o) + fy * (row(o + dj) - row(o))
  const far = row(o + dk) + fy * (row(o + dk + dj) - row(o + dk))
  return near + fz * (far - near)
}

/** Its gradient, per voxel. */
function slopeAt(
  density: Density,
  cell: Vec3,
  s: Vec3,
  d: Vec3,
  t: number,
  out: [number, number, number]
): void {
  const { data, size } = density
  const f = [0, 1, 2].map(a => s[a] + t * d[a] - cell[a])
  const stride = [1, size[0], size[0] * size[1]].map((n, a) => (size[a] > 1 ? n : 0))
  const o = (cell[2] * size[1] + cell[1]) * size[0] + cell[0]
  for (let a = 0; a < 3; a++) {
    const b = (a + 1) % 3
    const c = (a + 2) % 3
    const edge = (p: number) => data[p + stride[a]] - data[p]
    const near = edge(o) + f[b] * (edge(o + stride[b]) - edge(o))
    const far = edge(o + stride[c]) + f[b] * (edge(o + stride[b] + stride[c]) - edge(o + stride[c]))
    out[a] = near + f[c] * (far - near)
  }
}
