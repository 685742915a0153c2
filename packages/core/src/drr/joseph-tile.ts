import type { Camera } from '../geometry/camera.js'
import { type RayFrame, rayDirection, rayFrame } from './ray-frame.js'
import type { SlabLayout } from './slab-layout.js'
import { splitTile, type Tile } from './slab-plan.js'
import { copyTile, scratchAddresses, type TileContext } from './wasm-tile.js'
import { MAX_PIXELS } from './wasm-volume.js'

/** First and last voxel between which a copy is not 0 everywhere, by index axis; it falls off to 0 at them, or ends. */
export interface ContentBox {
  readonly low: readonly number[]
  readonly high: readonly number[]
}

/** The box of what there is to see, from the extents that the slab kernel skips air by. Empty: high below low. */
export function contentBox(slab: SlabLayout, buffer: ArrayBufferLike): ContentBox {
  const { slabAxis: a, columnAxis: b, rowAxis: c, size, extents } = slab
  const pairs = new Uint32Array(buffer, extents, size[a] * (size[c] + 1))
  const first = [...size]
  const last = [-1, -1, -1]
  const take = (axis: number, from: number, to: number) => {
    first[axis] = Math.min(first[axis], from)
    last[axis] = Math.max(last[axis], to)
  }
  pairs.forEach((extent, n) => {
    const [from, end] = [extent & 0xffff, extent >>> 16]
    if (end <= from) return
    // Of rows r − 1 and r: which of them is not empty, the pairs beside it tell.
    const r = n % (size[c] + 1)
    take(a, Math.floor(n / (size[c] + 1)), Math.floor(n / (size[c] + 1)))
    take(b, from, end - 1)
    take(c, r, r - 1)
  })
  return {
    low: first.map(x => Math.max(0, x - 1)),
    high: last.map((x, axis) => (x < 0 ? -1 : Math.min(size[axis] - 1, x + 1)))
  }
}

/**
 * Integrates the rays of a camera with the Joseph kernel, each along its own main axis.
 * @param slabs copies by slab axis, with the box of what each shows; voxels are the volume's own
 */
export function renderJoseph(
  context: TileContext,
  camera: Camera,
  slabs: readonly SlabLayout[],
  boxes: readonly ContentBox[],
  out: Float32Array
): void {
  const frame = rayFrame(context.prepared.grid, camera)
  const [width, height] = camera.detector.size
  const tiles: Tile[] = [{ u: 0, v: 0, width, height }]
  for (let tile = tiles.pop(); tile; tile = tiles.pop())
    if (tile.width * tile.height > MAX_PIXELS) tiles.push(...splitTile(tile))
    else renderTile(context, camera, tile, frame, slabs, boxes, out)
}

function renderTile(
  context: TileContext,
  camera: Camera,
  tile: Tile,
  frame: RayFrame,
  slabs: readonly SlabLayout[],
  boxes: readonly ContentBox[],
  out: Float32Array
): void {
  const { kernels, prepared } = context
  const at = scratchAddresses(context)
  const values = slabs.flatMap((slab, n) => axisParameters(frame, tile, slab, boxes[n]))
  const { pixel, principalPoint, sdd } = camera.detector
  values.push(
    ...[(tile.u - principalPoint[0]) * pixel[0], pixel[0]],
    ...[(tile.v - principalPoint[1]) * pixel[1], pixel[1]],
    ...[sdd, slabs[0].unit]
  )
  new Float64Array(prepared.memory.buffer, at.parameters, values.length).set(values)
  kernels.joseph(at.parameters, at.tables, tile.width, tile.height, at.pixels)
  copyTile(prepared.memory, at.pixels, tile, camera, out)
}

function axisParameters(frame: RayFrame, tile: Tile, slab: SlabLayout, box: ContentBox): number[] {
  const axes = [slab.slabAxis, slab.columnAxis, slab.rowAxis]
  const first = rayDirection(frame, tile.u, tile.v)
  return [
    ...[slab.offset, slab.sliceStride, slab.rowStride],
    ...axes.flatMap(k => [box.low[k], box.high[k]]),
    ...[frame.source, first, frame.perColumn, frame.perRow].flatMap(v => axes.map(k => v[k]))
  ]
}
