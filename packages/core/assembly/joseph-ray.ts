/** A ray of the Joseph kernel: its main axis, where it meets the volume, and the slices that it meets in part. */

// Parameters (f64 each, josephParameters of joseph-tile.ts): a block for each main axis, of voxels in the order main axis
// (a), along a voxel row (b), across the rows (c); then what makes mm of a ray.
export const AXIS: usize = 21 * 8
export const VOXELS: usize = 0
export const SLICE_PITCH: usize = 8
export const ROW_PITCH: usize = 16
/** The box that holds all that is not 0: first and last voxel by a, b, c. */
const BOX: usize = 24
export const LAST_ROW: usize = 64
const SOURCE: usize = 72
/** Ray of the first pixel, and its changes per column and per row. */
const FIRST: usize = 96
const PER_COLUMN: usize = 120
const PER_ROW: usize = 144
/** After the blocks: x and y of the first ray (mm), each with its change, the detector's distance, and the unit. */
const LENGTHS: usize = 3 * AXIS

// Record of a ray: where it is inside the box along a (f64), b and c at a = 0 with their changes from slice to slice,
// and the integral's value for each unit of the sum.
export const RAY: usize = 56
export const FROM: usize = 0
export const TO: usize = 8
export const B: usize = 16
export const B_STEP: usize = 24
export const C: usize = 32
export const C_STEP: usize = 40
export const SCALE: usize = 48

function direction(q: usize, u: f64, v: f64): f64 {
  return load<f64>(q, FIRST) + u * load<f64>(q, PER_COLUMN) + v * load<f64>(q, PER_ROW)
}

/** The axis along which the ray of pixel (u, v) moves most. */
export function mainAxis(p: usize, u: f64, v: f64): i32 {
  const x = Math.abs(direction(p, u, v))
  const y = Math.abs(direction(p + AXIS, u, v))
  const z = Math.abs(direction(p + 2 * AXIS, u, v))
  return x >= y ? (x >= z ? 0 : 2) : y >= z ? 1 : 2
}

let from: f64 = 0
let to: f64 = 0

/** Cuts the ray where at + x·step leaves the box. */
function clip(q: usize, at: f64, step: f64): void {
  const low = load<f64>(q, BOX)
  const high = load<f64>(q, BOX + 8)
  if (step == 0) {
    if (at < low || at > high) to = from
    return
  }
  const x0 = (low - at) / step
  const x1 = (high - at) / step
  from = Math.max(from, Math.min(x0, x1))
  to = Math.min(to, Math.max(x0, x1))
}

/** Writes the record of pixel (u, v)'s ray along its main axis. @returns whether it meets the box */
export function aim(p: usize, axis: i32, u: f64, v: f64, ray: usize): bool {
  const q = p + <usize>axis * AXIS
  const a = direction(q, u, v)
  const source = load<f64>(q, SOURCE)
  const bStep = direction(q + 8, u, v) / a
  const cStep = direction(q + 16, u, v) / a
  const b = load<f64>(q, SOURCE + 8) - source * bStep
  const c = load<f64>(q, SOURCE + 16) - source * cStep
  from = load<f64>(q, BOX)
  to = load<f64>(q, BOX + 8)
  if (a > 0) from = Math.max(from, source)
  else to = Math.min(to, source)
  clip(q + 16, b, bStep)
  clip(q + 32, c, cStep)
  if (!(to > from)) return false
  const x = load<f64>(p, LENGTHS) + u * load<f64>(p, LENGTHS + 8)
  const y = load<f64>(p, LENGTHS + 16) + v * load<f64>(p, LENGTHS + 24)
  const z = load<f64>(p, LENGTHS + 32)
  store<f64>(ray, from, FROM)
  store<f64>(ray, to, TO)
  store<f64>(ray, b, B)
  store<f64>(ray, bStep, B_STEP)
  store<f64>(ray, c, C)
  store<f64>(ray, cStep, C_STEP)
  store<f64>(ray, (Math.sqrt(x * x + y * y + z * z) * load<f64>(p, LENGTHS + 40)) / Math.abs(a), SCALE)
  return true
}

/** Slice k where the ray is at x along a, bilinear. */
function bilinear(q: usize, ray: usize, k: i32, x: f64): f64 {
  // Rounding must not lead out of the box: a voxel there would be another row's.
  const b = Math.max(
    load<f64>(q, BOX + 16),
    Math.min(load<f64>(q, BOX + 24), load<f64>(ray, B) + x * load<f64>(ray, B_STEP))
  )
  const c = Math.max(
    load<f64>(q, BOX + 32),
    Math.min(load<f64>(q, BOX + 40), load<f64>(ray, C) + x * load<f64>(ray, C_STEP))
  )
  const column = <i32>b
  const row = <i32>c
  const pitch = <usize>load<f64>(q, ROW_PITCH)
  const near =
    <usize>load<f64>(q, VOXELS) +
    <usize>k * <usize>load<f64>(q, SLICE_PITCH) +
    <usize>row * pitch +
    ((<usize>column) << 1)
  const f = b - <f64>column
  const n0 = <f64>load<u16>(near)
  const n1 = <f64>load<u16>(near, 2)
  const f0 = <f64>load<u16>(near + pitch)
  const f1 = <f64>load<u16>(near + pitch, 2)
  const above = n0 + f * (n1 - n0)
  const below = f0 + f * (f1 - f0)
  return above + (c - <f64>row) * (below - above)
}

/**
 * The integral over x0 … x1, on one side of slice k, of the slice times its hat 1 − |x − k|: linear interpolation between
 * slices gives it that share of the ray. Simpson's rule.
 */
function part(q: usize, ray: usize, k: i32, x0: f64, x1: f64): f64 {
  if (!(x1 > x0)) return 0
  const middle = (x0 + x1) / 2
  const centre = <f64>k
  return (
    ((x1 - x0) / 6) *
    ((1 - Math.abs(x0 - centre)) * bilinear(q, ray, k, x0) +
      4 * (1 - Math.abs(middle - centre)) * bilinear(q, ray, k, middle) +
      (1 - Math.abs(x1 - centre)) * bilinear(q, ray, k, x1))
  )
}

/** Sum of slices first … last for as much of their hats as the ray has inside the box. */
export function sumParts(p: usize, axis: i32, ray: usize, first: i32, last: i32): f64 {
  const q = p + <usize>axis * AXIS
  const from = load<f64>(ray, FROM)
  const to = load<f64>(ray, TO)
  let sum = 0.0
  for (let k = first; k <= last; k++) {
    const x = <f64>k
    sum += part(q, ray, k, Math.max(from, x - 1), Math.min(to, x))
    sum += part(q, ray, k, Math.max(from, x), Math.min(to, x + 1))
  }
  return sum
}
