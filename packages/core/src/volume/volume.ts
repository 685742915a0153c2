import { VolumeError } from '../errors.js'
import {
  column3,
  cross,
  dot,
  type Mat3,
  mulMat3Vec3,
  orthogonalityError,
  sub,
  transpose3,
  type Vec3
} from '../geometry/linear.js'

/**
 * A regular grid in LPS: `lps = origin + direction · (spacing ∘ index)`, index (i, j, k) with i fastest in
 * memory, voxel centres at integer indices. `direction` is row-major; its columns are the unit vectors of the
 * i, j, k axes, orthonormal, of either handedness (a flipped axis is legal).
 */
export interface Grid {
  /** Voxels along i, j, k. */
  readonly size: Vec3
  /** mm along i, j, k. */
  readonly spacing: Vec3
  /** LPS of index (0, 0, 0), mm. */
  readonly origin: Vec3
  readonly direction: Mat3
}

export type VoxelArray = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Float32Array

/** A CT: values in Hounsfield units on a grid. */
export interface Volume<T extends VoxelArray = VoxelArray> extends Grid {
  readonly data: T
}

export const voxelCount = (g: Grid): number => g.size[0] * g.size[1] * g.size[2]

/** Index (fractional) → LPS mm. */
export function indexToLps(g: Grid, index: Vec3): Vec3 {
  const v = mulMat3Vec3(g.direction, [
    index[0] * g.spacing[0],
    index[1] * g.spacing[1],
    index[2] * g.spacing[2]
  ])
  return [v[0] + g.origin[0], v[1] + g.origin[1], v[2] + g.origin[2]]
}

/** LPS mm → index (fractional). */
export function lpsToIndex(g: Grid, p: Vec3): Vec3 {
  const v = mulMat3Vec3(transpose3(g.direction), sub(p, g.origin))
  return [v[0] / g.spacing[0], v[1] / g.spacing[1], v[2] / g.spacing[2]]
}

/** LPS of the centre of the grid, mm. */
export const gridCentre = (g: Grid): Vec3 =>
  indexToLps(g, [(g.size[0] - 1) / 2, (g.size[1] - 1) / 2, (g.size[2] - 1) / 2])

/** Part of a voxel by which rounding may put a point on the outermost voxel centres outside them. */
const ROUNDING = 1e-9

/** Trilinear value at an LPS point; 0 outside the voxel centres' box, or `outside` where given. */
export function sampleTrilinear(v: Volume, p: Vec3, outside = 0): number {
  const [x, y, z] = lpsToIndex(v, p)
  const [ni, nj, nk] = v.size
  const inside = (a: number, n: number) => a >= -ROUNDING && a <= n - 1 + ROUNDING
  if (!(inside(x, ni) && inside(y, nj) && inside(z, nk))) return outside
  const cell = (a: number, n: number) => Math.max(0, Math.min(Math.floor(a), n - 2))
  const i = cell(x, ni)
  const j = cell(y, nj)
  const k = cell(z, nk)
  const di = ni > 1 ? 1 : 0
  const dj = nj > 1 ? ni : 0
  const dk = nk > 1 ? ni * nj : 0
  const fx = x - i
  const fy = y - j
  const fz = z - k
  const d = v.data
  const o = (k * nj + j) * ni + i
  const lerp = (a: number, b: number, f: number) => a + f * (b - a)
  return lerp(
    lerp(lerp(d[o], d[o + di], fx), lerp(d[o + dj], d[o + dj + di], fx), fy),
    lerp(lerp(d[o + dk], d[o + dk + di], fx), lerp(d[o + dk + dj], d[o + dk + dj + di], fx), fy),
    fz
  )
}

/**
 * Checks that a volume is one before work is done with it.
 * @throws VolumeError for a size that does not match the data, a non-positive spacing, axes that are not
 * orthonormal (gantry tilt), or values that are not finite.
 */
export function assertVolume(v: Volume): void {
  const n = voxelCount(v)
  if (!v.size.every(s => Number.isInteger(s) && s > 0) || n !== v.data.length)
    throw new VolumeError(
      `The volume says ${v.size.join(' × ')} voxels but holds ${v.data.length}`,
      'The file is truncated or its header is wrong: export it again.'
    )
  if (![...v.spacing, ...v.origin, ...v.direction].every(Number.isFinite) || !v.spacing.every(s => s > 0))
    throw new VolumeError(
      `The volume's spacing ${v.spacing.join(', ')} mm or position is not a set of finite positive numbers`,
      'Check the header of the file.'
    )
  if (!(v.direction.length === 9 && orthogonalityError(v.direction) <= 1e-3))
    throw new VolumeError(
      'The axes of the volume are not orthogonal unit vectors (gantry tilt or shear)',
      'Resample the series to orthogonal axes, or export it from the scanner with the tilt corrected.'
    )
  if (v.data instanceof Float32Array)
    for (let i = 0; i < v.data.length; i++)
      if (!Number.isFinite(v.data[i]))
        throw new VolumeError(
          `The volume holds a value that is not a number, at voxel ${i % v.size[0]}, ${Math.floor(i / v.size[0]) % v.size[1]}, ${Math.floor(i / (v.size[0] * v.size[1]))}`,
          'Replace NaN and infinite values (air is −1000 HU) and write the file again.'
        )
}

/** Whether the i, j, k axes are right-handed. */
export const isRightHanded = (g: Grid): boolean =>
  dot(cross(column3(g.direction, 0), column3(g.direction, 1)), column3(g.direction, 2)) > 0
