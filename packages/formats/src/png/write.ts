import { ArgumentError, type Image } from '@raypose/core'
import { encode } from 'fast-png'

/** Values that become black and white; what lies outside is clamped. */
export interface GreyWindow {
  readonly min: number
  readonly max: number
}

/**
 * Writes an image as a 16-bit greyscale PNG.
 * @throws ArgumentError for an empty window or NaN in it.
 */
export function writePng16(image: Image, window: GreyWindow): Uint8Array {
  return greyPng(image, window, 65535, n => new Uint16Array(n), 16)
}

/** Writes an image as an 8-bit greyscale PNG. @throws ArgumentError as {@link writePng16}. */
export function writePng8(image: Image, window: GreyWindow): Uint8Array {
  return greyPng(image, window, 255, n => new Uint8Array(n), 8)
}

function greyPng(
  image: Image,
  { min, max }: GreyWindow,
  white: number,
  allocate: (n: number) => Uint8Array | Uint16Array,
  depth: 8 | 16
): Uint8Array {
  if (!(max > min))
    throw new ArgumentError(`The grey window ${min} … ${max} is empty`, 'Give max above min, both finite.')
  const data = allocate(image.data.length)
  const s = white / (max - min)
  for (let i = 0; i < data.length; i++)
    data[i] = Math.max(0, Math.min(white, Math.round((image.data[i] - min) * s)))
  return encode({ width: image.width, height: image.height, data, depth, channels: 1 })
}

/**
 * Writes a colour picture.
 * @param rgb width·height·3 bytes, row-major
 * @throws ArgumentError for another number of bytes.
 */
export function writePng8Rgb(width: number, height: number, rgb: Uint8Array | Uint8ClampedArray): Uint8Array {
  if (rgb.length !== width * height * 3)
    throw new ArgumentError(
      `${rgb.length} bytes are not a colour picture of ${width} × ${height}`,
      'Give three bytes a pixel.'
    )
  return encode({ width, height, data: rgb, depth: 8, channels: 3 })
}
