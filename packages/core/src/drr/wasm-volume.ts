import { ArgumentError, VolumeError } from '../errors.js'
import type { Vec3 } from '../geometry/linear.js'
import { assertVolume, type Grid, type Volume } from '../volume/volume.js'
import { type AttenuationOptions, type LabelOptions, MU_WATER, voxelAttenuation } from './attenuation.js'
import { copySlabs } from './slab-copy.js'
import { align, placeSlabs, type SlabLayout, type SlabShape, turnSlabs } from './slab-layout.js'

/** Columns of the widest virtual detector: MAXW of assembly/layout.ts. */
export const MAX_COLUMNS = 2048
/** Cells of the largest virtual detector. Larger views are rendered in tiles. */
export const MAX_CELLS = 1 << 20
/** Pixels of the largest tile. */
export const MAX_PIXELS = 1 << 20
/** Bytes of an entry of the slab kernel's list: slice, shift, magnification, weight. */
export const ENTRY_BYTES = 24

/**
 * What a prepared volume is made for:
 * - `'joseph'`: the same voxels as `'finest'`, followed ray by ray (Joseph's kernel) instead of slice by slice: the most
 *   accurate, and independent of the slab kernel; no derivatives; 4 bytes for each voxel;
 * - `'finest'`: 15-bit voxels scaled to the volume's own maximum, so that metal is not clipped, each slice resampled by
 *   itself at half the pixels' spacing: about four times the time of `'fine'`; 4 bytes for each voxel;
 * - `'fine'`: the same voxels, slices resampled four at a time; 4 bytes;
 * - `'fast'`: bytes, dithered so that their sums are right; Hounsfield units above 3,080 are clipped; 2 bytes;
 * - `'draft'`: the same with pairs of slices averaged; 1.5 bytes.
 */
export type RenderQuality = 'joseph' | 'finest' | 'fine' | 'fast' | 'draft'

interface QualityTraits {
  readonly kernel: 'joseph' | 'slab'
  readonly bytesPerVoxel: 1 | 2
  /** Slices averaged to one. */
  readonly slices: 1 | 2
  /** Slices that share a resampling in the kernel. */
  readonly share: 1 | 2 | 4
  /** Cells of the virtual detector, in pixels. */
  readonly cell: number
}

const QUALITIES: Readonly<Record<RenderQuality, QualityTraits>> = {
  joseph: { kernel: 'joseph', bytesPerVoxel: 2, slices: 1, share: 1, cell: 1 },
  finest: { kernel: 'slab', bytesPerVoxel: 2, slices: 1, share: 1, cell: 0.5 },
  fine: { kernel: 'slab', bytesPerVoxel: 2, slices: 1, share: 4, cell: 0.85 },
  fast: { kernel: 'slab', bytesPerVoxel: 1, slices: 1, share: 4, cell: 0.9 },
  draft: { kernel: 'slab', bytesPerVoxel: 1, slices: 2, share: 2, cell: 1 }
}

/**
 * A volume as the wasm renderers read it. A plain record; with a shared memory it can be sent to other threads, which
 * then all render from this one copy.
 */
export interface PreparedVolume {
  readonly grid: Grid
  readonly quality: RenderQuality
  readonly memory: WebAssembly.Memory
  readonly shared: boolean
  /** By level of detail (0: the volume's own voxels; then twice, four times … as large), then by slab axis. */
  readonly levels: readonly (readonly SlabLayout[])[]
  /** Slices that share a resampling in the kernel, and cells of its virtual detector in pixels. */
  readonly share: number
  readonly cell: number
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
  readonly depths: number
  readonly pixels: number
  readonly ranges: number
  readonly entries: number
  /** Entries that a slot has room for. */
  readonly maxEntries: number
}

export interface PrepareOptions extends AttenuationOptions, LabelOptions {
  /** Default `'fine'`. */
  readonly quality?: RenderQuality
  /** Coarser levels of detail to build beside the volume's own voxels, 0 to 3, each with voxels twice as large. Default 0. */
  readonly mips?: number
  /** Put the voxels where other threads can read them (needs `SharedArrayBuffer`). Default false. */
  readonly shared?: boolean
  /** Renderers that can use the volume at the same time, each with a slot of its own. Default 1, or 16 if shared. */
  readonly slots?: number
}

/** Largest value of the 15 bits that the kernel's signed multiplications leave. */
const MAX_LEVEL = 32767
/** What 255 stands for at most, in μ of water: 3,080 HU. */
const MAX_BYTE = 4.08
const PAGE = 65536
/** At the start of the memory: for each slot whether a renderer has it, as an i32. */
const SLOT_TABLE_BYTES = 1024

/**
 * Converts a volume to attenuation and lays it out for the slab kernel: a copy for each of the two axial axes; the axis
 * nearest to superior/inferior, which C-arm views hardly ever look along, shares one of them at a longer stride (where
 * slices are averaged it has its own).
 *
 * @throws VolumeError for a volume that is not one, or too large for a wasm memory, before any work; ArgumentError for
 * labels, slots or mips out of range, and for mips of quality `'joseph'`
 */
export function prepareWasmVolume(volume: Volume, options: PrepareOptions = {}): PreparedVolume {
  const { quality = 'fine', mips = 0, shared = false, slots = shared ? 16 : 1 } = options
  assertRange('slots', slots, 1, SLOT_TABLE_BYTES / 4)
  assertRange('mips', mips, 0, 3)
  const traits = QUALITIES[quality]
  if (!traits)
    throw new ArgumentError(
      `There is no quality "${quality}"`,
      `Take one of ${Object.keys(QUALITIES).join(', ')}.`
    )
  if (traits.kernel === 'joseph' && mips > 0)
    throw new ArgumentError(
      'Quality "joseph" has no coarser levels of detail: it is there for the volume as it is',
      'Leave out mips, or prepare the volume with quality "fine".'
    )
  const { size } = volume
  // Where everything goes does not depend on the unit, so that a volume too large is refused before it is looked at.
  const plan = (unit: number) => placeLevels(volume, traits, mips, unit)
  const scratch = scratchLayout(plan(1).end, slots, Math.max(...size))
  const pages = Math.ceil((scratch.offset + scratch.stride * slots) / PAGE)
  if (pages > PAGE)
    throw new VolumeError(
      `The volume of ${size.join(' × ')} voxels needs ${(pages / 16384).toFixed(1)} GiB; wasm has 4`,
      'Crop the volume to the anatomy, resample it to coarser voxels or prepare it with quality "draft".'
    )
  assertVolume(volume)
  const attenuation = voxelAttenuation(volume, options)
  const { levels, copies, end } = plan(unitOf(attenuation.maximum, traits, options))
  const memory = createMemory(pages, shared)
  for (const { slab, turned } of copies) copySlabs(attenuation, size, slab, turned, memory.buffer)
  return {
    grid: { size, spacing: volume.spacing, origin: volume.origin, direction: volume.direction },
    quality,
    memory,
    shared,
    levels,
    share: traits.share,
    cell: traits.cell,
    scratch,
    bytes: end
  }
}

function assertRange(name: string, value: number, least: number, most: number): void {
  if (!(Number.isInteger(value) && value >= least && value <= most))
    throw new ArgumentError(
      `${value} ${name} were asked for`,
      `Give a whole number from ${least} to ${most}${name === 'slots' ? ': one for each renderer at a time' : ''}.`
    )
}

function unitOf(maximum: number, { bytesPerVoxel }: QualityTraits, options: AttenuationOptions): number {
  if (!(maximum > 0)) return 1
  if (bytesPerVoxel === 2) return maximum / MAX_LEVEL
  const { convert = 'hu', muWater = MU_WATER } = options
  return (convert === 'linear' ? maximum : Math.min(maximum, MAX_BYTE * muWater)) / 255
}

interface Copy {
  readonly slab: SlabLayout
  readonly turned: SlabLayout | null
}

function placeLevels(
  { size, spacing, direction }: Volume,
  traits: QualityTraits,
  mips: number,
  unit: number
) {
  const up = [0, 1, 2].reduce((best, a) =>
    Math.abs(direction[6 + a]) > Math.abs(direction[6 + best]) ? a : best
  )
  const [p, q] = [0, 1, 2].filter(a => a !== up)
  const finest = Math.min(...spacing)
  const copies: Copy[] = []
  let end = SLOT_TABLE_BYTES
  const place = (shape: Pick<SlabShape, 'slabAxis' | 'columnAxis' | 'rowAxis' | 'reduction'>) => {
    const placed = placeSlabs(
      size,
      { ...shape, bytesPerVoxel: traits.bytesPerVoxel, fallOff: traits.kernel === 'slab', unit },
      end
    )
    end = placed.end
    return placed.slab
  }
  const levels = Array.from({ length: mips + 1 }, (_, level) => {
    // Thick slices are not averaged before the other axes have caught up with them.
    const reduction = spacing.map(s => Math.max(1, Math.round((2 ** level * finest) / s))) as unknown as Vec3
    const along = (axis: number) =>
      (level === 0 ? reduction.map((r, a) => (a === axis ? traits.slices : r)) : reduction) as unknown as Vec3
    const slabs: SlabLayout[] = []
    slabs[q] = place({ slabAxis: q, columnAxis: p, rowAxis: up, reduction: along(q) })
    slabs[p] = place({ slabAxis: p, columnAxis: q, rowAxis: up, reduction: along(p) })
    let turned: SlabLayout | null = null
    // Averaged copies have a rim in their slices' plane only, which does not do for another plane.
    if (along(q).every(r => r === 1)) {
      const t = turnSlabs(slabs[q], end)
      turned = t.slab
      end = t.end
      slabs[up] = turned
    } else {
      slabs[up] = place({ slabAxis: up, columnAxis: p, rowAxis: q, reduction: along(up) })
      copies.push({ slab: slabs[up], turned: null })
    }
    copies.push({ slab: slabs[q], turned }, { slab: slabs[p], turned: null })
    return slabs
  })
  return { levels, copies, end }
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
  const tables = parameters + 1024
  const cells = tables + align(MAX_COLUMNS * 9 + 256 + (longestAxis + 64) * 2)
  const depths = cells + MAX_CELLS * 4
  const pixels = depths + MAX_CELLS * 4
  const ranges = pixels + MAX_PIXELS * 4 + 64
  const entries = ranges + align(MAX_CELLS / 2)
  const stride = align(entries + maxEntries * ENTRY_BYTES)
  return { offset, stride, slots, parameters, tables, cells, depths, pixels, ranges, entries, maxEntries }
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

export const isPreparedVolume = (v: Volume | PreparedVolume): v is PreparedVolume => 'levels' in v
