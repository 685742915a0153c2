import { BackendError } from '../errors.js'
import type { Camera } from '../geometry/camera.js'
import type { Volume } from '../volume/volume.js'
import { instantiateKernels, type SlabKernels } from './kernels.js'
import { type RayFrame, rayDirection, rayFrame } from './ray-frame.js'
import { outputFor, type Renderer } from './renderer.js'
import { planTile, type SlabPlan, splitTile, type Tile } from './slab-plan.js'
import {
  claimSlot,
  ENTRY_BYTES,
  isPreparedVolume,
  type PreparedVolume,
  type PrepareOptions,
  prepareWasmVolume,
  releaseSlot
} from './wasm-volume.js'

export interface WasmRendererOptions extends PrepareOptions {
  /** The working memory of a prepared volume to use, had from {@link claimSlot}. Default: claims a free one. */
  readonly slot?: number
}

/**
 * The fast CPU renderer: a SIMD slab kernel (shear-warp with Joseph's weights on a slice-parallel virtual detector, then
 * one cubic warp to the real one). Any grid orientation, spacing and detector; the slab axis is chosen for each view, and
 * a view whose fan is too wide for one axis is rendered in tiles. Between slices, ends included, the trapezoid rule.
 *
 * @param source a volume (then prepared here), or one from {@link prepareWasmVolume}
 * @throws VolumeError for a volume that is not one; ArgumentError where all slots are taken; BackendError where wasm
 * SIMD is missing
 */
export function createWasmRenderer(
  source: Volume | PreparedVolume,
  options: WasmRendererOptions = {}
): Renderer {
  let prepared: PreparedVolume | null = isPreparedVolume(source) ? source : prepareWasmVolume(source, options)
  const { memory, shared, bytes } = prepared
  const slot = options.slot ?? claimSlot(prepared)
  let kernels: SlabKernels | null = instantiateKernels(memory, shared)
  return {
    backend: 'wasm',
    errorBound: 0.003,
    bytes,
    render(camera, out) {
      if (!prepared || !kernels)
        throw new BackendError('The renderer was disposed of', 'Create another one for the volume.')
      const frame = rayFrame(prepared.grid, camera)
      const data = outputFor(camera, out)
      const [width, height] = camera.detector.size
      const tiles: Tile[] = [{ u: 0, v: 0, width, height }]
      for (let tile = tiles.pop(); tile; tile = tiles.pop()) {
        const { grid, slabs } = prepared
        const plan = planTile(frame, tile, grid.size, slabs)
        if (plan === 'split') tiles.push(...splitTile(tile))
        else if (plan === 'empty') fillTile(data, width, tile)
        else renderTile(prepared, kernels, slot, camera, frame, tile, plan, data)
      }
      return { width, height, data }
    },
    dispose() {
      if (prepared && options.slot === undefined) releaseSlot(prepared, slot)
      prepared = null
      kernels = null
    }
  }
}

function fillTile(data: Float32Array, width: number, tile: Tile): void {
  for (let v = tile.v; v < tile.v + tile.height; v++)
    data.fill(0, v * width + tile.u, v * width + tile.u + tile.width)
}

function renderTile(
  prepared: PreparedVolume,
  kernels: SlabKernels,
  slot: number,
  camera: Camera,
  frame: RayFrame,
  tile: Tile,
  plan: SlabPlan,
  data: Float32Array
): void {
  const { grid, memory, scratch, unit } = prepared
  const { slab, plane, columns, rows, origin, step } = plan
  const { slabAxis: a, columnAxis: b, rowAxis: c } = slab
  const base = scratch.offset + slot * scratch.stride
  const source = frame.source
  const distance = plane - source[a]

  const count = writeEntries(prepared, base + scratch.entries, plan, source[a])
  kernels.slab(
    slab.offset,
    slab.sliceStride,
    slab.rowStride,
    grid.size[b],
    grid.size[c],
    slab.extents,
    slab.extentSliceStride,
    slab.extentRowStride,
    base + scratch.entries,
    count,
    source[b],
    source[c],
    origin[0],
    origin[1],
    step[0],
    step[1],
    columns,
    rows,
    base + scratch.cells,
    base + scratch.tables
  )

  const { pixel, principalPoint, sdd } = camera.detector
  const d = rayDirection(frame, tile.u, tile.v)
  const { perColumn: du, perRow: dv } = frame
  new Float64Array(memory.buffer, base + scratch.parameters, 22).set([
    ...[source[b], source[c], distance, ...origin, ...step],
    // The kernel's sums are in quarters of a voxel level.
    unit / 4,
    ...[d[a], d[b], d[c]],
    ...[du[a], du[b], du[c]],
    ...[dv[a], dv[b], dv[c]],
    ...[(tile.u - principalPoint[0]) * pixel[0], (tile.v - principalPoint[1]) * pixel[1], sdd],
    ...pixel
  ])
  const pixels = base + scratch.pixels
  kernels.warp(
    base + scratch.cells,
    columns,
    rows,
    base + scratch.parameters,
    tile.width,
    tile.height,
    pixels
  )
  const [width] = camera.detector.size
  const result = new Float32Array(memory.buffer, pixels, tile.width * tile.height)
  for (let v = 0; v < tile.height; v++)
    data.set(result.subarray(v * tile.width, (v + 1) * tile.width), (tile.v + v) * width + tile.u)
}

/** Writes the kernel's list of slices; a plane between two slices becomes both, at the plane's magnification. */
function writeEntries(prepared: PreparedVolume, offset: number, plan: SlabPlan, source: number): number {
  const room = prepared.scratch.maxEntries
  const view = new DataView(prepared.memory.buffer, offset, room * ENTRY_BYTES)
  let count = 0
  const write = (slice: number, position: number, weight: number) => {
    view.setInt32(count * ENTRY_BYTES, slice, true)
    view.setFloat64(count * ENTRY_BYTES + 8, (position - source) / (plan.plane - source), true)
    view.setFloat64(count * ENTRY_BYTES + 16, weight, true)
    count++
  }
  for (const { position, weight } of plan.planes) {
    const slice = Math.floor(position)
    const f = position - slice
    if (f < 1) write(slice, position, weight * (1 - f))
    if (f > 0) write(slice + 1, position, weight * f)
  }
  return count
}
