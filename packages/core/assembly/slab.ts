/**
 * Slab kernel: line integrals on a slice-parallel virtual detector (shear-warp factorisation with Joseph's weights;
 * Lacroute & Levoy 1994, Joseph 1982). For a point source every slice, seen on a plane parallel to it, is only scaled
 * and shifted, so that its resampling is separable and needs no gathers: which is what makes it fast on SIMD.
 *
 * Down the rows each slice is blended at its own magnification. Along the rows up to four neighbouring slices, moved by
 * whole voxels to lie over each other, share one resampling at their mean magnification, because that is the dearer half
 * of the work. What is left of their shifts is a fraction of a voxel and cancels to first order.
 *
 * Voxels are u16 of at most 15 bits (`i32x4.dot_i16x8_s` takes signed numbers), or u8.
 */
import { blendBytes, blendWords } from './blend'
import {
  BASES,
  BLEND,
  EXTENTS,
  MARGIN,
  PAIR,
  POSITION,
  ROWS,
  SHIFT,
  SLICE,
  STATE,
  STEP,
  UPPER,
  WEIGHT,
  WEIGHTS
} from './layout'

/** Bytes of a record in the list of slices; `ENTRY_BYTES` of wasm-volume.ts. */
const ENTRY: usize = 24
/** Fractions of 32.32 fixed point. */
const ONE: f64 = 4294967296.0
/** Positions are kept where their fixed point cannot overflow; anything this far out is outside. */
const FAR: f64 = 1e6

/**
 * Tables of a group: grid column i lies at voxel x + i·dx of the blended row, which begins MARGIN voxels before the
 * volume. At most 8 voxels for 4 columns: dx <= 2.
 */
function makeTables(t: usize, columns: i32, x: f64, dx: f64, voxels: i32): void {
  // Past the volume there is nothing for the half of a row's margin: any place there will do for what is further out.
  const from = MARGIN / 2
  const to = MARGIN + voxels + 3
  const lowest = i32x4.splat(from << 14)
  const span = i32x4.splat((to - from) << 14)
  const step = <i32>(dx * 16384.0 + 0.5)
  const steps = i32x4.mul(i32x4(0, 1, 2, 3), i32x4.splat(step))
  for (let e: i32 = 0; e < columns >> 2; e++) {
    const x0 = Math.max(-16.0, Math.min(x + 4.0 * <f64>e * dx, <f64>to + 16.0))
    const base = max(0, min(to, <i32>Math.floor(x0)))
    store<i32>(t + BASES + ((<usize>e) << 2), base << 1)
    const f = i32x4.add(steps, i32x4.splat(<i32>Math.floor((x0 - <f64>base) * 16384.0 + 0.5)))
    const above = i32x4.add(f, i32x4.sub(i32x4.splat(base << 14), lowest))
    const inside = v128.and(i32x4.ge_s(above, i32x4.splat(0)), i32x4.le_s(above, span))
    const w = v128.and(f, i32x4.splat(16383))
    const pair = v128.or(i32x4.sub(i32x4.splat(16384), w), i32x4.shl(w, 16))
    v128.store(t + WEIGHTS + ((<usize>e) << 4), v128.and(pair, inside))
    const o = v128.and(i32x4.shr_s(f, 14), inside)
    v128.store(
      t + ((<usize>e) << 4),
      i32x4.add(i32x4.mul(o, i32x4.splat(0x02020202)), i32x4.splat(0x03020100))
    )
  }
}

/** Voxels of the blended row in which the present grid row is not 0. */
let first: i32 = 0
let end: i32 = 0

/** Finds a slice's two voxel rows for the present grid row and their weights, and goes on to the next grid row. */
function takeRows(state: usize, rowVoxels: i32, pitch: usize): void {
  const z = load<i64>(state, POSITION)
  store<i64>(state, z + load<i64>(state, STEP), POSITION)
  store<i32>(state, 0, PAIR)
  let i = <i32>(z >> 32)
  if (<u32>(i + 1) > <u32>rowVoxels) return
  const extent = load<u32>(load<usize>(state, EXTENTS) + ((<usize>(i + 1)) << 2))
  const from = <i32>(extent & 0xffff)
  const to = <i32>(extent >>> 16)
  if (to <= from) return
  const shift = MARGIN - load<i32>(state, SHIFT)
  first = min(first, from + shift)
  end = max(end, to + shift)
  const weight = load<i32>(state, WEIGHT)
  let far = (<i32>((z >> 20) & 4095) * weight + 2048) >> 12
  let near = weight - far
  // Beyond the outermost rows there is nothing: the row beside them is taken with weight 0.
  if (i < 0) {
    i = 0
    near = far
    far = 0
  } else if (i > rowVoxels - 2) {
    i--
    far = near
    near = 0
  }
  store<i32>(state, near | (far << 16), PAIR)
  store<usize>(state, load<usize>(state, ROWS) + <usize>i * pitch, UPPER)
}

/** Resamples the blended row and adds it to columns 8·from … 8·to of a grid row. */
function spread(t: usize, from: i32, to: i32, sums: usize): void {
  const blend = t + BLEND
  const stop = t + ((<usize>to) << 5)
  let b = t + BASES + ((<usize>from) << 3)
  for (let m = t + ((<usize>from) << 5); m < stop; m += 32, b += 8, sums += 32) {
    let x = v128.load(blend + <usize>load<i32>(b))
    let y = v128.load(blend + <usize>load<i32>(b, 4))
    x = i32x4.dot_i16x8_s(i8x16.swizzle(x, v128.load(m)), v128.load(m, WEIGHTS))
    y = i32x4.dot_i16x8_s(i8x16.swizzle(y, v128.load(m, 16)), v128.load(m, WEIGHTS + 16))
    v128.store(sums, i32x4.add(v128.load(sums), i32x4.shr_u(x, 10)))
    v128.store(sums, i32x4.add(v128.load(sums, 16), i32x4.shr_u(y, 10)), 16)
  }
}

/** The same, and adds it times `weight` to a second grid (f32). */
function spreadTwice(t: usize, from: i32, to: i32, sums: usize, depths: usize, weight: f32): void {
  const blend = t + BLEND
  const stop = t + ((<usize>to) << 5)
  const w = f32x4.splat(weight)
  let b = t + BASES + ((<usize>from) << 3)
  for (let m = t + ((<usize>from) << 5); m < stop; m += 32, b += 8, sums += 32, depths += 32) {
    let x = v128.load(blend + <usize>load<i32>(b))
    let y = v128.load(blend + <usize>load<i32>(b, 4))
    x = i32x4.dot_i16x8_s(i8x16.swizzle(x, v128.load(m)), v128.load(m, WEIGHTS))
    y = i32x4.dot_i16x8_s(i8x16.swizzle(y, v128.load(m, 16)), v128.load(m, WEIGHTS + 16))
    x = i32x4.shr_u(x, 10)
    y = i32x4.shr_u(y, 10)
    v128.store(sums, i32x4.add(v128.load(sums), x))
    v128.store(sums, i32x4.add(v128.load(sums, 16), y), 16)
    v128.store(depths, f32x4.add(v128.load(depths), f32x4.mul(f32x4.convert_i32x4_s(x), w)))
    v128.store(depths, f32x4.add(v128.load(depths, 16), f32x4.mul(f32x4.convert_i32x4_s(y), w)), 16)
  }
}

/**
 * Sums slices on the grid (gb0 + i·hb, gc0 + j·hc) of the plane where the magnification is 1.
 *
 * @param p f64: address of the voxels, bytes from slice to slice and row to row, voxels along and down, address of the
 *   extents and bytes from slice to slice; in-plane source (b, c); grid origin and step (b, c); bytes of a voxel; how many
 *   slices share a resampling (1, 2 or 4). Extents: for every pair of rows (−1, 0) … (n − 1, n) the first and last + 1
 *   voxel that is not 0, as two u16
 * @param entries `count` records, a multiple of `share`: slice (i32), shift (i32 at 4), magnification (f64 at 8), weight
 *   (f64 at 16)
 * @param ranges for every grid row the columns wanted, in groups of eight: first, last + 1, as two u16
 * @param sums `columns`·`rows` i32, in units of 1/16 (bytes: 1/2048) voxel value over `share`; columns is a multiple of 8
 * @param depths the same grid in f32, for the sum of slices over their magnification; 0 for none
 */
export function slab(
  p: usize,
  entries: usize,
  count: i32,
  ranges: usize,
  columns: i32,
  rows: i32,
  sums: usize,
  depths: usize,
  t: usize
): void {
  const voxels = <usize>load<f64>(p)
  const slicePitch = <usize>load<f64>(p, 8)
  const pitch = <usize>load<f64>(p, 16)
  const columnVoxels = <i32>load<f64>(p, 24)
  const rowVoxels = <i32>load<f64>(p, 32)
  const extents = <usize>load<f64>(p, 40)
  const extentPitch = <usize>load<f64>(p, 48)
  const sb = load<f64>(p, 56)
  const sc = load<f64>(p, 64)
  const gb0 = load<f64>(p, 72)
  const gc0 = load<f64>(p, 80)
  const hb = load<f64>(p, 88)
  const hc = load<f64>(p, 96)
  const bytes = <i32>load<f64>(p, 104)
  const share = <i32>load<f64>(p, 112)
  const narrow = bytes == 1
  const scale = (narrow ? 256.0 : 16384.0) / <f64>share
  const cells = (<usize>(columns * rows)) << 2
  const state = t + STATE
  memory.fill(sums, 0, cells)
  if (depths) memory.fill(depths, 0, cells)
  for (let k: i32 = 0; k < count; k += share) {
    let total = 0.0
    let meanMagnification = 0.0
    let meanShift = 0.0
    for (let s: i32 = 0; s < share; s++) {
      const entry = entries + <usize>(k + s) * ENTRY
      const slice = <usize>load<i32>(entry)
      const shift = load<i32>(entry, 4)
      const magnification = load<f64>(entry, 8)
      const weight = load<f64>(entry, 16)
      total += weight
      meanMagnification += weight * magnification
      meanShift += weight * <f64>shift
      const q = state + <usize>s * SLICE
      const z = Math.max(-FAR, Math.min(sc + (gc0 - sc) * magnification, FAR))
      store<i64>(q, <i64>Math.floor(z * ONE), POSITION)
      store<i64>(q, <i64>Math.floor(Math.min(hc * magnification, FAR) * ONE), STEP)
      store<usize>(q, voxels + slice * slicePitch + <usize>((shift - MARGIN) * bytes), ROWS)
      store<usize>(q, voxels, UPPER)
      store<usize>(q, extents + slice * extentPitch, EXTENTS)
      store<i32>(q, <i32>(weight * scale + 0.5), WEIGHT)
      store<i32>(q, shift, SHIFT)
    }
    meanMagnification /= total
    const x = sb + (gb0 - sb) * meanMagnification - meanShift / total + <f64>MARGIN
    const dx = hb * meanMagnification
    makeTables(t, columns, x, dx, columnVoxels)
    // From voxels of the blended row to columns, in 2⁻²⁰.
    const columnsPerVoxel = <i64>(1048576.0 / dx)
    const columnOfFirst = <i64>((-x * 1048576.0) / dx)
    const depthWeight = <f32>(1.0 / meanMagnification)
    for (let j: i32 = 0; j < rows; j++) {
      first = 0x7fffffff
      end = 0
      takeRows(state, rowVoxels, pitch)
      if (share > 1) takeRows(state + SLICE, rowVoxels, pitch)
      if (share > 2) {
        takeRows(state + 2 * SLICE, rowVoxels, pitch)
        takeRows(state + 3 * SLICE, rowVoxels, pitch)
      }
      if (end <= first) continue
      const wanted = load<u32>(ranges + ((<usize>j) << 2))
      // A voxel reaches one voxel to either side.
      const from = max(
        <i32>(wanted & 0xffff),
        <i32>((<i64>(first - 1) * columnsPerVoxel + columnOfFirst) >> 23)
      )
      const to = min(<i32>(wanted >>> 16), <i32>((<i64>end * columnsPerVoxel + columnOfFirst) >> 23) + 2)
      if (to <= from) continue
      const voxel = (load<i32>(t + BASES + ((<usize>from) << 3)) >> 1) & ~7
      const out = t + BLEND + ((<usize>voxel) << 1)
      const stop = t + BLEND + <usize>load<i32>(t + BASES + ((<usize>to) << 3) - 4) + 16
      const offset = <usize>(voxel * bytes)
      if (narrow) blendBytes(state, share, pitch, offset, out, stop)
      else blendWords(state, share, pitch, offset, out, stop)
      const o = (<usize>(j * columns + (from << 3))) << 2
      if (depths) spreadTwice(t, from, to, sums + o, depths + o, depthWeight)
      else spread(t, from, to, sums + o)
    }
  }
}
