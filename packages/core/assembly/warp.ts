/** From the virtual detector to the real one: a homography, sampled by Catmull-Rom's cubic, and the length of each ray. */
import { acrossRows, cubicWeights, dot, whole } from './cubic'

// Parameters (f64 each, WARP_PARAMETERS of wasm-tile.ts): every quantity is linear in column and row, given as its value
// at the tile's first pixel and its change per column and per row. The pixel lies at grid column x/a and row y/a; a ray's
// length from slice to slice is |ray|·scale/|a|.
export function atRow(p: usize, which: usize, j: i32): f32 {
  return <f32>(load<f64>(p + which * 24) + <f64>j * load<f64>(p + which * 24, 16))
}
export function perColumn(p: usize, which: usize): f32 {
  return <f32>load<f64>(p + which * 24, 8)
}
export const GRID_X: usize = 0
export const GRID_Y: usize = 1
export const DEPTH: usize = 2
/** The ray in camera coordinates, mm. */
export const RAY_X: usize = 3
export const RAY_Y: usize = 4
export const SDD: usize = 15 * 8
export const SCALE: usize = 16 * 8

/** What is worked out for four pixels at a time. */
export const POSITIONS: usize = 64

/**
 * Grid position of four pixels: stores the whole parts (columns, rows as i32) and fractions (f32) at `at`.
 * @returns which of them lie where the cubic has all its cells
 */
export function place(gx: v128, gy: v128, xEnd: v128, yEnd: v128, at: usize): v128 {
  const one = f32x4.splat(1)
  const inside = v128.and(
    v128.and(f32x4.ge(gx, one), f32x4.ge(gy, one)),
    v128.and(f32x4.lt(gx, xEnd), f32x4.lt(gy, yEnd))
  )
  // Anywhere inside will do for the others; comparisons with NaN are false, so that it does not get through.
  const x = v128.bitselect(gx, one, inside)
  const y = v128.bitselect(gy, one, inside)
  const ix = i32x4.trunc_sat_f32x4_s(x)
  const iy = i32x4.trunc_sat_f32x4_s(y)
  v128.store(at, ix)
  v128.store(at, iy, 16)
  v128.store(at, f32x4.sub(x, f32x4.convert_i32x4_s(ix)), 32)
  v128.store(at, f32x4.sub(y, f32x4.convert_i32x4_s(iy)), 48)
  return inside
}

/** @returns the address of the first of the 4 × 4 cells of a pixel */
export function cellOf(cells: usize, pitch: usize, at: usize): usize {
  return cells + <usize>(load<i32>(at, 16) - 1) * pitch + ((<usize>(load<i32>(at) - 1)) << 2)
}

function sample(cells: usize, pitch: usize, at: usize): f32 {
  const q = cellOf(cells, pitch, at)
  const rows = acrossRows(
    whole(q),
    whole(q + pitch),
    whole(q + 2 * pitch),
    whole(q + 3 * pitch),
    cubicWeights(load<f32>(at, 48))
  )
  return dot(rows, cubicWeights(load<f32>(at, 32)))
}

/**
 * @param cells the grid's sums, i32
 * @param p parameters; `at`: 64 bytes of working memory
 * @param out width·height f32, and room for three more
 */
export function warp(
  cells: usize,
  columns: i32,
  rows: i32,
  p: usize,
  at: usize,
  width: i32,
  height: i32,
  out: usize
): void {
  const pitch = (<usize>columns) << 2
  const xEnd = f32x4.splat(<f32>(columns - 2))
  const yEnd = f32x4.splat(<f32>(rows - 2))
  const gridX1 = f32x4.splat(perColumn(p, GRID_X))
  const gridY1 = f32x4.splat(perColumn(p, GRID_Y))
  const depth1 = f32x4.splat(perColumn(p, DEPTH))
  const rayX1 = f32x4.splat(perColumn(p, RAY_X))
  const sdd = <f32>load<f64>(p, SDD)
  const scale = f32x4.splat(<f32>load<f64>(p, SCALE))
  const zero = f32x4.splat(0)
  for (let j: i32 = 0; j < height; j++) {
    const gridX0 = f32x4.splat(atRow(p, GRID_X, j))
    const gridY0 = f32x4.splat(atRow(p, GRID_Y, j))
    const depth0 = f32x4.splat(atRow(p, DEPTH, j))
    const rayX0 = f32x4.splat(atRow(p, RAY_X, j))
    const y = atRow(p, RAY_Y, j)
    const rest = f32x4.splat(y * y + sdd * sdd)
    let n = f32x4(0, 1, 2, 3)
    for (let i: i32 = 0; i < width; i += 4, n = f32x4.add(n, f32x4.splat(4))) {
      const r = f32x4.div(f32x4.splat(1), f32x4.add(depth0, f32x4.mul(n, depth1)))
      const gx = f32x4.mul(r, f32x4.add(gridX0, f32x4.mul(n, gridX1)))
      const gy = f32x4.mul(r, f32x4.add(gridY0, f32x4.mul(n, gridY1)))
      const inside = place(gx, gy, xEnd, yEnd, at)
      const x = f32x4.add(rayX0, f32x4.mul(n, rayX1))
      const ray = f32x4.sqrt(f32x4.add(f32x4.mul(x, x), rest))
      const length = f32x4.mul(f32x4.mul(ray, f32x4.abs(r)), scale)
      let value = f32x4.splat(sample(cells, pitch, at))
      value = f32x4.replace_lane(value, 1, sample(cells, pitch, at + 4))
      value = f32x4.replace_lane(value, 2, sample(cells, pitch, at + 8))
      value = f32x4.replace_lane(value, 3, sample(cells, pitch, at + 12))
      // The cubic undershoots beside sharp edges; an integral of a non-negative function does not.
      value = f32x4.mul(f32x4.max(value, zero), length)
      v128.store(out + ((<usize>i) << 2), v128.and(value, inside))
    }
    out += (<usize>width) << 2
  }
}
