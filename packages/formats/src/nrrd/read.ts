import { FileFormatError, type Image, type Vec2 } from '@raypose/core'
import { ELEMENT_BYTES, type HuArray, huFromBytes, toHu } from '../bytes/elements.js'
import { guard } from '../bytes/guard.js'
import { gunzip } from '../bytes/inflate.js'
import { siblingName } from '../bytes/sibling.js'
import { type LoadedVolume, volumeFromSteps } from '../volume.js'
import { nrrdGrid } from './grid.js'
import { type NrrdHeader, readNrrdHeader } from './header.js'

/**
 * Reads a 3D NRRD file (raw, gzip or ascii; LPS, RAS or LAS), in LPS.
 * @param detached content of the file that a .nhdr names
 * @throws FileFormatError for a truncated or damaged file, a .nhdr without its data, another encoding or space.
 * @throws VolumeError for sheared axes, or where the size of voxels is not given.
 */
export function readNrrd(bytes: Uint8Array, name = 'The NRRD file', detached?: Uint8Array): LoadedVolume {
  return guard(name, () => {
    const header = readNrrdHeader(bytes, name)
    const body = bodyOf(bytes, header, name, detached)
    const { size, steps, origin } = nrrdGrid(header, name)
    const notes: string[] = []
    if (!header.hasSpace || !header.directions)
      notes.push(`${name} does not say its patient orientation: its axes are taken as L, P, S.`)
    const values = readValues(body, header, name)
    const volume = volumeFromSteps(size, steps, origin, values, name)
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
    const values = readValues(bodyOf(bytes, header, name), header, name)
    const pixel =
      header.directions?.slice(0, 2).map(v => Math.hypot(...(v ?? []))) ?? header.spacings?.slice(0, 2)
    return {
      image: { width, height, data: Float32Array.from(values) },
      pixel: pixel?.length === 2 && pixel.every(p => p > 0) ? [pixel[0], pixel[1]] : null
    }
  })
}

/** The bytes that hold the voxels. */
function bodyOf(bytes: Uint8Array, header: NrrdHeader, name: string, detached?: Uint8Array): Uint8Array {
  if (header.dataFile === null) return bytes.subarray(header.dataOffset)
  if (!detached)
    throw new FileFormatError(
      `${name} keeps its voxels in another file (${header.dataFile})`,
      'Write header and data in one file: .nrrd, not .nhdr.'
    )
  return detached
}

function readValues(body: Uint8Array, header: NrrdHeader, name: string): HuArray {
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
  const all = header.encoding === 'gzip' ? gunzip(body, name) : body
  const raw = header.atTheEnd ? all.subarray(-count * ELEMENT_BYTES[header.type]) : all
  return huFromBytes(raw, header.type, count, header.littleEndian, name)
}

/** The file beside a .nhdr that holds its voxels; null where they follow the header. @throws FileFormatError */
export function nrrdSibling(bytes: Uint8Array, name: string): string | null {
  const { dataFile } = readNrrdHeader(bytes, name)
  return dataFile === null ? null : siblingName(dataFile, name)
}
