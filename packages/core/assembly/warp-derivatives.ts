/**
 * The image and its derivatives by a rigid motion of the patient. A pixel is Σ f_k(b_k, c_k)·length over slices k, at
 * places that move with the motion: by what the source moves and by slice distance times what the direction turns. The first needs
 * Σ ∇f_k and the second Σ (k − s)·∇f_k, which are the gradients of the two grids that the slab kernel sums.
 */
import { acrossRows, cubicSlopes, cubicWeights, dot, whole } from './cubic'
import {
  atRow,
  cellOf,
  DEPTH,
  GRID_X,
  GRID_Y,
  POSITIONS,
  perColumn,
  place,
  RAY_X,
  RAY_Y,
  SCALE,
  SDD
} from './warp'

// More parameters, after those of `warp`: grid steps (1/voxel) and distance from source to plane (voxels), the turning
// centre in camera coordinates (mm), and the matrix from camera to slab axes (voxels/mm; row-major).
const INVERSE_B: usize = 17 * 8
const INVERSE_C: usize = 18 * 8
const DISTANCE: usize = 19 * 8
const CENTRE: usize = 20 * 8
const AXES: usize = 23 * 8

// Of four pixels, after the positions: the sum, its two slopes, and the two slopes of the other grid.
const SUM: usize = POSITIONS
const SUM_B: usize = POSITIONS + 16
const SUM_C: usize = POSITIONS + 32
const NEAR_B: usize = POSITIONS + 48
const NEAR_C: usize = POSITIONS + 64

function sampleSlopes(sums: usize, depths: usize, pitch: usize, at: usize): void {
  const fx = load<f32>(at, 32)
  const fy = load<f32>(at, 48)
  const wx = cubicWeights(fx)
  const dx = cubicSlopes(fx)
  const wy = cubicWeights(fy)
  const dy = cubicSlopes(fy)
  let q = cellOf(sums, pitch, at)
  let r0 = whole(q)
  let r1 = whole(q + pitch)
  let r2 = whole(q + 2 * pitch)
  let r3 = whole(q + 3 * pitch)
  const across = acrossRows(r0, r1, r2, r3, wy)
  store<f32>(at, dot(across, wx), SUM)
  store<f32>(at, dot(across, dx), SUM_B)
  store<f32>(at, dot(acrossRows(r0, r1, r2, r3, dy), wx), SUM_C)
  q = cellOf(depths, pitch, at)
  r0 = v128.load(q)
  r1 = v128.load(q + pitch)
  r2 = v128.load(q + 2 * pitch)
  r3 = v128.load(q + 3 * pitch)
  store<f32>(at, dot(acrossRows(r0, r1, r2, r3, wy), dx), NEAR_B)
  store<f32>(at, dot(acrossRows(r0, r1, r2, r3, dy), wx), NEAR_C)
}

function parameter(p: usize, offset: usize): v128 {
  return f32x4.splat(<f32>load<f64>(p + offset))
}

function combine(a: v128, x: v128, b: v128, y: v128, c: v128, z: v128): v128 {
  return f32x4.add(f32x4.add(f32x4.mul(a, x), f32x4.mul(b, y)), f32x4.mul(c, z))
}

function difference(a: v128, x: v128, b: v128, y: v128): v128 {
  return f32x4.sub(f32x4.mul(a, x), f32x4.mul(b, y))
}

/**
 * @param sums, depths the two grids, i32 and f32
 * @param p parameters; `at`: 256 bytes of working memory
 * @param out seven images of width·height f32, `stride` bytes apart, with room for three more: the integrals, then
 *   their derivatives by a turn (rad) about the camera's x, y, z axes and a shift (mm) along them
 */
export function warpDerivatives(
  sums: usize,
  depths: usize,
  columns: i32,
  rows: i32,
  p: usize,
  at: usize,
  width: i32,
  height: i32,
  out: usize,
  stride: usize
): void {
  const pitch = (<usize>columns) << 2
  const xEnd = f32x4.splat(<f32>(columns - 2))
  const yEnd = f32x4.splat(<f32>(rows - 2))
  const gridX1 = f32x4.splat(perColumn(p, GRID_X))
  const gridY1 = f32x4.splat(perColumn(p, GRID_Y))
  const depth1 = f32x4.splat(perColumn(p, DEPTH))
  const rayX1 = f32x4.splat(perColumn(p, RAY_X))
  const z = parameter(p, SDD)
  const scale = parameter(p, SCALE)
  const inverseB = parameter(p, INVERSE_B)
  const inverseC = parameter(p, INVERSE_C)
  const distance = parameter(p, DISTANCE)
  const cx = parameter(p, CENTRE)
  const cy = parameter(p, CENTRE + 8)
  const cz = parameter(p, CENTRE + 16)
  const zero = f32x4.splat(0)
  for (let j: i32 = 0; j < height; j++) {
    const gridX0 = f32x4.splat(atRow(p, GRID_X, j))
    const gridY0 = f32x4.splat(atRow(p, GRID_Y, j))
    const depth0 = f32x4.splat(atRow(p, DEPTH, j))
    const rayX0 = f32x4.splat(atRow(p, RAY_X, j))
    const y = f32x4.splat(atRow(p, RAY_Y, j))
    const rest = f32x4.add(f32x4.mul(y, y), f32x4.mul(z, z))
    let n = f32x4(0, 1, 2, 3)
    for (let i: i32 = 0; i < width; i += 4, n = f32x4.add(n, f32x4.splat(4))) {
      const r = f32x4.div(f32x4.splat(1), f32x4.add(depth0, f32x4.mul(n, depth1)))
      const gx = f32x4.mul(r, f32x4.add(gridX0, f32x4.mul(n, gridX1)))
      const gy = f32x4.mul(r, f32x4.add(gridY0, f32x4.mul(n, gridY1)))
      const inside = place(gx, gy, xEnd, yEnd, at)
      for (let lane: usize = 0; lane < 16; lane += 4) sampleSlopes(sums, depths, pitch, at + lane)
      const x = f32x4.add(rayX0, f32x4.mul(n, rayX1))
      const ray = f32x4.sqrt(f32x4.add(f32x4.mul(x, x), rest))
      // 0 outside: then so is everything.
      const length = v128.and(f32x4.mul(f32x4.mul(ray, f32x4.abs(r)), scale), inside)
      const sum = v128.load(at, SUM)
      // The ray's direction in camera coordinates, and in slab axes b and c, per slice.
      const dx = f32x4.mul(x, r)
      const dy = f32x4.mul(y, r)
      const dz = f32x4.mul(z, r)
      const mb = combine(
        parameter(p, AXES + 24),
        dx,
        parameter(p, AXES + 32),
        dy,
        parameter(p, AXES + 40),
        dz
      )
      const mc = combine(
        parameter(p, AXES + 48),
        dx,
        parameter(p, AXES + 56),
        dy,
        parameter(p, AXES + 64),
        dz
      )
      // What the integral gains by a shift of all points (near) and by a turn of the direction (far), in slab axes; a shift
      // along axis a is one back along b and c, and a turn towards a shortens the way from slice to slice.
      const nb = f32x4.mul(f32x4.mul(length, inverseB), v128.load(at, NEAR_B))
      const nc = f32x4.mul(f32x4.mul(length, inverseC), v128.load(at, NEAR_C))
      const na = f32x4.sub(zero, f32x4.add(f32x4.mul(mb, nb), f32x4.mul(mc, nc)))
      const fb = f32x4.mul(f32x4.mul(f32x4.mul(length, distance), inverseB), v128.load(at, SUM_B))
      const fc = f32x4.mul(f32x4.mul(f32x4.mul(length, distance), inverseC), v128.load(at, SUM_C))
      const fa = f32x4.sub(
        f32x4.sub(zero, f32x4.mul(length, sum)),
        f32x4.add(f32x4.mul(mb, fb), f32x4.mul(mc, fc))
      )
      // The same in camera axes.
      const nx = combine(parameter(p, AXES), na, parameter(p, AXES + 24), nb, parameter(p, AXES + 48), nc)
      const ny = combine(parameter(p, AXES + 8), na, parameter(p, AXES + 32), nb, parameter(p, AXES + 56), nc)
      const nz = combine(
        parameter(p, AXES + 16),
        na,
        parameter(p, AXES + 40),
        nb,
        parameter(p, AXES + 64),
        nc
      )
      const fx = combine(parameter(p, AXES), fa, parameter(p, AXES + 24), fb, parameter(p, AXES + 48), fc)
      const fy = combine(parameter(p, AXES + 8), fa, parameter(p, AXES + 32), fb, parameter(p, AXES + 56), fc)
      const fz = combine(
        parameter(p, AXES + 16),
        fa,
        parameter(p, AXES + 40),
        fb,
        parameter(p, AXES + 64),
        fc
      )
      let o = out + ((<usize>i) << 2)
      v128.store(o, f32x4.mul(f32x4.max(sum, zero), length))
      // The patient moves by u, so its density is taken at points moved by −u: −(turn × (p − centre) + shift), with
      // p − centre = −centre at the source.
      o += stride
      v128.store(o, f32x4.sub(difference(cy, nz, cz, ny), difference(dy, fz, dz, fy)))
      o += stride
      v128.store(o, f32x4.sub(difference(cz, nx, cx, nz), difference(dz, fx, dx, fz)))
      o += stride
      v128.store(o, f32x4.sub(difference(cx, ny, cy, nx), difference(dx, fy, dy, fx)))
      o += stride
      v128.store(o, f32x4.sub(zero, nx))
      o += stride
      v128.store(o, f32x4.sub(zero, ny))
      o += stride
      v128.store(o, f32x4.sub(zero, nz))
    }
    out += (<usize>width) << 2
  }
}
