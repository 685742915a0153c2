import { FileFormatError } from '@raypose/core'

/** How the pixels of a DICOM file are coded. Source: DICOM PS3.5 section 10 and annex A. */
export type PixelCoding = 'native' | 'rle' | 'jpeg' | 'jpeg-lossless' | 'jpeg-ls' | 'jpeg-2000'

export interface TransferSyntax {
  readonly uid: string
  readonly name: string
  readonly coding: PixelCoding
  readonly littleEndian: boolean
}

const syntax = (uid: string, name: string, coding: PixelCoding, littleEndian = true): TransferSyntax => ({
  uid,
  name,
  coding,
  littleEndian
})

export const TRANSFER_SYNTAXES: readonly TransferSyntax[] = [
  syntax('1.2.840.10008.1.2', 'Implicit VR Little Endian', 'native'),
  syntax('1.2.840.10008.1.2.1', 'Explicit VR Little Endian', 'native'),
  syntax('1.2.840.10008.1.2.1.99', 'Deflated Explicit VR Little Endian', 'native'),
  syntax('1.2.840.10008.1.2.2', 'Explicit VR Big Endian', 'native', false),
  syntax('1.2.840.10008.1.2.5', 'RLE Lossless', 'rle'),
  syntax('1.2.840.10008.1.2.4.50', 'JPEG Baseline', 'jpeg'),
  syntax('1.2.840.10008.1.2.4.51', 'JPEG Extended', 'jpeg'),
  syntax('1.2.840.10008.1.2.4.57', 'JPEG Lossless', 'jpeg-lossless'),
  syntax('1.2.840.10008.1.2.4.70', 'JPEG Lossless, first-order prediction', 'jpeg-lossless'),
  syntax('1.2.840.10008.1.2.4.80', 'JPEG-LS Lossless', 'jpeg-ls'),
  syntax('1.2.840.10008.1.2.4.81', 'JPEG-LS Near-Lossless', 'jpeg-ls'),
  syntax('1.2.840.10008.1.2.4.90', 'JPEG 2000 Lossless', 'jpeg-2000'),
  syntax('1.2.840.10008.1.2.4.91', 'JPEG 2000', 'jpeg-2000')
]

/** @throws FileFormatError naming a transfer syntax that is not supported. */
export function transferSyntaxOf(uid: string, name: string): TransferSyntax {
  const found = TRANSFER_SYNTAXES.find(s => s.uid === uid)
  if (!found)
    throw new FileFormatError(
      `${name} has the transfer syntax ${uid || '(none)'}, which is not supported`,
      'Convert it to Explicit VR Little Endian, for instance with "gdcmconv --raw IN OUT" or "dcmdjpeg IN OUT".'
    )
  return found
}
