import { ArgumentError, VolumeError } from '../errors.js'
import { column3, dot, type Mat3, mulMat3, mulMat3Vec3, transpose3, type Vec3 } from '../geometry/linear.js'
import { resampleAligned, resampleRotated } from './resample-kernels.js'
import { assertVolume, type Grid, indexToLps, lpsToIndex, type Volume, type VoxelArray } from './volume.js'

/** An axis-aligned box in LPS, mm. */
export interface Box {
  readonly min: Vec3
  readonly max: Vec3
}

export interface ResampleOptions {
  /** mm along i, j, k; one number for an isotropic grid. */
  readonly spacing: number | Vec3
  /** Voxels along i, j, k. Default: what covers the volume. */
  readonly size?: Vec3
  /** LPS of voxel (0, 0, 0), mm. Default: the grid is centred on the volume. */
  readonly origin?: Vec3
  /** Default: the volume's own. */
  readonly direction?: Mat3
}

/**
 * Above this ratio of output to input spacing an axis is averaged: between plain trilinear samples, voxels would
 * be passed over, and thin cortical bone with them. Below it trilinear interpolation itself averages enough, and
 * a wider filter would only blur.
 */
export const AVERAGING_RATIO = 1.5

/** Voxels that one result may hold; beyond it the caller has most likely mixed up a unit. */
const MOST_VOXELS = 2 ** 31

/**
 * Resamples to another grid: trilinear between voxel centres, −1000 HU (air) outside the box of the voxel
 * centres. Along axes where the output is coarser than {@link AVERAGING_RATIO}, each value is the mean over the
 * extent of its voxel instead.
 *
 * @throws ArgumentError for a grid that is not one; VolumeError for a volume that is not one.
 */
export function resampleVolume(volume: Volume, options: ResampleOptions): Volume<Int16Array> {
  assertVolume(volume)
  const grid = resampledGrid(volume, options)
  if (grid.direction.every((x, i) => Math.abs(x - volume.direction[i]) < 1e-9))
    return { ...grid, data: resampleAligned(volume, grid, AVERAGING_RATIO) }
  // Rotation from the output's axes to the input's.
  const turn = mulMat3(transpose3(volume.direction), grid.direction)
  return { ...grid, data: resampleRotated(smoothedFor(volume, grid, turn), grid) }
}

/** The grid that {@link resampleVolume} fills. @throws ArgumentError */
export function resampledGrid(volume: Grid, options: ResampleOptions): Grid {
  const { spacing: s, direction = volume.direction } = options
  const spacing: Vec3 = typeof s === 'number' ? [s, s, s] : s
  const axes = [0, 1, 2].map(a => column3(direction, a as 0 | 1 | 2))
  const orthonormal = axes.every((p, a) =>
    axes.every((q, b) => Math.abs(dot(p, q) - (a === b ? 1 : 0)) < 1e-3)
  )
  if (!(orthonormal && spacing.every(x => x > 0 && Number.isFinite(x))))
    throw new ArgumentError(
      `A grid of spacing ${spacing.join(', ')} mm along ${direction.join(' ')} is not one`,
      'Give positive spacings in mm and orthonormal axes.'
    )
  // The box of the voxel centres, along the output's axes.
  const corners = [0, 1, 2, 3, 4, 5, 6, 7].map(c =>
    indexToLps(volume, [
      c & 1 ? volume.size[0] - 1 : 0,
      c & 2 ? volume.size[1] - 1 : 0,
      c & 4 ? volume.size[2] - 1 : 0
    ])
  )
  const size = [0, 0, 0]
  const first = [0, 0, 0]
  for (let a = 0; a < 3; a++) {
    const along = corners.map(p => dot(axes[a], p))
    const low = Math.min(...along)
    const high = Math.max(...along)
    const start = options.origin ? dot(axes[a], options.origin) : low
    // Rounding must not cost the last voxel where the extent is a multiple of the spacing.
    size[a] = options.size?.[a] ?? Math.floor((high - start) / spacing[a] + 1e-6) + 1
    first[a] = options.origin ? start : (low + high - (size[a] - 1) * spacing[a]) / 2
  }
  const voxels = size[0] * size[1] * size[2]
  if (
    !(size.every(n => Number.isInteger(n) && n > 0) && voxels <= MOST_VOXELS && first.every(Number.isFinite))
  )
    throw new ArgumentError(
      `A grid of ${size.join(' × ')} voxels from ${(options.origin ?? first).join(', ')} cannot be made`,
      'Give positive whole sizes and an origin before the end of the volume, or a coarser spacing.'
    )
  const origin = options.origin ?? mulMat3Vec3(direction, [first[0], first[1], first[2]])
  return { size: [size[0], size[1], size[2]], spacing, origin, direction }
}

/**
 * The volume averaged to no finer than the output along each of its own axes, so that a rotated grid can sample it.
 * Its outermost voxel centres lie up to half an output voxel further in: what is beyond them becomes air.
 */
function smoothedFor(volume: Volume, out: Grid, turn: Mat3): Volume {
  const spacing = [0, 1, 2].map(a => {
    const coarse = Math.hypot(...[0, 1, 2].map(b => turn[3 * a + b] * out.spacing[b]))
    return coarse > AVERAGING_RATIO * volume.spacing[a] ? coarse : volume.spacing[a]
  })
  if (spacing.every((s, a) => s === volume.spacing[a])) return volume
  const grid = resampledGrid(volume, { spacing: [spacing[0], spacing[1], spacing[2]] })
  return { ...grid, data: resampleAligned(volume, grid, AVERAGING_RATIO) }
}

/**
 * The part of a volume whose voxel centres enclose a box, on the same grid (no interpolation).
 * @throws VolumeError if the box lies outside the volume or is not one.
 */
export function cropToBox<T extends VoxelArray>(volume: Volume<T>, box: Box): Volume<T> {
  const low = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  const high = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let c = 0; c < 8; c++) {
    const index = lpsToIndex(volume, [
      (c & 1 ? box.max : box.min)[0],
      (c & 2 ? box.max : box.min)[1],
      (c & 4 ? box.max : box.min)[2]
    ])
    for (let a = 0; a < 3; a++) {
      low[a] = Math.min(low[a], index[a])
      high[a] = Math.max(high[a], index[a])
    }
  }
  const from = low.map(x => Math.max(0, Math.floor(x + 1e-6)))
  const to = high.map((x, a) => Math.min(volume.size[a] - 1, Math.ceil(x - 1e-6)))
  if (!from.every((f, a) => f <= to[a] && box.min[a] <= box.max[a]))
    throw new VolumeError(
      `The box from ${box.min.join(', ')} to ${box.max.join(', ')} mm holds no voxel of the volume`,
      'Give a box in LPS millimetres, lower corner first, that meets the volume.'
    )
  const [ni, nj, nk] = to.map((t, a) => t - from[a] + 1)
  const data = volume.data.slice(0, ni * nj * nk) as T
  for (let k = 0; k < nk; k++)
    for (let j = 0; j < nj; j++) {
      const o = ((from[2] + k) * volume.size[1] + from[1] + j) * volume.size[0] + from[0]
      data.set(volume.data.subarray(o, o + ni), (k * nj + j) * ni)
    }
  return {
    ...volume,
    size: [ni, nj, nk],
    origin: indexToLps(volume, [from[0], from[1], from[2]]),
    data
  }
}
