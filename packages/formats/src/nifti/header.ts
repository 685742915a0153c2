import { FileFormatError, type Mat3, type Vec3, VolumeError } from '@raypose/core'
import type { ElementType } from '../bytes/elements.js'
import { checkedSize } from '../volume.js'

/** The part of a NIfTI-1 header that a CT needs. Source: nifti1.h of the NIfTI Data Format Working Group. */
export interface NiftiHeader {
  readonly littleEndian: boolean
  readonly size: Vec3
  readonly type: ElementType
  readonly dataOffset: number
  readonly slope: number
  readonly intercept: number
  /** Millimetres per unit of length of the header. */
  readonly mmPerUnit: number
  /** Voxel size that the header gives apart from the forms, in its units; 0 where it says nothing. */
  readonly voxel: Vec3
  /** RAS steps and origin in the header's units, or null where the code is 0. */
  readonly sform: NiftiAffine | null
  readonly qform: NiftiAffine | null
}

/** RAS = steps · index + origin; `steps` row-major, columns are the steps along i, j, k. */
export interface NiftiAffine {
  /** What its coordinates are: 1 the scanner's, 2 aligned to another scan, 3 and 4 a template's. */
  readonly code: number
  readonly steps: Mat3
  readonly origin: Vec3
}

export const NIFTI_TYPES: Readonly<Record<number, ElementType>> = {
  2: 'uint8',
  4: 'int16',
  8: 'int32',
  16: 'float32',
  64: 'float64',
  256: 'int8',
  512: 'uint16',
  768: 'uint32',
  1024: 'int64',
  1280: 'uint64'
}

const HEADER_BYTES = 348
/** Where voxels begin when nothing comes between: after the header and its four bytes of extension. */
export const DATA_OFFSET = 352
const EXPORT_HINT = 'Write it as a single-file NIfTI-1 volume (.nii or .nii.gz) of one scalar per voxel.'

/** Whether bytes (not compressed) begin as NIfTI-1 or NIfTI-2. */
export function looksLikeNifti(bytes: Uint8Array): boolean {
  if (bytes.length < 348) return false
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return [348, 540].includes(view.getInt32(0, true)) || [348, 540].includes(view.getInt32(0, false))
}

/** @throws FileFormatError, VolumeError */
export function readNiftiHeader(bytes: Uint8Array, what: string): NiftiHeader {
  if (bytes.length < HEADER_BYTES + 4)
    throw new FileFormatError(
      `${what} ends inside its header (${bytes.length} bytes)`,
      'The file is truncated: copy or export it again.'
    )
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const littleEndian = view.getInt32(0, true) === HEADER_BYTES || view.getInt32(0, true) === 540
  const sizeofHeader = view.getInt32(0, littleEndian)
  if (sizeofHeader === 540) throw new FileFormatError(`${what} is NIfTI-2`, EXPORT_HINT)
  if (sizeofHeader !== HEADER_BYTES)
    throw new FileFormatError(`${what} is not NIfTI-1: its header length is ${sizeofHeader}`, EXPORT_HINT)
  const magic = String.fromCharCode(...bytes.subarray(344, 347))
  if (magic === 'ni1')
    throw new FileFormatError(`${what} is the header of a two-file NIfTI (.hdr and .img)`, EXPORT_HINT)
  if (magic !== 'n+1')
    throw new FileFormatError(`${what} is not NIfTI-1: its magic is not "n+1" (Analyze 7.5?)`, EXPORT_HINT)

  const i16 = (at: number) => view.getInt16(at, littleEndian)
  const f32 = (at: number) => view.getFloat32(at, littleEndian)
  const dims = Array.from({ length: 8 }, (_, k) => i16(40 + 2 * k))
  if (dims[0] < 3 || dims[0] > 7 || dims.slice(4, dims[0] + 1).some(n => n !== 1))
    throw new FileFormatError(
      `${what} has ${dims[0]} dimensions (${dims.slice(1, Math.max(2, Math.min(8, dims[0] + 1))).join(' × ')}), not 3`,
      'Extract one volume from it.'
    )
  const size: Vec3 = [dims[1], dims[2], dims[3]]
  checkedSize(size, what)
  const type = NIFTI_TYPES[i16(70)]
  if (!type)
    throw new FileFormatError(`${what} has the data type ${i16(70)}, not a single number`, EXPORT_HINT)
  const slope = f32(112)
  const intercept = f32(116)
  const scaled = Number.isFinite(slope) && slope !== 0
  // Some writers leave 0, meaning where the voxels of a single file begin.
  const dataOffset = f32(108) || DATA_OFFSET
  if (!(dataOffset >= HEADER_BYTES && dataOffset <= bytes.length))
    throw new FileFormatError(
      `${what} says its voxels begin at byte ${dataOffset} of ${bytes.length}`,
      'The file is truncated: copy or export it again.'
    )
  return {
    littleEndian,
    size,
    type,
    dataOffset,
    slope: scaled ? slope : 1,
    intercept: scaled && Number.isFinite(intercept) ? intercept : 0,
    mmPerUnit: millimetresPerUnit(view.getUint8(123) & 7, what),
    voxel: [80, 84, 88].map(at => (Number.isFinite(f32(at)) ? Math.abs(f32(at)) : 0)) as unknown as Vec3,
    sform: i16(254) > 0 ? { code: i16(254), ...sformOf(f32) } : null,
    qform: i16(252) > 0 ? { code: i16(252), ...qformOf(f32) } : null
  }
}

function millimetresPerUnit(code: number, what: string): number {
  // 0 is "unknown", which every writer that leaves it means as mm.
  const mm = [1, 1000, 1, 0.001][code]
  if (mm === undefined)
    throw new VolumeError(`${what} has the unknown unit of length ${code}`, 'Write it again in millimetres.')
  return mm
}

function sformOf(f32: (at: number) => number): Omit<NiftiAffine, 'code'> {
  const at = (row: number, col: number) => f32(280 + 16 * row + 4 * col)
  return {
    steps: [0, 1, 2].flatMap(r => [at(r, 0), at(r, 1), at(r, 2)]),
    origin: [at(0, 3), at(1, 3), at(2, 3)]
  }
}

function qformOf(f32: (at: number) => number): Omit<NiftiAffine, 'code'> {
  const [b, c, d] = [f32(256), f32(260), f32(264)]
  const a = Math.sqrt(Math.max(0, 1 - (b * b + c * c + d * d)))
  const [dx, dy, dz] = [f32(80), f32(84), f32(88)]
  const q = f32(76) < 0 ? -dz : dz
  return {
    steps: [
      (a * a + b * b - c * c - d * d) * dx,
      2 * (b * c - a * d) * dy,
      2 * (b * d + a * c) * q,
      2 * (b * c + a * d) * dx,
      (a * a + c * c - b * b - d * d) * dy,
      2 * (c * d - a * b) * q,
      2 * (b * d - a * c) * dx,
      2 * (c * d + a * b) * dy,
      (a * a + d * d - c * c - b * b) * q
    ],
    origin: [f32(268), f32(272), f32(276)]
  }
}
