import type { Vec3 } from '../geometry/linear.js'
import type { Attenuation } from './attenuation.js'
import type { SlabLayout } from './slab-layout.js'

/** Slices gathered at a time: as many neighbouring voxels are read together as a cache line has. */
const BLOCK = 32

/**
 * Fills a copy: attenuation averaged over `reduction` voxels, in the copy's levels. Outermost voxels that fall off count
 * half: as much matter as if the volume were cut off there, but without a step in every slice that a ray leaves through the
 * side of.
 * @param turned the same copy walked the other way round, if there is one
 */
export function copySlabs(
  attenuation: Attenuation,
  size: Vec3,
  slab: SlabLayout,
  turned: SlabLayout | null,
  buffer: ArrayBufferLike
): void {
  const { slabAxis: a, columnAxis: b, rowAxis: c, reduction, fallOff } = slab
  const stride = [1, size[0], size[0] * size[1]]
  const [ra, rb, rc] = [reduction[a], reduction[b], reduction[c]]
  const [nb, nc] = [slab.size[b], slab.size[c]]
  const rimB = (nb - Math.ceil(size[b] / rb)) / 2
  const rimC = (nc - Math.ceil(size[c] / rc)) / 2
  const block = Math.ceil(BLOCK / ra) * ra
  const sums = new Float32Array((block / ra) * nb)
  const scale = 1 / (slab.unit * ra * rb * rc)
  const half = (index: number, axis: number) =>
    fallOff && (index === 0 || index === size[axis] - 1) ? 0.5 : 1
  const extents = new Uint32Array(slab.size[a] * nc)
  const write = rowWriter(slab, buffer)
  for (let row = 0; row < nc; row++)
    for (let a0 = 0; a0 < size[a]; a0 += block) {
      const aEnd = Math.min(size[a], a0 + block)
      const zEnd = Math.min(size[c], (row - rimC + 1) * rc)
      sums.fill(0)
      for (let z = Math.max(0, (row - rimC) * rc); z < zEnd; z++)
        for (let x = a0; x < aEnd; x++) {
          const weight = scale * half(x, a) * half(z, c)
          const to = Math.floor((x - a0) / ra) * nb + rimB
          const first = x * stride[a] + z * stride[c]
          const last = first + (size[b] - 1) * stride[b]
          if (rb === 1) addRow(sums, to, attenuation, first, last, stride[b], weight)
          else addRowReduced(sums, to, attenuation, first, last, stride[b], weight, rb)
          if (!fallOff) continue
          // Of the ends, half was too much.
          sums[to] -= 0.5 * weight * attenuation.at(first)
          sums[to + Math.floor((size[b] - 1) / rb)] -= 0.5 * weight * attenuation.at(last)
        }
      for (let x = 0; x < Math.ceil((aEnd - a0) / ra); x++) {
        const slice = a0 / ra + x
        extents[slice * nc + row] = write(slice, row, sums, x * nb, nb)
      }
    }
  pairExtents(extents, slab.size[a], nc, nc, 1, slab, buffer)
  if (turned) pairExtents(extents, nc, slab.size[a], 1, nc, turned, buffer)
}

function addRow(
  sums: Float32Array,
  to: number,
  { at }: Attenuation,
  first: number,
  last: number,
  stride: number,
  weight: number
): void {
  for (let from = first; from <= last; from += stride) sums[to++] += weight * at(from)
}

function addRowReduced(
  sums: Float32Array,
  to: number,
  { at }: Attenuation,
  first: number,
  last: number,
  stride: number,
  weight: number,
  reduction: number
): void {
  let n = 0
  for (let from = first; from <= last; from += stride)
    sums[to + Math.floor(n++ / reduction)] += weight * at(from)
}

/** Writes a row of levels; returns its first and last + 1 voxel that is not 0, as the kernel has them. */
type RowWriter = (slice: number, row: number, levels: Float32Array, from: number, count: number) => number

function rowWriter(slab: SlabLayout, buffer: ArrayBufferLike): RowWriter {
  const { bytesPerVoxel, offset, sliceStride, rowStride } = slab
  const begin = (slice: number, row: number) =>
    (offset + slice * sliceStride + row * rowStride) / bytesPerVoxel
  if (bytesPerVoxel === 2) {
    const voxels = new Uint16Array(buffer)
    return (slice, row, levels, from, count) => {
      const o = begin(slice, row)
      for (let y = 0; y < count; y++) voxels[o + y] = Math.min(32767, (levels[from + y] + 0.5) | 0)
      return extentOf(voxels, o, count)
    }
  }
  const voxels = new Uint8Array(buffer)
  return (slice, row, levels, from, count) => {
    const o = begin(slice, row)
    // 256 levels are too few to round to: what a voxel loses the next one gets, so that sums are right.
    let owed = 0
    for (let y = 0; y < count; y++) {
      const level = levels[from + y]
      if (level === 0) owed = 0
      else {
        const wanted = level + owed
        const given = Math.max(0, Math.min(255, (wanted + 0.5) | 0))
        owed = given === 255 ? 0 : wanted - given
        voxels[o + y] = given
      }
    }
    return extentOf(voxels, o, count)
  }
}

function extentOf(voxels: Uint8Array | Uint16Array, from: number, count: number): number {
  let first = 0
  let end = count
  while (first < end && voxels[from + first] === 0) first++
  while (end > first && voxels[from + end - 1] === 0) end--
  return end > first ? first | (end << 16) : 0xffff
}

/** Joins the extents of rows next to each other: row r of slice s is at s·perSlice + r·perRow. */
function pairExtents(
  extents: Uint32Array,
  slices: number,
  rows: number,
  perSlice: number,
  perRow: number,
  slab: SlabLayout,
  buffer: ArrayBufferLike
): void {
  const out = new Uint32Array(buffer, slab.extents, slices * (rows + 1))
  for (let s = 0; s < slices; s++) {
    let before = 0xffff
    for (let r = 0; r <= rows; r++) {
      const next = r < rows ? extents[s * perSlice + r * perRow] : 0xffff
      const first = Math.min(before & 0xffff, next & 0xffff)
      const end = Math.max(before >>> 16, next >>> 16)
      out[s * (rows + 1) + r] = first | (end << 16)
      before = next
    }
  }
}
