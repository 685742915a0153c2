/**
 * The first half of the slab kernel: the two voxel rows nearest to a grid row, of each slice of a group, blended to one row of
 * 15-bit values. No multiplication of SSE's kind fits both u8 and u16, so there are two forms of it; and one for each size of group,
 * because the loop over slices has to be in registers.
 */
import { PAIR, SLICE, UPPER } from './layout'

function upper(state: usize, slice: usize): usize {
  return load<usize>(state + slice * SLICE, UPPER)
}

function weights(state: usize, slice: usize): v128 {
  return i32x4.splat(load<i32>(state + slice * SLICE, PAIR))
}

/** Two rows' weighted sum at the first four of eight voxels. */
function low(a: v128, b: v128, w: v128): v128 {
  return i32x4.dot_i16x8_s(v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11), w)
}

/** The same at the other four. */
function high(a: v128, b: v128, w: v128): v128 {
  return i32x4.dot_i16x8_s(v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15), w)
}

function narrow(x: v128, y: v128): v128 {
  return i16x8.narrow_i32x4_s(i32x4.shr_u(x, 14), i32x4.shr_u(y, 14))
}

/** Blends the rows of `share` slices from byte `offset` of them on into `out` up to `stop`. Weights add up to 2¹⁴. */
export function blendWords(
  state: usize,
  share: i32,
  pitch: usize,
  offset: usize,
  out: usize,
  stop: usize
): void {
  const half = i32x4.splat(8192)
  const w0 = weights(state, 0)
  const w1 = weights(state, 1)
  const w2 = weights(state, 2)
  const w3 = weights(state, 3)
  let q0 = upper(state, 0) + offset
  let q1 = upper(state, 1) + offset
  let q2 = upper(state, 2) + offset
  let q3 = upper(state, 3) + offset
  if (share == 4) {
    for (; out < stop; out += 16, q0 += 16, q1 += 16, q2 += 16, q3 += 16) {
      let a = v128.load(q0)
      let b = v128.load(q0 + pitch)
      let x = i32x4.add(half, low(a, b, w0))
      let y = i32x4.add(half, high(a, b, w0))
      a = v128.load(q1)
      b = v128.load(q1 + pitch)
      x = i32x4.add(x, low(a, b, w1))
      y = i32x4.add(y, high(a, b, w1))
      a = v128.load(q2)
      b = v128.load(q2 + pitch)
      x = i32x4.add(x, low(a, b, w2))
      y = i32x4.add(y, high(a, b, w2))
      a = v128.load(q3)
      b = v128.load(q3 + pitch)
      x = i32x4.add(x, low(a, b, w3))
      y = i32x4.add(y, high(a, b, w3))
      v128.store(out, narrow(x, y))
    }
  } else if (share == 2) {
    for (; out < stop; out += 16, q0 += 16, q1 += 16) {
      let a = v128.load(q0)
      let b = v128.load(q0 + pitch)
      let x = i32x4.add(half, low(a, b, w0))
      let y = i32x4.add(half, high(a, b, w0))
      a = v128.load(q1)
      b = v128.load(q1 + pitch)
      x = i32x4.add(x, low(a, b, w1))
      y = i32x4.add(y, high(a, b, w1))
      v128.store(out, narrow(x, y))
    }
  } else {
    for (; out < stop; out += 16, q0 += 16) {
      const a = v128.load(q0)
      const b = v128.load(q0 + pitch)
      v128.store(out, narrow(i32x4.add(half, low(a, b, w0)), i32x4.add(half, high(a, b, w0))))
    }
  }
}

function near(state: usize, slice: usize): v128 {
  return i16x8.splat(<i16>load<i16>(state + slice * SLICE, PAIR))
}

function far(state: usize, slice: usize): v128 {
  return i16x8.splat(<i16>load<i16>(state + slice * SLICE, PAIR + 2))
}

/** Two rows' weighted sum at eight voxels. */
function pair(q: usize, r: usize, n: v128, f: v128): v128 {
  return i16x8.add(i16x8.mul(v128.load8x8_u(q), n), i16x8.mul(v128.load8x8_u(r), f))
}

/** The same for voxels of one byte. Weights add up to 2⁸. */
export function blendBytes(
  state: usize,
  share: i32,
  pitch: usize,
  offset: usize,
  out: usize,
  stop: usize
): void {
  const n0 = near(state, 0)
  const n1 = near(state, 1)
  const n2 = near(state, 2)
  const n3 = near(state, 3)
  const f0 = far(state, 0)
  const f1 = far(state, 1)
  const f2 = far(state, 2)
  const f3 = far(state, 3)
  let q0 = upper(state, 0) + offset
  let q1 = upper(state, 1) + offset
  let q2 = upper(state, 2) + offset
  let q3 = upper(state, 3) + offset
  if (share == 4) {
    for (; out < stop; out += 16, q0 += 8, q1 += 8, q2 += 8, q3 += 8) {
      let x = i16x8.add(pair(q0, q0 + pitch, n0, f0), pair(q1, q1 + pitch, n1, f1))
      x = i16x8.add(x, i16x8.add(pair(q2, q2 + pitch, n2, f2), pair(q3, q3 + pitch, n3, f3)))
      v128.store(out, i16x8.shr_u(x, 1))
    }
  } else if (share == 2) {
    for (; out < stop; out += 16, q0 += 8, q1 += 8) {
      const x = i16x8.add(pair(q0, q0 + pitch, n0, f0), pair(q1, q1 + pitch, n1, f1))
      v128.store(out, i16x8.shr_u(x, 1))
    }
  } else {
    for (; out < stop; out += 16, q0 += 8) v128.store(out, i16x8.shr_u(pair(q0, q0 + pitch, n0, f0), 1))
  }
}
