import { ArgumentError, VolumeError } from '../errors.js'
import type { Vec3 } from '../geometry/linear.js'
import { assertVolume, type Grid, type Volume, type VoxelArray } from '../volume/volume.js'
import { type AttenuationOptions, attenuationOf, maximumOf } from './attenuation.js'

/** Columns of the widest virtual detector: MAXW of assembly/slab.ts. */
export const MAX_COLUMNS = 2048
/** Cells of the largest virtual detector. Larger views are rendered in tiles. */
export const MAX_CELLS = 1 << 20
/** Pixels of the largest tile. */
export const MAX_PIXELS = 1 << 20
/** Bytes of an entry of the slab kernel's list: slice, magnification, weight. */
export const ENTRY_BYTES = 24
/** The kernel's tables for the four slices it takes at a time: SLICE of assembly/slab.ts. */
const SLICE_BYTES = MAX_COLUMNS * 13 + 256
const TABLE_BYTES = SLICE_BYTES * 4

/** How the slab kernel walks the volume along one index axis. */
export interface SlabLayout {
  /** Index axes (0 = i, 1 = j, 2 = k): across slices, along a voxel row, from row to row. */
  readonly slabAxis: number
  readonly columnAxis: number
  readonly rowAxis: number
  /** Bytes. */
  readonly offset: number
  readonly sliceStride: number
  readonly rowStride: number
  /** First and last + 1 voxel of every row that is not 0, as two u16; bytes. Air costs nothing that way. */
  readonly extents: number
  readonly extentSliceStride: number
  readonly extentRowStride: number
}

/**
 * A volume as the wasm renderers read it. A plain record; with a shared memory it can be sent to other threads, which
 * then all render from this one copy.
 */
export interface PreparedVolume {
  readonly grid: Grid
  readonly memory: WebAssembly.Memory
  readonly shared: boolean
  /** By slab axis. */
  readonly slabs: readonly SlabLayout[]
  /** Attenuation of voxel value 1, in 1/mm. */
  readonly unit: number
  /** Working memory of the renderers, one slot each. */
  readonly scratch: ScratchLayout
  /** Size of the voxel copies, bytes. */
  readonly bytes: number
}

/** Working memory: `slots` areas of `stride` bytes from `offset`; the parts are byte offsets into one slot. */
export interface ScratchLayout {
  readonly offset: number
  readonly stride: number
  readonly slots: number
  readonly parameters: number
  readonly tables: number
  readonly cells: number
  readonly pixels: number
  readonly entries: number
  /** Entries that a slot has room for. */
  readonly maxEntries: number
}

export interface PrepareOptions extends AttenuationOptions {
  /** Put the voxels where other threads can read them (needs `SharedArrayBuffer`). Default false. */
  readonly shared?: boolean
  /** Renderers that can use the volume at the same time, each with a slot of its own. Default 1, or 16 if shared. */
  readonly slots?: number
}

/** Largest value of the 15 bits that the kernel's signed multiplications leave. */
const MAX_LEVEL = 32767
const PAGE = 65536
/** At the start of the memory: for each slot whether a renderer has it, as an i32. */
const SLOT_TABLE_BYTES = 1024
const align = (n: number) => Math.ceil(n / 64) * 64

/**
 * Converts a volume to attenuation in 15 bits, scaled to its own maximum so that metal is not clipped, and lays it out
 * for the slab kernel: two copies of 2 bytes a voxel. Each of the two axial axes has slabs of its own; the axis nearest
 * to superior/inferior, which C-arm views hardly ever look along, shares one of them at a longer stride.
 *
 * @throws VolumeError for a volume that is not one, or too large for a wasm memory
 */
export function prepareWasmVolume(volume: Volume, options: PrepareOptions = {}): PreparedVolume {
  assertVolume(volume)
  const { shared = false, slots = shared ? 16 : 1 } = options
  if (!(Number.isInteger(slots) && slots > 0 && slots <= SLOT_TABLE_BYTES / 4))
    throw new ArgumentError(
      `${slots} slots were asked for`,
      `Give a whole number from 1 to ${SLOT_TABLE_BYTES / 4}: one for each renderer at a time.`
    )
  const { size } = volume
  const { levels, unit } = quantise(volume.data, options)

  const up = [0, 1, 2].reduce((best, a) =>
    Math.abs(volume.direction[6 + a]) > Math.abs(volume.direction[6 + best]) ? a : best
  )
  const [p, q] = [0, 1, 2].filter(a => a !== up)
  const rowStride = (axis: number) => Math.max(8, size[axis]) * 2
  let end = SLOT_TABLE_BYTES
  const place = (slabAxis: number, columnAxis: number): SlabLayout => {
    const rows = size[slabAxis] * size[up]
    const offset = end
    const extents = align(offset + rows * rowStride(columnAxis))
    end = align(extents + rows * 4)
    return {
      slabAxis,
      columnAxis,
      rowAxis: up,
      offset,
      sliceStride: rowStride(columnAxis) * size[up],
      rowStride: rowStride(columnAxis),
      extents,
      extentSliceStride: 4 * size[up],
      extentRowStride: 4
    }
  }
  const slabs: SlabLayout[] = []
  slabs[q] = place(q, p)
  slabs[p] = place(p, q)
  // The rows of the first copy, walked the other way round.
  slabs[up] = {
    ...slabs[q],
    slabAxis: up,
    rowAxis: q,
    sliceStride: slabs[q].rowStride,
    rowStride: slabs[q].sliceStride,
    extentSliceStride: slabs[q].extentRowStride,
    extentRowStride: slabs[q].extentSliceStride
  }
  const scratch = scratchLayout(end, slots, Math.max(...size))
  const pages = Math.ceil((scratch.offset + scratch.stride * slots) / PAGE)
  if (pages > PAGE)
    throw new VolumeError(
      `The volume of ${size.join(' × ')} voxels needs ${(pages / 16384).toFixed(1)} GiB; wasm has 4`,
      'Crop the volume to the anatomy or resample it to coarser voxels.'
    )

  const memory = createMemory(pages, shared)
  for (const slab of [slabs[q], slabs[p]]) {
    copySlabs(levels, size, slab, memory.buffer)
    markExtents(size, slab, memory.buffer)
  }

  return {
    grid: { size, spacing: volume.spacing, origin: volume.origin, direction: volume.direction },
    memory,
    shared,
    slabs,
    unit,
    scratch,
    bytes: end
  }
}

function createMemory(pages: number, shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory(
      // The kernels declare the maximum of a shared memory as all there is.
      shared ? { initial: pages, maximum: PAGE, shared } : { initial: pages, maximum: pages }
    )
  } catch (cause) {
    throw new VolumeError(
      `There is no memory for the ${(pages / 16).toFixed(0)} MiB of the prepared volume`,
      'Close other programs, crop the volume or resample it to coarser voxels.',
      { cause }
    )
  }
}

function scratchLayout(offset: number, slots: number, longestAxis: number): ScratchLayout {
  const maxEntries = 8 * longestAxis + 8
  const parameters = 0
  const tables = parameters + 256
  const cells = tables + align(TABLE_BYTES)
  const pixels = cells + MAX_CELLS * 4
  const entries = pixels + MAX_PIXELS * 4
  const stride = align(entries + maxEntries * ENTRY_BYTES)
  return { offset, stride, slots, parameters, tables, cells, pixels, entries, maxEntries }
}

/** Attenuation as levels 0…32767 of `unit` 1/mm, in the volume's own order. */
function quantise(data: VoxelArray, options: AttenuationOptions): { levels: Uint16Array; unit: number } {
  const mu = attenuationOf(options)
  const top = mu(maximumOf(data))
  const unit = top > 0 ? top / MAX_LEVEL : 1
  const level = (v: number) => Math.round(mu(v) / unit)
  const levels = new Uint16Array(data.length)
  if (data instanceof Float32Array || data instanceof Int32Array) {
    for (let i = 0; i < data.length; i++) levels[i] = level(data[i])
    return { levels, unit }
  }
  // 16 bits at most: a table is several times as fast as the arithmetic.
  const table = new Uint16Array(65536)
  const lowest = data instanceof Int16Array || data instanceof Int8Array ? -32768 : 0
  const highest = maximumOf(data)
  for (let v = lowest; v <= highest; v++) table[v & 0xffff] = level(v)
  for (let i = 0; i < data.length; i++) levels[i] = table[data[i] & 0xffff]
  return { levels, unit }
}

/** Reorders the voxels to slabs, in blocks that stay in the cache. */
function copySlabs(levels: Uint16Array, size: Vec3, slab: SlabLayout, buffer: ArrayBufferLike): void {
  const stride = [1, size[0], size[0] * size[1]]
  const { slabAxis: a, columnAxis: b, rowAxis: c } = slab
  const out = new Uint16Array(buffer, slab.offset, (size[a] * slab.sliceStride) / 2)
  const perSlice = slab.sliceStride / 2
  const perRow = slab.rowStride / 2
  const step = stride[b]
  const block = 64
  for (let z = 0; z < size[c]; z++)
    for (let a0 = 0; a0 < size[a]; a0 += block)
      for (let b0 = 0; b0 < size[b]; b0 += block) {
        const aEnd = Math.min(size[a], a0 + block)
        const bEnd = Math.min(size[b], b0 + block)
        for (let x = a0; x < aEnd; x++) {
          let to = x * perSlice + z * perRow + b0
          let from = x * stride[a] + z * stride[c] + b0 * step
          for (let y = b0; y < bEnd; y++, to++, from += step) out[to] = levels[from]
        }
      }
}

/** Writes the extents of a copy's rows. */
function markExtents(size: Vec3, slab: SlabLayout, buffer: ArrayBufferLike): void {
  const rows = size[slab.slabAxis] * size[slab.rowAxis]
  const pitch = slab.rowStride / 2
  const voxels = new Uint16Array(buffer, slab.offset, rows * pitch)
  const extents = new Uint16Array(buffer, slab.extents, rows * 2)
  const n = size[slab.columnAxis]
  for (let r = 0; r < rows; r++) {
    const row = r * pitch
    let first = 0
    let end = n
    while (first < end && voxels[row + first] === 0) first++
    while (end > first && voxels[row + end - 1] === 0) end--
    extents[2 * r] = first
    extents[2 * r + 1] = end
  }
}

const slotTable = (v: PreparedVolume) => new Int32Array(v.memory.buffer, 0, v.scratch.slots)

/**
 * Takes a free slot, from any thread. {@link createWasmRenderer} does so by itself; a pool does it for its workers, so
 * that the slot of one that dies can be given back.
 * @throws ArgumentError if all are taken
 */
export function claimSlot(prepared: PreparedVolume): number {
  const table = slotTable(prepared)
  const slot = table.findIndex((_, n) => Atomics.compareExchange(table, n, 0, 1) === 0)
  if (slot < 0)
    throw new ArgumentError(
      `All ${table.length} slots of the prepared volume have a renderer`,
      'Dispose of a renderer, or prepare the volume with more slots.'
    )
  return slot
}

/** Gives a slot back. */
export function releaseSlot(prepared: PreparedVolume, slot: number): void {
  Atomics.store(slotTable(prepared), slot, 0)
}

export const isPreparedVolume = (v: Volume | PreparedVolume): v is PreparedVolume => 'slabs' in v
