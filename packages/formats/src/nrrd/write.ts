import type { Image, Vec2, Volume, VoxelArray } from '@raypose/core'
import { concatBytes, littleEndianBytes } from '../bytes/elements.js'
import { gzip } from '../bytes/inflate.js'
import { stepsOf } from '../volume.js'

const TYPES = new Map<unknown, string>([
  [Int8Array, 'int8'],
  [Uint8Array, 'uint8'],
  [Int16Array, 'int16'],
  [Uint16Array, 'uint16'],
  [Int32Array, 'int32'],
  [Float32Array, 'float']
])

/** Writes a volume as a .nrrd file in left-posterior-superior; gzip unless told otherwise. */
export function writeNrrd(volume: Volume, options: { gzip?: boolean } = {}): Uint8Array {
  const vector = (v: readonly number[]) => `(${v.join(',')})`
  return file(volume.data, options.gzip ?? true, [
    'dimension: 3',
    'space: left-posterior-superior',
    `sizes: ${volume.size.join(' ')}`,
    `space directions: ${stepsOf(volume).map(vector).join(' ')}`,
    'kinds: domain domain domain',
    `space origin: ${vector(volume.origin)}`
  ])
}

/** Writes an image (an X-ray or a DRR) as a 2D .nrrd file of float; `pixel` in mm. */
export const writeNrrdImage = (
  image: Image,
  pixel: Vec2 = [1, 1],
  options: { gzip?: boolean } = {}
): Uint8Array =>
  file(image.data, options.gzip ?? true, [
    'dimension: 2',
    `sizes: ${image.width} ${image.height}`,
    `spacings: ${pixel.join(' ')}`,
    'kinds: domain domain'
  ])

function file(data: VoxelArray, compress: boolean, lines: readonly string[]): Uint8Array {
  const raw = littleEndianBytes(data)
  const header = [
    'NRRD0004',
    `type: ${TYPES.get(data.constructor)}`,
    ...lines,
    'endian: little',
    `encoding: ${compress ? 'gzip' : 'raw'}`,
    '',
    ''
  ].join('\n')
  return concatBytes([new TextEncoder().encode(header), compress ? gzip(raw) : raw])
}
