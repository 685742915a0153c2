import type { SlabPlan } from './slab-plan.js'
import { ENTRY_BYTES } from './wasm-volume.js'

/**
 * Writes the kernel's list of slices, in groups that share a resampling; a plane between two slices becomes both, at the
 * plane's magnification.
 * @param share slices to a group: 1, 2 or 4
 * @returns how many there are
 */
export function writeEntries(view: DataView, plan: SlabPlan, share: number): number {
  const { planes, plane, weight, slab, frame } = plan
  const source = frame.source[slab.slabAxis]
  const last = slab.size[slab.slabAxis] - 1
  const shifts = groupShifts(plan.shear, share)
  let count = 0
  const write = (slice: number, position: number, weight: number) => {
    const at = count * ENTRY_BYTES
    view.setInt32(at, slice, true)
    view.setInt32(at + 4, shifts[count % share], true)
    view.setFloat64(at + 8, (position - source) / (plane - source), true)
    view.setFloat64(at + 16, weight, true)
    count++
  }
  for (const position of planes) {
    const slice = Math.floor(position)
    const f = position - slice
    if (slice >= 0) write(slice, position, weight * (1 - f))
    if (f > 0 && slice < last) write(slice + 1, position, weight * f)
  }
  // A last group that is not full.
  while (count % share) write(Math.floor(planes[planes.length - 1]), planes[planes.length - 1], 0)
  return count
}

/**
 * Whole voxels by which to move the slices of a group so that a ray that moves `shear` voxels from slice to slice
 * meets them all at nearly the same column.
 */
export function groupShifts(shear: number, share: number): number[] {
  const at = Array.from({ length: share }, (_, k) => (k - (share - 1) / 2) * shear)
  let best = at.map(Math.round)
  let least = Number.POSITIVE_INFINITY
  for (let phase = -0.5; phase < 0.5; phase += 0.125) {
    const shifts = at.map(x => Math.round(x + phase))
    const rest = at.map((x, k) => x - shifts[k])
    const mean = rest.reduce((s, x) => s + x, 0) / share
    const spread = rest.reduce((s, x) => s + (x - mean) ** 2, 0)
    if (spread < least - 1e-9) {
      least = spread
      best = shifts
    }
  }
  return best
}

/** Cells around the tile's outline that the cubic interpolation reads. */
const RIM = 2

/** Writes for every grid row the columns that the tile's pixels need, in groups of eight: first, last + 1. */
export function writeRanges(ranges: Uint16Array, plan: SlabPlan): void {
  const { origin, step, columns, rows } = plan
  const outline = plan.outline.map(([b, c]) => [(b - origin[0]) / step[0], (c - origin[1]) / step[1]])
  for (let j = 0; j < rows; j++) {
    let from = Number.POSITIVE_INFINITY
    let to = Number.NEGATIVE_INFINITY
    outline.forEach(([x0, y0], n) => {
      const [x1, y1] = outline[(n + 1) % outline.length]
      // The part of this edge that the band of rows j ± RIM holds.
      const [low, high] = [j - RIM, j + RIM]
      if (Math.max(y0, y1) < low || Math.min(y0, y1) > high) return
      for (const y of [Math.max(low, Math.min(y0, high)), Math.max(low, Math.min(y1, high))]) {
        const x = y1 === y0 ? x0 : x0 + ((y - y0) / (y1 - y0)) * (x1 - x0)
        from = Math.min(from, x, ...(y1 === y0 ? [x1] : []))
        to = Math.max(to, x, ...(y1 === y0 ? [x1] : []))
      }
    })
    ranges[2 * j] = Math.max(0, Math.floor(Math.max(0, from - RIM) / 8))
    ranges[2 * j + 1] = Math.max(0, Math.ceil(Math.min(columns, to + RIM + 1) / 8))
  }
}
