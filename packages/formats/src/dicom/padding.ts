import type { DicomFile } from './header.js'
import type { StoredPixels } from './pixels.js'

/** Stored values that stand for "no pixel here", both ends included. Source: DICOM PS3.3 C.7.5.1.1.2. */
export interface PaddingRange {
  readonly from: number
  readonly to: number
  /** Whether the range counts in 16 bits with a sign. */
  readonly signed: boolean
}

/** Pixel Padding Value (0028,0120) and Pixel Padding Range Limit (0028,0121); null where there is none. */
export function paddingOf({ dataset, header }: DicomFile): PaddingRange | null {
  const value = dataset.number('00280120')
  if (value === null) return null
  const limit = dataset.number('00280121') ?? value
  // Writers give either sign, whatever the pixels have: a range across zero makes sense in one of them only.
  const signed = header.signed || value < 0 || limit < 0
  const [a, b] = [value, limit].map(v => inBits(v, 16, signed))
  return { from: Math.min(a, b), to: Math.max(a, b), signed }
}

/**
 * The pixels that are padding (1), or null where none is.
 * @param raw values in all their bits
 * @param stored the same values with unused bits resolved; compared too, as overlays may live in the others
 */
export function paddedPixels(
  raw: StoredPixels,
  stored: StoredPixels,
  bitsStored: number,
  { from, to, signed }: PaddingRange
): Uint8Array | null {
  const width = 8 * raw.BYTES_PER_ELEMENT
  const isSigned = stored instanceof Int8Array || stored instanceof Int16Array || stored instanceof Int32Array
  const [least, most] = isSigned
    ? [-(2 ** (bitsStored - 1)), 2 ** (bitsStored - 1) - 1]
    : [0, 2 ** bitsStored - 1]
  const fits = from >= least && to <= most
  const out = new Uint8Array(raw.length)
  let found = false
  for (let i = 0; i < raw.length; i++) {
    const r = inBits(raw[i], width, signed)
    if ((r >= from && r <= to) || (fits && stored[i] >= from && stored[i] <= to)) {
      out[i] = 1
      found = true
    }
  }
  return found ? out : null
}

/** The number that the lowest bits of another are, with a sign or without. */
function inBits(value: number, bits: number, signed: boolean): number {
  const left = 32 - bits
  return signed ? (value << left) >> left : (value << left) >>> left
}
