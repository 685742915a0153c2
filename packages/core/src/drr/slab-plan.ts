import type { Vec3 } from '../geometry/linear.js'
import { type RayFrame, rayDirection } from './ray-frame.js'
import type { SlabLayout } from './slab-layout.js'
import { MAX_CELLS, MAX_COLUMNS } from './wasm-volume.js'

/** Part of the detector: the first pixel and the number of columns and rows. */
export interface Tile {
  readonly u: number
  readonly v: number
  readonly width: number
  readonly height: number
}

/** What the kernels need to render one tile: a slab axis, the slices, and a virtual detector parallel to them. */
export interface SlabPlan {
  readonly slab: SlabLayout
  /** The rays in the copy's own voxels. */
  readonly frame: RayFrame
  /** Positions along the slab axis (voxels) of the planes to sum; fractional ones blend two slices. Evenly spaced. */
  readonly planes: readonly number[]
  /** Weight of each plane. */
  readonly weight: number
  /** Plane of the virtual detector along the slab axis, voxels. */
  readonly plane: number
  /** First cell (column axis, row axis) and step, voxels on that plane. */
  readonly origin: readonly [number, number]
  readonly step: readonly [number, number]
  /** Cells; columns are a multiple of 8. */
  readonly columns: number
  readonly rows: number
  /** The tile's corners on that plane, voxels (column axis, row axis), in order around it. */
  readonly outline: readonly (readonly [number, number])[]
  /** Voxels along the columns that the middle ray moves from slice to slice. */
  readonly shear: number
  /** The most that any ray's such motion differs from the middle one's. */
  readonly fan: number
}

/** Cells around the image that the cubic interpolation reads. */
const PADDING = 2
/** Voxels from cell to cell on the slice seen widest: the kernel reads four cells from eight voxels. */
const MAX_STEP = 1.9
/** Finest cell, voxels. Half a voxel sums a trilinear volume without aliasing; finer would show nothing new. */
const MIN_STEP = 0.5
/** Smallest |component along the slab axis| of a tile's unit ray directions, in voxels. A single ray has 0.577 or more. */
const MIN_COSINE = 0.3
/** Voxels of the volume that a ray may move sideways from plane to plane; beyond, planes are put between the slices. */
const MAX_SHEAR = 1.5

/**
 * Plans a tile. 'empty': no ray of it meets a slice. 'split': it is too large for the working memory, or too wide for a
 * slab axis that all its rays cross well; half of it may do.
 * @param volumeFrame the rays in the volume's voxels
 * @param slabs copies by slab axis
 * @param cell size of the virtual detector's cells in pixels
 */
export function planTile(
  volumeFrame: RayFrame,
  tile: Tile,
  slabs: readonly SlabLayout[],
  cell: number,
  maxPixels: number
): SlabPlan | 'empty' | 'split' {
  const { axis: a, cosine } = steepestAxis(cornerRays(volumeFrame, tile))
  const single = tile.width * tile.height === 1
  if (!single && (cosine < MIN_COSINE || tile.width * tile.height > maxPixels)) return 'split'

  const slab = slabs[a]
  const { columnAxis: b, rowAxis: c, size } = slab
  const frame = slabFrame(volumeFrame, slab)
  const s = frame.source
  const corners = cornerRays(frame, tile)
  const centre = rayDirection(frame, tile.u + (tile.width - 1) / 2, tile.v + (tile.height - 1) / 2)
  const shear = Math.max(Math.abs(centre[b]), Math.abs(centre[c])) / Math.abs(centre[a])
  const perSlice = Math.max(1, Math.ceil(shear / (MAX_SHEAR * slab.reduction[a])))
  const planes = planesAhead(size[a], s[a], centre[a], perSlice)
  if (planes.length === 0 || size[b] < 2 || size[c] < 2) return 'empty'

  const low = planes[0]
  const high = planes[planes.length - 1]
  const plane = (low + high) / 2
  const magnification = [low, high].map(p => (p - s[a]) / (plane - s[a]))
  const widest = Math.max(...magnification)
  const footprint = pixelFootprint(frame, centre, plane, a, b, c)
  const onPlane = (d: Vec3, k: number) => s[k] + ((plane - s[a]) / d[a]) * d[k]

  const span = (k: number, footprint: number): { from: number; to: number; step: number } => {
    const step = Math.max(MIN_STEP, Math.min(cell * footprint, MAX_STEP / widest))
    const seen = corners.map(d => onPlane(d, k))
    // The volume falls off to 0 over one voxel beyond its outermost.
    const shadow = magnification.flatMap(m => [s[k] + (-1 - s[k]) / m, s[k] + (size[k] - s[k]) / m])
    return {
      from: Math.max(Math.min(...seen), Math.min(...shadow)) - PADDING * step,
      to: Math.min(Math.max(...seen), Math.max(...shadow)) + PADDING * step,
      step
    }
  }
  const across = span(b, footprint[0])
  const down = span(c, footprint[1])
  const cells = (x: { from: number; to: number; step: number }) => Math.ceil((x.to - x.from) / x.step) + 1
  if (cells(across) <= 2 * PADDING - 1 || cells(down) <= 2 * PADDING - 1) return 'empty'
  const columns = (cells(across) + 8) & ~7
  const rows = cells(down) + 1
  if (!single && (columns > MAX_COLUMNS || columns * rows > MAX_CELLS)) return 'split'
  return {
    slab,
    frame,
    planes,
    weight: 1 / perSlice,
    plane,
    origin: [across.from, down.from],
    step: [across.step, down.step],
    columns,
    rows,
    outline: corners.map(d => [onPlane(d, b), onPlane(d, c)] as const),
    shear: centre[b] / centre[a],
    fan: Math.max(...corners.map(d => Math.abs(d[b] / d[a] - centre[b] / centre[a])))
  }
}

/** Rays of the tile's corner pixels, in order around it. */
function cornerRays(f: RayFrame, { u, v, width, height }: Tile): Vec3[] {
  const u1 = u + width - 1
  const v1 = v + height - 1
  return [rayDirection(f, u, v), rayDirection(f, u1, v), rayDirection(f, u1, v1), rayDirection(f, u, v1)]
}

/** A volume's rays in a copy's own voxels. */
function slabFrame(f: RayFrame, { reduction: r, start }: SlabLayout): RayFrame {
  const scaled = (v: Vec3): Vec3 => [v[0] / r[0], v[1] / r[1], v[2] / r[2]]
  return {
    source: scaled([f.source[0] - start[0], f.source[1] - start[1], f.source[2] - start[2]]),
    first: scaled(f.first),
    perColumn: scaled(f.perColumn),
    perRow: scaled(f.perRow)
  }
}

/**
 * Cell size (columns, rows; voxels) that samples the plane as densely as the detector's pixels do: a pixel's shadow is
 * a parallelogram, so the steps come from the inverse of the map's derivative, which holds for any roll and tilt.
 */
function pixelFootprint(frame: RayFrame, d: Vec3, plane: number, a: number, b: number, c: number) {
  const { perColumn: du, perRow: dv, source } = frame
  const t = (plane - source[a]) / d[a]
  const derivative = (k: number, e: Vec3) => t * (e[k] - (d[k] * e[a]) / d[a])
  const bu = derivative(b, du)
  const bv = derivative(b, dv)
  const cu = derivative(c, du)
  const cv = derivative(c, dv)
  const area = Math.abs(bu * cv - bv * cu)
  return [area / Math.hypot(cu, cv), area / Math.hypot(bu, bv)] as const
}

/** The index axis that the flattest of some rays crosses best; 0 where they do not all cross it the same way. */
function steepestAxis(directions: readonly Vec3[]): { axis: number; cosine: number } {
  let axis = 0
  let cosine = -1
  for (let a = 0; a < 3; a++) {
    const signed = directions.map(d => d[a] / Math.hypot(...d))
    const least = Math.max(0, Math.min(...signed), -Math.max(...signed))
    if (least > cosine) {
      axis = a
      cosine = least
    }
  }
  return { axis, cosine }
}

/** Planes in front of the source, `m` to a slice, in ascending order; those between a slice and nothing count too. */
function planesAhead(slices: number, source: number, direction: number, m: number): number[] {
  const planes: number[] = []
  if (slices < 2) return planes
  for (let n = 1 - m; n <= slices * m - 1; n++)
    // A plane through the source itself has no image.
    if ((n / m - source) * Math.sign(direction) >= 1e-3) planes.push(n / m)
  return planes
}

/** The two halves of a tile, along its longer side. */
export function splitTile(tile: Tile): [Tile, Tile] {
  if (tile.width >= tile.height) {
    const half = tile.width >> 1
    return [
      { ...tile, width: half },
      { ...tile, u: tile.u + half, width: tile.width - half }
    ]
  }
  const half = tile.height >> 1
  return [
    { ...tile, height: half },
    { ...tile, v: tile.v + half, height: tile.height - half }
  ]
}
