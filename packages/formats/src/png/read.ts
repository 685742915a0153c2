import { FileFormatError, type Image } from '@raypose/core'
import { convertIndexedToRgb, decode } from 'fast-png'
import { guard } from '../bytes/guard.js'
import { withOptions, type Xray, type XrayOptions } from '../xray/xray.js'

/** Whether bytes carry the PNG signature. */
export const looksLikePng = (bytes: Uint8Array): boolean =>
  [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a].every((b, i) => bytes[i] === b)

/**
 * Reads a PNG of 8 or 16 bits as an image of its stored values; colour becomes luminance, transparency is dropped.
 * @throws FileFormatError for a truncated or damaged file, or less than 8 bits.
 */
export function readPng(
  bytes: Uint8Array,
  name = 'The PNG file'
): { image: Image; bits: 8 | 16; notes: string[] } {
  return guard(name, () => {
    const damaged = (reason: string) =>
      new FileFormatError(`${name} ${reason}`, 'The file is truncated or damaged: copy or export it again.')
    if (!looksLikePng(bytes)) throw damaged('is not a PNG file')
    // The decoder makes do with a file whose end chunk is gone.
    if (!endsWithIend(bytes)) throw damaged('ends before its last chunk')
    const png = decode(bytes, { checkCrc: true })
    const { width, height, depth } = png
    if (depth !== 8 && depth !== 16)
      throw new FileFormatError(
        `${name} has ${depth} bits a pixel`,
        'Write the X-ray as a greyscale PNG of 16 bits.'
      )
    const data = png.palette ? convertIndexedToRgb(png) : png.data
    const channels = png.palette ? data.length / (width * height) : png.channels
    if (data.length !== width * height * channels) throw damaged('holds fewer pixels than it says')
    const notes: string[] = []
    if (channels >= 3) notes.push(`${name} is a colour image: its luminance is taken.`)
    if (depth === 8) notes.push(`${name} has 8 bits a pixel: small differences in bone are lost.`)
    const out = new Float32Array(width * height)
    for (let i = 0, at = 0; i < out.length; i++, at += channels)
      out[i] = channels >= 3 ? luminance(data[at], data[at + 1], data[at + 2]) : data[at]
    return { image: { width, height, data: out }, bits: depth, notes }
  })
}

/** Rec. 709. Equal channels give their own value exactly, as a grey image saved in colour should. */
const luminance = (r: number, g: number, b: number) =>
  r === g && g === b ? r : 0.2126 * r + 0.7152 * g + 0.0722 * b

const endsWithIend = (bytes: Uint8Array) => String.fromCharCode(...bytes.subarray(-8, -4)) === 'IEND'

/**
 * Reads a PNG X-ray. Its geometry can only come from a geometry JSON; without one `detector` is null.
 * What its values mean is a guess (logarithmic, bone bright: as the DRRs that Raypose writes) unless told in `options`.
 * @param geometryJson the parsed object of the contract ("Files")
 * @throws FileFormatError, GeometryError, XrayError for an image of another size than its geometry, or an empty one.
 */
export function readPngXray(
  bytes: Uint8Array,
  geometryJson?: unknown,
  options: XrayOptions = {},
  name = 'The PNG file'
): Xray {
  const { image, notes } = readPng(bytes, name)
  return plainXray(image, notes, { ...options, geometry: geometryJson ?? options.geometry }, name, 'PNG')
}

/** An X-ray out of a file that says nothing but pixel values. */
export function plainXray(
  image: Image,
  notes: readonly string[],
  options: XrayOptions,
  name: string,
  kind: string
): Xray {
  const xray: Xray = {
    image,
    detector: null,
    missing: [`geometry in a ${kind} file`],
    cameraFromLps: null,
    sourceToPatient: null,
    positioner: null,
    intensity: 'log',
    bright: 'attenuation',
    guessed: ['intensity', 'bright'],
    mirrored: null,
    frames: 1,
    modality: '',
    photometric: 'MONOCHROME2',
    notes
  }
  return withOptions(xray, options, name)
}
