import type { Image, Vec2, Volume, VoxelArray } from '@raypose/core'
import { concatBytes, littleEndianBytes } from '../bytes/elements.js'
import { zlib } from '../bytes/inflate.js'

const TYPES = new Map<unknown, string>([
  [Int8Array, 'MET_CHAR'],
  [Uint8Array, 'MET_UCHAR'],
  [Int16Array, 'MET_SHORT'],
  [Uint16Array, 'MET_USHORT'],
  [Int32Array, 'MET_INT'],
  [Float32Array, 'MET_FLOAT']
])

/**
 * Writes a volume as one .mha file, in LPS as ITK reads it.
 * @param options `compress`: zlib
 */
export function writeMha(volume: Volume, options: { compress?: boolean } = {}): Uint8Array {
  const d = volume.direction
  // MetaIO lists the direction of the i axis first: the rows of the file are the columns of the matrix.
  const matrix = [0, 1, 2].flatMap(c => [d[c], d[3 + c], d[6 + c]])
  return file(volume.size, volume.spacing, volume.origin, matrix, volume.data, options.compress ?? false)
}

/** Writes an image as a 2D .mha file; `pixel` in mm. */
export const writeMhaImage = (image: Image, pixel: Vec2 = [1, 1]): Uint8Array =>
  file([image.width, image.height], pixel, [0, 0], [1, 0, 0, 1], image.data, false)

function file(
  size: readonly number[],
  spacing: readonly number[],
  offset: readonly number[],
  matrix: readonly number[],
  data: VoxelArray,
  compress: boolean
): Uint8Array {
  const raw = littleEndianBytes(data)
  const body = compress ? zlib(raw) : raw
  const header = [
    'ObjectType = Image',
    `NDims = ${size.length}`,
    'BinaryData = True',
    'BinaryDataByteOrderMSB = False',
    `CompressedData = ${compress ? 'True' : 'False'}`,
    ...(compress ? [`CompressedDataSize = ${body.length}`] : []),
    `TransformMatrix = ${matrix.join(' ')}`,
    `Offset = ${offset.join(' ')}`,
    `CenterOfRotation = ${offset.map(() => 0).join(' ')}`,
    ...(size.length === 3 ? ['AnatomicalOrientation = RAI'] : []),
    `ElementSpacing = ${spacing.join(' ')}`,
    `DimSize = ${size.join(' ')}`,
    `ElementType = ${TYPES.get(data.constructor)}`,
    'ElementDataFile = LOCAL',
    ''
  ].join('\n')
  return concatBytes([new TextEncoder().encode(header), body])
}
