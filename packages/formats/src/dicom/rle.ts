import { FileFormatError } from '@raypose/core'

/**
 * Decodes one RLE frame (PackBits segments, one per byte of a pixel, most significant first) to little-endian bytes.
 * Source: DICOM PS3.5 annex G.
 * @param pixels samples in the frame
 * @throws FileFormatError if the segments are fewer or shorter than the frame needs.
 */
export function decodeRle(
  coded: Uint8Array,
  pixels: number,
  bytesPerPixel: number,
  what: string
): Uint8Array {
  const damaged = (reason: string) =>
    new FileFormatError(
      `${what}: RLE data ${reason}`,
      'The file is truncated or damaged: copy or export it again.'
    )
  if (coded.length < 64) throw damaged('ends inside its header')
  const view = new DataView(coded.buffer, coded.byteOffset, coded.byteLength)
  const segments = view.getUint32(0, true)
  if (segments !== bytesPerPixel) throw damaged(`has ${segments} segments for ${bytesPerPixel} bytes a pixel`)
  const out = new Uint8Array(pixels * bytesPerPixel)
  for (let s = 0; s < segments; s++) {
    const start = view.getUint32(4 + 4 * s, true)
    const end = s + 1 < segments ? view.getUint32(8 + 4 * s, true) : coded.length
    if (start < 64 || end > coded.length || start > end) throw damaged('has segments outside the frame')
    const lane = bytesPerPixel - 1 - s
    let at = start
    let n = 0
    while (n < pixels && at < end) {
      const control = coded[at++]
      if (control < 128) {
        const run = Math.min(control + 1, pixels - n, end - at)
        for (let k = 0; k < run; k++) out[(n + k) * bytesPerPixel + lane] = coded[at + k]
        at += control + 1
        n += run
      } else if (control > 128 && at < end) {
        const run = Math.min(257 - control, pixels - n)
        const value = coded[at++]
        for (let k = 0; k < run; k++) out[(n + k) * bytesPerPixel + lane] = value
        n += run
      }
    }
    if (n < pixels) throw damaged(`ends after ${n} of ${pixels} pixels`)
  }
  return out
}
