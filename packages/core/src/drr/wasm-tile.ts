import type { Camera } from '../geometry/camera.js'
import type { Vec3 } from '../geometry/linear.js'
import { applyRigid } from '../geometry/rigid.js'
import type { DrrKernels } from './kernels.js'
import { rayDirection } from './ray-frame.js'
import { writeEntries, writeRanges } from './slab-lists.js'
import type { SlabPlan, Tile } from './slab-plan.js'
import { ENTRY_BYTES, type PreparedVolume } from './wasm-volume.js'

/** What a renderer renders with. */
export interface TileContext {
  readonly prepared: PreparedVolume
  readonly kernels: DrrKernels
  readonly slot: number
}

/** Bytes between the images of a tile's derivatives: the kernel writes up to three values past the end of each. */
const imageBytes = (tile: Tile) => (tile.width * tile.height + 4) * 4

/** Sums the slices of a tile, and interpolates the line integrals of its pixels into `out` (the whole detector's). */
export function renderTile(
  context: TileContext,
  camera: Camera,
  tile: Tile,
  plan: SlabPlan,
  out: Float32Array
): void {
  const { kernels, prepared } = context
  const at = scratchAddresses(context)
  const share = sumSlices(context, plan, 0)
  writeWarpParameters(context, camera, tile, plan, share, null)
  const { columns, rows } = plan
  kernels.warp(at.cells, columns, rows, at.parameters, at.tables, tile.width, tile.height, at.pixels)
  copyTile(prepared.memory, at.pixels, tile, camera, out)
}

/** The same with the derivatives about `centre` (LPS): seven images. */
export function renderTileDerivatives(
  context: TileContext,
  camera: Camera,
  centre: Vec3,
  tile: Tile,
  plan: SlabPlan,
  out: readonly Float32Array[]
): void {
  const { kernels, prepared } = context
  const at = scratchAddresses(context)
  const share = sumSlices(context, plan, at.depths)
  writeWarpParameters(context, camera, tile, plan, share, centre)
  const { columns, rows } = plan
  const stride = imageBytes(tile)
  const { width, height } = tile
  kernels.warpDerivatives(
    at.cells,
    at.depths,
    columns,
    rows,
    at.parameters,
    at.tables,
    width,
    height,
    at.pixels,
    stride
  )
  for (let n = 0; n < 7; n++) copyTile(prepared.memory, at.pixels + n * stride, tile, camera, out[n])
}

/** Pixels of the largest tile with derivatives, given those of the largest without. */
export const derivativePixels = (maxPixels: number): number => Math.floor(maxPixels / 7) - 4

export function scratchAddresses({ prepared: { scratch }, slot }: TileContext) {
  const base = scratch.offset + slot * scratch.stride
  return {
    parameters: base + scratch.parameters,
    tables: base + scratch.tables,
    cells: base + scratch.cells,
    depths: base + scratch.depths,
    pixels: base + scratch.pixels,
    entries: base + scratch.entries,
    ranges: base + scratch.ranges
  }
}

/** Runs the slab kernel. @returns how many slices shared a resampling, by which the sums have to be multiplied */
function sumSlices(context: TileContext, plan: SlabPlan, depths: number): number {
  const { kernels, prepared } = context
  const { memory, scratch } = prepared
  const { slab, frame, columns, rows, origin, step } = plan
  const { columnAxis: b, rowAxis: c } = slab
  const at = scratchAddresses(context)
  const share = shareOf(plan, prepared.share)
  const view = new DataView(memory.buffer, at.entries, scratch.maxEntries * ENTRY_BYTES)
  const count = writeEntries(view, plan, share)
  writeRanges(new Uint16Array(memory.buffer, at.ranges, 2 * rows), plan)
  new Float64Array(memory.buffer, at.parameters, 15).set([
    ...[slab.offset, slab.sliceStride, slab.rowStride, slab.size[b], slab.size[c]],
    ...[slab.extents, slab.extentStride, frame.source[b], frame.source[c]],
    ...[...origin, ...step, slab.bytesPerVoxel, share]
  ])
  kernels.slab(at.parameters, at.entries, count, at.ranges, columns, rows, at.cells, depths, at.tables)
  return share
}

/** Voxels by which a slice may be off where it is resampled with others. */
const MAX_OFFSET = 0.65
/** Such offsets average out over the groups of slices, if there are many. */
const MIN_GROUPS = 50

/** How many slices can share a resampling: 1, 2 or 4. */
function shareOf({ planes, slab, fan }: SlabPlan, most: number): number {
  // Planes between slices are blended from two each, and those have to stay where they are.
  if (planes.length > slab.size[slab.slabAxis]) return 1
  // Slices lie over each other for the middle ray; towards the edges of a wide fan they do not.
  const fits = (share: number) => ((share - 1) / 2) * fan <= MAX_OFFSET && planes.length / share >= MIN_GROUPS
  let share = most
  while (share > 1 && !fits(share)) share /= 2
  return share
}

function writeWarpParameters(
  context: TileContext,
  camera: Camera,
  tile: Tile,
  plan: SlabPlan,
  share: number,
  centre: Vec3 | null
): void {
  const { slab, frame, plane, origin, step } = plan
  const { slabAxis: a, columnAxis: b, rowAxis: c } = slab
  const { pixel, principalPoint, sdd } = camera.detector
  const { source, perColumn, perRow } = frame
  const distance = plane - source[a]
  // Linear in column and row: at the tile's first pixel, and the changes.
  const linear = (f: (ray: Vec3) => number) => [
    f(rayDirection(frame, tile.u, tile.v)),
    f(perColumn),
    f(perRow)
  ]
  const onGrid = (k: number, n: 0 | 1) => (ray: Vec3) =>
    ((source[k] - origin[n]) * ray[a] + distance * ray[k]) / step[n]
  const levels = slab.bytesPerVoxel === 1 ? 2048 : 16
  const values = [
    ...linear(onGrid(b, 0)),
    ...linear(onGrid(c, 1)),
    ...linear(ray => ray[a]),
    ...[(tile.u - principalPoint[0]) * pixel[0], pixel[0], 0],
    ...[(tile.v - principalPoint[1]) * pixel[1], 0, pixel[1]],
    ...[sdd, (slab.unit * share) / levels]
  ]
  if (centre) {
    const axis = (v: Vec3, length: number) => [v[a] / length, v[b] / length, v[c] / length]
    const x = axis(perColumn, pixel[0])
    const y = axis(perRow, pixel[1])
    const z = axis(rayDirection(frame, principalPoint[0], principalPoint[1]), sdd)
    values.push(1 / step[0], 1 / step[1], distance)
    values.push(...applyRigid(camera.cameraFromLps, centre))
    for (let k = 0; k < 3; k++) values.push(x[k], y[k], z[k])
  }
  new Float64Array(context.prepared.memory.buffer, scratchAddresses(context).parameters, values.length).set(
    values
  )
}

/** Copies a tile from the pixels of the working memory to its place in the image. */
export function copyTile(
  memory: WebAssembly.Memory,
  pixels: number,
  tile: Tile,
  camera: Camera,
  out: Float32Array
): void {
  const [width] = camera.detector.size
  const result = new Float32Array(memory.buffer, pixels, tile.width * tile.height)
  if (tile.width === width) out.set(result, tile.v * width)
  else
    for (let v = 0; v < tile.height; v++)
      out.set(result.subarray(v * tile.width, (v + 1) * tile.width), (tile.v + v) * width + tile.u)
}
