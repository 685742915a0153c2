/**
 * Joseph's kernel (IEEE Trans. Med. Imaging 1, 1982): a ray is followed from slice to slice perpendicular to its main axis
 * and each slice interpolated where the ray crosses it; four neighbouring rays at a time. Nothing is resampled on the
 * way, which makes it the accurate kernel and an independent check of the slab kernel.
 *
 * Joseph takes one sample of a slice. Here it is two, around its plane: what a slice adds to the trilinear volume's
 * integral is the slice along the ray times a hat of ±1 slice, and Gauss's two points for the weight 1 − |x| are at
 * ±1/√6. The slices where a ray enters and leaves the box are integrated by themselves.
 *
 * Voxels are u16 of at most 15 bits (`i32x4.dot_i16x8_s` takes signed numbers).
 */
import {
  AXIS,
  aim,
  B,
  B_STEP,
  C,
  C_STEP,
  FROM,
  LAST_ROW,
  mainAxis,
  RAY,
  ROW_PITCH,
  SCALE,
  SLICE_PITCH,
  sumParts,
  TO,
  VOXELS
} from './joseph-ray'

const GAUSS: f64 = 0.40824829046386302
/**
 * Slices that a block of four columns of pixels is followed through before any of it goes on, because neighbours meet the
 * same cache lines and pages there. So far positions advance in 16.16 fixed point.
 */
const CHUNK: i32 = 16
const BLOCK_ROWS: i32 = 16
/** Of a sample's weights (14 bits) what is left in the sums: 6 bits. Two samples are one slice. */
const SAMPLE_SCALE: f64 = 1.0 / 128.0

// Four rays of one main axis: their records, their sums (f32), the axis, which of them are wanted (bits), the slices that
// all of them cross whole, and where their pixels are.
const SUMS: usize = 4 * RAY
const MAIN_AXIS: usize = SUMS + 16
const WANTED: usize = SUMS + 20
const FIRST: usize = SUMS + 24
const LAST: usize = SUMS + 28
const PIXELS: usize = SUMS + 32
const GROUP: usize = SUMS + 48

/** Bilinear samples of four rays at columns b and rows c (16.16) of the slice at `slice`, times 64. */
function sample(slice: usize, b: v128, c: v128, pitch: v128, rowPitch: usize): v128 {
  const at = i32x4.add(i32x4.mul(i32x4.shr_s(c, 16), pitch), i32x4.shl(i32x4.shr_s(b, 16), 1))
  const p0 = slice + <usize>i32x4.extract_lane(at, 0)
  const p1 = slice + <usize>i32x4.extract_lane(at, 1)
  const p2 = slice + <usize>i32x4.extract_lane(at, 2)
  const p3 = slice + <usize>i32x4.extract_lane(at, 3)
  let near = v128.load32_zero(p0)
  near = v128.load32_lane(p1, near, 1)
  near = v128.load32_lane(p2, near, 2)
  near = v128.load32_lane(p3, near, 3)
  let far = v128.load32_zero(p0 + rowPitch)
  far = v128.load32_lane(p1 + rowPitch, far, 1)
  far = v128.load32_lane(p2 + rowPitch, far, 2)
  far = v128.load32_lane(p3 + rowPitch, far, 3)
  const fraction = i32x4.splat(16383)
  const fb = v128.and(i32x4.shr_u(b, 2), fraction)
  const fc = v128.and(i32x4.shr_u(c, 2), fraction)
  const both = i32x4.shr_u(i32x4.mul(fb, fc), 14)
  const right = i32x4.sub(fb, both)
  const below = i32x4.sub(fc, both)
  const here = i32x4.sub(i32x4.sub(i32x4.splat(16384), fb), below)
  const sum = i32x4.add(
    i32x4.dot_i16x8_s(near, v128.or(here, i32x4.shl(right, 16))),
    i32x4.dot_i16x8_s(far, v128.or(below, i32x4.shl(both, 16)))
  )
  return i32x4.shr_u(sum, 8)
}

function fixed(ray: usize, x: f64): i32 {
  return <i32>Math.floor((load<f64>(ray) + x * load<f64>(ray, 8)) * 65536.0 + 0.5)
}

/** Of four rays `value` + x · the value after it, in 16.16 fixed point. */
function fixedAt(rays: usize, value: usize, x: f64): v128 {
  const ray = rays + value
  let lanes = i32x4.splat(fixed(ray, x))
  lanes = i32x4.replace_lane(lanes, 1, fixed(ray + RAY, x))
  lanes = i32x4.replace_lane(lanes, 2, fixed(ray + 2 * RAY, x))
  return i32x4.replace_lane(lanes, 3, fixed(ray + 3 * RAY, x))
}

/** Adds slices first … last, whole, of a group's rays, in samples' units. */
function addSlices(p: usize, group: usize, first: i32, last: i32): void {
  const q = p + <usize>load<i32>(group, MAIN_AXIS) * AXIS
  const slicePitch = <usize>load<f64>(q, SLICE_PITCH)
  const rowPitch = <usize>load<f64>(q, ROW_PITCH)
  const pitch = i32x4.splat(<i32>rowPitch)
  // Rounding must not lead to a row that the slice does not have; columns have a margin.
  const top = i32x4.splat(0)
  const bottom = i32x4.splat((<i32>load<f64>(q, LAST_ROW)) << 16)
  const bStep = fixedAt(group, B_STEP, 0)
  const cStep = fixedAt(group, C_STEP, 0)
  let b0 = fixedAt(group, B, <f64>first - GAUSS)
  let b1 = fixedAt(group, B, <f64>first + GAUSS)
  let c0 = fixedAt(group, C, <f64>first - GAUSS)
  let c1 = fixedAt(group, C, <f64>first + GAUSS)
  let slice = <usize>load<f64>(q, VOXELS) + <usize>first * slicePitch
  let sums = i32x4.splat(0)
  for (let k = first; k <= last; k++) {
    const row0 = i32x4.min_s(i32x4.max_s(c0, top), bottom)
    const row1 = i32x4.min_s(i32x4.max_s(c1, top), bottom)
    sums = i32x4.add(sums, sample(slice, b0, row0, pitch, rowPitch))
    sums = i32x4.add(sums, sample(slice, b1, row1, pitch, rowPitch))
    b0 = i32x4.add(b0, bStep)
    b1 = i32x4.add(b1, bStep)
    c0 = i32x4.add(c0, cStep)
    c1 = i32x4.add(c1, cStep)
    slice += slicePitch
  }
  v128.store(group, f32x4.add(v128.load(group, SUMS), f32x4.convert_i32x4_s(sums)), SUMS)
}

/** Completes a group whose wanted rays are written. */
function begin(group: usize, axis: i32, wanted: i32, pixels: usize): void {
  // Rays that are not wanted do one's work again, in vain.
  const copied = group + <usize>ctz(wanted) * RAY
  let first = i32.MIN_VALUE
  let last = i32.MAX_VALUE
  for (let lane: i32 = 0; lane < 4; lane++) {
    const ray = group + <usize>lane * RAY
    if (!(wanted & (1 << lane))) memory.copy(ray, copied, RAY)
    first = max(first, <i32>Math.ceil(load<f64>(ray, FROM)) + 1)
    last = min(last, <i32>Math.floor(load<f64>(ray, TO)) - 1)
  }
  v128.store(group, f32x4.splat(0), SUMS)
  store<i32>(group, axis, MAIN_AXIS)
  store<i32>(group, wanted, WANTED)
  store<i32>(group, first, FIRST)
  store<i32>(group, last, LAST)
  store<usize>(group, pixels, PIXELS)
}

/** Adds the slices that not all of a group's rays cross whole, and writes its pixels. */
function finish(p: usize, group: usize): void {
  const axis = load<i32>(group, MAIN_AXIS)
  const wanted = load<i32>(group, WANTED)
  const first = load<i32>(group, FIRST)
  const last = load<i32>(group, LAST)
  for (let lane: i32 = 0; lane < 4; lane++) {
    if (!(wanted & (1 << lane))) continue
    const ray = group + <usize>lane * RAY
    const begin = <i32>Math.floor(load<f64>(ray, FROM))
    const end = <i32>Math.ceil(load<f64>(ray, TO))
    let sum = <f64>load<f32>(group + SUMS + ((<usize>lane) << 2)) * SAMPLE_SCALE
    if (last < first) sum = sumParts(p, axis, ray, begin, end)
    else sum += sumParts(p, axis, ray, begin, first - 1) + sumParts(p, axis, ray, last + 1, end)
    const pixel = load<usize>(group, PIXELS) + ((<usize>lane) << 2)
    store<f32>(pixel, <f32>(sum * load<f64>(ray, SCALE)))
  }
}

/** Writes the groups of four pixels from (i, j) on: one for each main axis of those that meet the box. @returns the next */
function addGroups(p: usize, group: usize, i: i32, j: i32, lanes: i32, pixels: usize): usize {
  for (let axis: i32 = 0, left = lanes; left > 0; axis++) {
    let wanted = 0
    for (let lane: i32 = 0; lane < lanes; lane++) {
      if (mainAxis(p, <f64>(i + lane), <f64>j) != axis) continue
      left--
      if (aim(p, axis, <f64>(i + lane), <f64>j, group + <usize>lane * RAY)) wanted |= 1 << lane
    }
    if (!wanted) continue
    begin(group, axis, wanted, pixels)
    group += GROUP
  }
  return group
}

/**
 * Line integrals of the rays of width × height pixels.
 *
 * @param p parameters: see joseph-ray.ts
 * @param groups working memory, 16 KiB
 * @param out row-major f32, 0 for rays that miss
 */
export function joseph(p: usize, groups: usize, width: i32, height: i32, out: usize): void {
  memory.fill(out, 0, (<usize>(width * height)) << 2)
  for (let v: i32 = 0; v < height; v += BLOCK_ROWS)
    for (let u: i32 = 0; u < width; u += 4) {
      let end = groups
      for (let j = v; j < min(height, v + BLOCK_ROWS); j++)
        end = addGroups(p, end, u, j, min(4, width - u), out + ((<usize>(j * width + u)) << 2))
      let first = i32.MAX_VALUE
      let last = i32.MIN_VALUE
      for (let group = groups; group < end; group += GROUP) {
        first = min(first, load<i32>(group, FIRST))
        last = max(last, load<i32>(group, LAST))
      }
      for (let k = first; k <= last; k += CHUNK)
        for (let group = groups; group < end; group += GROUP) {
          const from = max(k, load<i32>(group, FIRST))
          const to = min(k + CHUNK - 1, load<i32>(group, LAST))
          if (from <= to) addSlices(p, group, from, to)
        }
      for (let group = groups; group < end; group += GROUP) finish(p, group)
    }
}
