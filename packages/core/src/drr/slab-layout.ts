import type { Vec3 } from '../geometry/linear.js'

/** How a copy of the volume is made. */
export interface SlabShape {
  /** Index axes (0 = i, 1 = j, 2 = k): across slices, along a voxel row, from row to row. */
  readonly slabAxis: number
  readonly columnAxis: number
  readonly rowAxis: number
  /** Voxels of the volume averaged to one, by index axis. */
  readonly reduction: Vec3
  readonly bytesPerVoxel: 1 | 2
  /** Where the volume ends, its outermost voxels count half and fall off to 0 over one voxel more; else they are as they are. */
  readonly fallOff: boolean
  /** Attenuation of voxel value 1, in 1/mm. */
  readonly unit: number
}

/** A copy of the volume that the slab kernel walks along one index axis, and where it lies in the memory. */
export interface SlabLayout extends SlabShape {
  /** Voxels, by index axis. Voxel x of the copy is at index `start + reduction · x` of the volume. */
  readonly size: Vec3
  readonly start: Vec3
  /** Bytes, of the first slice's first row; rows have at least {@link ROW_MARGIN} voxels of nothing between them. */
  readonly offset: number
  readonly sliceStride: number
  readonly rowStride: number
  /**
   * For each slice and each pair of rows (−1, 0), (0, 1) … (n − 1, n) the first and last + 1 voxel that is not 0, as two
   * u16; bytes. Air costs nothing that way.
   */
  readonly extents: number
  readonly extentStride: number
}

/** Voxels of nothing between rows and at either end: slices are moved over each other by up to four. MARGIN of layout.ts. */
export const ROW_MARGIN = 8

export const align = (n: number): number => Math.ceil(n / 64) * 64

/** Lays a copy out from byte `from` on. @returns it and where it ends */
export function placeSlabs(
  volumeSize: Vec3,
  shape: SlabShape,
  from: number
): { slab: SlabLayout; end: number } {
  const { slabAxis, columnAxis, rowAxis, reduction, bytesPerVoxel } = shape
  // Averaged in a slice's plane, the volume gets a rim of nothing, or its outermost half voxel would be lost.
  const rim = [0, 1, 2].map(a => (a !== slabAxis && reduction[a] > 1 ? 1 : 0))
  const size = volumeSize.map((n, a) => Math.ceil(n / reduction[a]) + 2 * rim[a]) as unknown as Vec3
  const start = reduction.map((r, a) => (r - 1) / 2 - r * rim[a]) as unknown as Vec3
  const rowStride = (Math.ceil(size[columnAxis] / 8) * 8 + ROW_MARGIN) * bytesPerVoxel
  const offset = align(from + 2 * ROW_MARGIN * bytesPerVoxel)
  const end = offset + size[slabAxis] * size[rowAxis] * rowStride + 2 * ROW_MARGIN * bytesPerVoxel
  const extents = align(end)
  const extentStride = 4 * (size[rowAxis] + 1)
  const slab: SlabLayout = {
    ...shape,
    size,
    start,
    offset,
    sliceStride: rowStride * size[rowAxis],
    rowStride,
    extents,
    extentStride
  }
  return { slab, end: align(extents + size[slabAxis] * extentStride) }
}

/** The rows of a copy, walked the other way round: its slices become rows. Has extents of its own, from `from` on. */
export function turnSlabs(slab: SlabLayout, from: number): { slab: SlabLayout; end: number } {
  const extents = align(from)
  const extentStride = 4 * (slab.size[slab.slabAxis] + 1)
  const turned: SlabLayout = {
    ...slab,
    slabAxis: slab.rowAxis,
    rowAxis: slab.slabAxis,
    sliceStride: slab.rowStride,
    rowStride: slab.sliceStride,
    extents,
    extentStride
  }
  return { slab: turned, end: align(extents + slab.size[slab.rowAxis] * extentStride) }
}
