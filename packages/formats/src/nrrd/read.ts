import { FileFormatError, type Image, type Vec2, type Vec3 } from '@raypose/core'
import { elementsFromBytes, type HuArray, toHu } from '../bytes/elements.js'
import { guard } from '../bytes/guard.js'
import { gunzip } from '../bytes/inflate.js'
import { type LoadedVolume, volumeFromSteps } from '../volume.js'
import { type NrrdHeader, readNrrdHeader } from './header.js'

/**
 * Reads a 3D NRRD file (raw, gzip or ascii; LPS, RAS or LAS), in LPS.
 * @throws FileFormatError for a truncated or damaged file, detached data, another encoding or space.
 * @throws VolumeError for sheared axes.
 */
export function readNrrd(bytes: Uint8Array, name = 'The NRRD file'): LoadedVolume {
  return guard(name, () => {
    const header = readNrrdHeader(bytes, name)
    if (header.sizes.length !== 3)
      throw new FileFormatError(
        `${name} has ${header.sizes.length} dimensions (${header.sizes.join(' × ')}), not 3`,
        'Give a CT volume of one number per voxel.'
      )
    const notes: string[] = []
    if (!header.hasSpace || !header.directions)
      notes.push(`${name} does not say its patient orientation: its axes are taken as L, P, S.`)
    const values = readValues(bytes, header, name)
    const [x, y, z] = header.lpsSigns
    const lps = (v: readonly number[]): Vec3 => [x * v[0], y * v[1], z * v[2]]
    const [i, j, k] = axisVectors(header, name)
    const origin = lps(header.origin ?? [0, 0, 0])
    const volume = volumeFromSteps(
      header.sizes as unknown as Vec3,
      [lps(i), lps(j), lps(k)],
      origin,
      values,
      name
    )
    return { volume, format: 'nrrd', notes }
  })
}

/**
 * Reads a 2D NRRD file (or a 3D one of a single slice) as an image; `pixel` (mm) where the file gives it.
 * @throws FileFormatError
 */
export function readNrrdImage(
  bytes: Uint8Array,
  name = 'The NRRD file'
): { image: Image; pixel: Vec2 | null } {
  return guard(name, () => {
    const header = readNrrdHeader(bytes, name)
    if (header.sizes.length < 2 || header.sizes.slice(2).some(n => n !== 1))
      throw new FileFormatError(
        `${name} is ${header.sizes.join(' × ')}, not a single image`,
        'Give an image of columns × rows.'
      )
    const [width, height] = header.sizes
    const values = readValues(bytes, header, name)
    const pixel = header.directions?.slice(0, 2).map(v => Math.hypot(...v)) ?? header.spacings?.slice(0, 2)
    return {
      image: { width, height, data: Float32Array.from(values) },
      pixel: pixel?.length === 2 && pixel.every(p => p > 0) ? [pixel[0], pixel[1]] : null
    }
  })
}

function axisVectors(header: NrrdHeader, name: string): readonly (readonly number[])[] {
  const s = header.spacings ?? [1, 1, 1]
  const v = header.directions ?? [
    [s[0], 0, 0],
    [0, s[1], 0],
    [0, 0, s[2]]
  ]
  const three = (a: readonly number[]) => a.length === 3
  if (v.length !== 3 || !v.every(three) || !three(header.origin ?? [0, 0, 0]))
    throw new FileFormatError(
      `${name}: "space directions" or "space origin" is not in three dimensions`,
      'The header is damaged: export the file again.'
    )
  return v
}

function readValues(bytes: Uint8Array, header: NrrdHeader, name: string): HuArray {
  const body = bytes.subarray(header.dataOffset)
  const count = header.sizes.reduce((a, b) => a * b, 1)
  if (header.encoding === 'ascii') {
    const numbers = new TextDecoder('latin1')
      .decode(body)
      .trim()
      .split(/[\s,]+/)
      .map(Number)
    if (numbers.length < count || numbers.some(Number.isNaN))
      throw new FileFormatError(
        `${name} holds ${numbers.length} numbers where its header asks for ${count}`,
        'The file is truncated: copy or export it again.'
      )
    return toHu(numbers.slice(0, count))
  }
  const raw = header.encoding === 'gzip' ? gunzip(body, name) : body
  return toHu(elementsFromBytes(raw, header.type, count, header.littleEndian, name))
}
