/**
 * Slab kernel: line integrals on a slice-parallel virtual detector (shear-warp factorisation with Joseph's weights;
 * Lacroute & Levoy 1994, Joseph 1982). For a point source every slice, seen on a plane parallel to it, is only scaled
 * and shifted, so that its resampling is separable: one horizontal pass per voxel row with tables that are shared by
 * all rows of the slice, then one vertical blend. No gathers are needed, which is what makes it fast on SIMD.
 *
 * Voxels are u16 of at most 15 bits (`i32x4.dot_i16x8_s` takes signed numbers). Weights have 14 bits across and
 * 12 down; sums are in units of 1/4 voxel value.
 */

/** Columns of the widest virtual detector; `MAX_COLUMNS` of wasm-volume.ts. */
const MAXW: usize = 2048
// Working memory of one slice: the horizontal tables, the two voxel rows at hand (resampled), and a few numbers.
const WEIGHTS: usize = MAXW * 4
const BASES: usize = MAXW * 8
const EVEN: usize = MAXW * 9
// Not a multiple of 4096 from the even row: reading both would hit the same cache set.
const ODD: usize = MAXW * 11 + 192
const STATE: usize = MAXW * 13 + 192
/** `SLICE_BYTES` of wasm-volume.ts. */
const SLICE: usize = STATE + 64
// Offsets in STATE. Rows held and the groups of eight columns in which they are not 0, even row then odd row.
const HELD: usize = STATE
const FROM: usize = STATE + 8
const TO: usize = STATE + 16
const VOXELS: usize = STATE + 24
const EXTENTS: usize = STATE + 28
const X: usize = STATE + 32
const INVERSE_DX: usize = STATE + 40
const MAGNIFICATION: usize = STATE + 48
const WEIGHT: usize = STATE + 56

// What does not change during a call.
let columnVoxels: i32 = 0
let rowVoxels: i32 = 0
let rowPitch: usize = 0
let extentPitch: usize = 0
let groups: i32 = 0
/** Groups of eight columns in which the present grid row is not 0. */
let rangeFrom: i32 = 0
let rangeTo: i32 = 0

/** Tables of a slice: grid column i lies at voxel x + i·dx. At most 8 voxels for 4 columns: dx <= 2. */
function makeTables(t: usize, x: f64, dx: f64): void {
  const nb = columnVoxels
  const padded = nb < 8 ? 8 : nb
  const step = <i32>Math.floor(dx * 16384.0 + 0.5)
  for (let e: i32 = 0; e < groups << 1; e++) {
    // Far outside the volume the conversion to integers would overflow; any place outside will do.
    const x0 = Math.max(-16.0, Math.min(x + 4.0 * <f64>e * dx, <f64>(nb + 16)))
    let base = <i32>Math.floor(x0)
    if (base > padded - 8) base = padded - 8
    if (base < 0) base = 0
    store<i32>(t + BASES + ((<usize>e) << 2), base << 1)
    const f0 = <i32>Math.floor((x0 - <f64>base) * 16384.0 + 0.5)
    let f = i32x4.splat(f0)
    f = i32x4.replace_lane(f, 1, f0 + step)
    f = i32x4.replace_lane(f, 2, f0 + 2 * step)
    f = i32x4.replace_lane(f, 3, f0 + 3 * step)
    let o = i32x4.shr_s(f, 14)
    const w = v128.and(f, i32x4.splat(16383))
    const last = nb - 2 - base < 6 ? nb - 2 - base : 6
    const inside = v128.and(i32x4.ge_s(o, i32x4.splat(0)), i32x4.le_s(o, i32x4.splat(last)))
    const pair = v128.or(i32x4.sub(i32x4.splat(16384), w), i32x4.shl(w, 16))
    v128.store(t + WEIGHTS + ((<usize>e) << 4), v128.and(pair, inside))
    o = v128.and(o, inside)
    v128.store(
      t + ((<usize>e) << 4),
      i32x4.add(i32x4.mul(o, i32x4.splat(0x02020202)), i32x4.splat(0x03020100))
    )
  }
}

function startSlice(
  t: usize,
  entry: usize,
  voxels: usize,
  slicePitch: usize,
  extents: usize,
  extentSlicePitch: usize,
  sb: f64,
  gb0: f64,
  hb: f64
): void {
  const slice = <usize>load<i32>(entry)
  const magnification = load<f64>(entry, 8)
  const x = sb + (gb0 - sb) * magnification
  const dx = hb * magnification
  makeTables(t, x, dx)
  store<i64>(t + HELD, -1)
  store<usize>(t + VOXELS, voxels + slice * slicePitch)
  store<usize>(t + EXTENTS, extents + slice * extentSlicePitch)
  store<f64>(t + X, x)
  store<f64>(t + INVERSE_DX, 1.0 / dx)
  store<f64>(t + MAGNIFICATION, magnification)
  store<f64>(t + WEIGHT, load<f64>(entry, 16))
}

/** Resamples voxel row r into its buffer (even or odd), where it is not there already. */
function holdRow(t: usize, r: i32): void {
  const odd = <usize>(r & 1)
  const flag = t + (odd << 2)
  if (load<i32>(flag + HELD) == r) return
  store<i32>(flag + HELD, r)
  const out = odd ? t + ODD : t + EVEN
  const extent = load<usize>(t + EXTENTS) + <usize>r * extentPitch
  const first = <i32>load<u16>(extent)
  const end = <i32>load<u16>(extent, 2)
  let from: i32 = 0
  let to: i32 = 0
  if (end > first) {
    // A voxel reaches one voxel to either side.
    const x = load<f64>(t + X)
    const inverse = load<f64>(t + INVERSE_DX)
    from = <i32>Math.floor(Math.max(0.0, Math.min((<f64>(first - 1) - x) * inverse, 65536.0))) >> 3
    to = (<i32>Math.ceil(Math.max(-1.0, Math.min((<f64>end - x) * inverse, 65536.0))) + 8) >> 3
    if (from > groups) from = groups
    if (to > groups) to = groups
    if (to < from) to = from
  }
  store<i32>(flag + FROM, from)
  store<i32>(flag + TO, to)
  const row = load<usize>(t + VOXELS) + <usize>r * rowPitch
  const half = i32x4.splat(8192)
  if (from > 0) memory.fill(out, 0, (<usize>from) << 4)
  for (let e = <usize>from, stop = <usize>to; e < stop; e++) {
    const m = t + (e << 5)
    const b = t + BASES + (e << 3)
    let x = v128.load(row + <usize>load<i32>(b))
    let y = v128.load(row + <usize>load<i32>(b, 4))
    x = i32x4.dot_i16x8_s(i8x16.swizzle(x, v128.load(m)), v128.load(m, WEIGHTS))
    y = i32x4.dot_i16x8_s(i8x16.swizzle(y, v128.load(m, 16)), v128.load(m, WEIGHTS + 16))
    v128.store(
      out + (e << 4),
      i16x8.narrow_i32x4_s(i32x4.shr_s(i32x4.add(x, half), 14), i32x4.shr_s(i32x4.add(y, half), 14))
    )
  }
  if (to < groups) memory.fill(out + ((<usize>to) << 4), 0, (<usize>(groups - to)) << 4)
}

/**
 * Brings the two voxel rows that a grid row needs of a slice to their buffers.
 * @param c the grid row's distance from the source, voxels
 * @returns the weights of the even (low 16 bits) and the odd row; 0 where the grid row misses the slice's matter
 */
function rowsOf(t: usize, sc: f64, c: f64): i32 {
  const z = sc + c * load<f64>(t + MAGNIFICATION)
  if (!(z >= 0.0 && z < <f64>(rowVoxels - 1))) return 0
  const i = <i32>z
  holdRow(t, i)
  holdRow(t, i + 1)
  const from = min(load<i32>(t + FROM), load<i32>(t + FROM + 4))
  const to = max(load<i32>(t + TO), load<i32>(t + TO + 4))
  if (to <= from) return 0
  rangeFrom = min(rangeFrom, from)
  rangeTo = max(rangeTo, to)
  const f = z - <f64>i
  const weight = load<f64>(t + WEIGHT) * 4096.0
  const near = <i32>((1.0 - f) * weight + 0.5)
  const far = <i32>(f * weight + 0.5)
  return i & 1 ? far | (near << 16) : near | (far << 16)
}

/** Weighted sum of an even and an odd row at four columns. */
function blendLow(even: v128, odd: v128, w: v128): v128 {
  return i32x4.dot_i16x8_s(v128.shuffle<i16>(even, odd, 0, 8, 1, 9, 2, 10, 3, 11), w)
}

/** The same for the next four columns. */
function blendHigh(even: v128, odd: v128, w: v128): v128 {
  return i32x4.dot_i16x8_s(v128.shuffle<i16>(even, odd, 4, 12, 5, 13, 6, 14, 7, 15), w)
}

/**
 * Sums slices on the grid (gb0 + i·hb, gc0 + j·hc) of the plane where the magnification is 1.
 *
 * @param voxels base of the copy; rows of nb voxels `rowStride` bytes apart, slices `sliceStride` bytes apart
 * @param extents for every row its first and last + 1 voxel that is not 0, as two u16, with strides of its own
 * @param entries `count` records of 24 bytes: slice (i32), magnification (f64 at 8), weight (f64 at 16)
 * @param sb, sc in-plane source position, voxels
 * @param acc `columns`·`rows` i32 sums; columns is a multiple of 8, at most MAXW
 */
export function slab(
  voxels: usize,
  sliceStride: usize,
  rowStride: usize,
  nb: i32,
  nc: i32,
  extents: usize,
  extentSliceStride: usize,
  extentRowStride: usize,
  entries: usize,
  count: i32,
  sb: f64,
  sc: f64,
  gb0: f64,
  gc0: f64,
  hb: f64,
  hc: f64,
  columns: i32,
  rows: i32,
  acc: usize,
  tables: usize
): void {
  memory.fill(acc, 0, (<usize>(columns * rows)) << 2)
  columnVoxels = nb
  rowVoxels = nc
  rowPitch = rowStride
  extentPitch = extentRowStride
  groups = columns >> 3
  // Four slices are summed in registers before memory is touched.
  for (let k: i32 = 0; k < count; k += 4) {
    const n = min(4, count - k)
    for (let s: i32 = 0; s < n; s++)
      startSlice(
        tables + <usize>s * SLICE,
        entries + <usize>(k + s) * 24,
        voxels,
        sliceStride,
        extents,
        extentSliceStride,
        sb,
        gb0,
        hb
      )
    for (let j: i32 = 0; j < rows; j++) {
      const c = gc0 + <f64>j * hc - sc
      rangeFrom = groups
      rangeTo = 0
      const p0 = rowsOf(tables, sc, c)
      const p1 = n > 1 ? rowsOf(tables + SLICE, sc, c) : 0
      const p2 = n > 2 ? rowsOf(tables + SLICE * 2, sc, c) : 0
      const p3 = n > 3 ? rowsOf(tables + SLICE * 3, sc, c) : 0
      if ((p0 | p1 | p2 | p3) == 0) continue
      const w0 = i32x4.splat(p0)
      const w1 = i32x4.splat(p1)
      const w2 = i32x4.splat(p2)
      const w3 = i32x4.splat(p3)
      let o = acc + ((<usize>(j * columns + (rangeFrom << 3))) << 2)
      for (
        let t = tables + ((<usize>rangeFrom) << 4), end = tables + ((<usize>rangeTo) << 4);
        t < end;
        t += 16, o += 32
      ) {
        let even = v128.load(t, EVEN)
        let odd = v128.load(t, ODD)
        let low = blendLow(even, odd, w0)
        let high = blendHigh(even, odd, w0)
        even = v128.load(t, EVEN + SLICE)
        odd = v128.load(t, ODD + SLICE)
        low = i32x4.add(low, blendLow(even, odd, w1))
        high = i32x4.add(high, blendHigh(even, odd, w1))
        even = v128.load(t, EVEN + SLICE * 2)
        odd = v128.load(t, ODD + SLICE * 2)
        low = i32x4.add(low, blendLow(even, odd, w2))
        high = i32x4.add(high, blendHigh(even, odd, w2))
        even = v128.load(t, EVEN + SLICE * 3)
        odd = v128.load(t, ODD + SLICE * 3)
        low = i32x4.add(low, blendLow(even, odd, w3))
        high = i32x4.add(high, blendHigh(even, odd, w3))
        v128.store(o, i32x4.add(v128.load(o), i32x4.shr_u(low, 10)))
        v128.store(o, i32x4.add(v128.load(o, 16), i32x4.shr_u(high, 10)), 16)
      }
    }
  }
}
