import { FileFormatError } from '@raypose/core'
import { concatBytes, type ElementType, elementsFromBytes } from '../bytes/elements.js'
import { guardAsync } from '../bytes/guard.js'
import { type CodedFrame, decodeJpeg2000, decodeJpegLs } from './codecs.js'
import type { DicomFile } from './header.js'
import { decodeLosslessJpeg } from './jpeg/lossless.js'
import { readJpegMarkers } from './jpeg/markers.js'
import { decodeSequentialJpeg } from './jpeg/sequential.js'
import { type PaddingRange, paddedPixels, paddingOf } from './padding.js'
import { type CodedParts, PIXEL_DATA } from './parse.js'
import { decodeRle } from './rle.js'

/** Stored values of a frame, before rescaling. */
export type StoredPixels = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array

const TRUNCATED = 'The file is truncated or damaged: copy or export it again.'

/**
 * Decodes one frame of a DICOM image to its stored values, rows × columns, sign and unused bits resolved.
 * @param frame counted from 0
 * @throws FileFormatError for truncated or damaged pixel data, colour, or a size other than the header's.
 */
export async function decodeFrame(file: DicomFile, frame = 0): Promise<StoredPixels> {
  return (await decode(file, frame, null)).stored
}

/** Stored values of a frame, and which of its pixels are padding (1); null where none is. */
export interface PaddedFrame {
  readonly stored: StoredPixels
  readonly padded: Uint8Array | null
}

/** As {@link decodeFrame}, with the pixels told apart that Pixel Padding Value (0028,0120) says are none. */
export const decodePaddedFrame = (file: DicomFile, frame = 0): Promise<PaddedFrame> =>
  decode(file, frame, paddingOf(file))

function decode(file: DicomFile, frame: number, padding: PaddingRange | null): Promise<PaddedFrame> {
  return guardAsync(file.name, async () => {
    const { header, name } = file
    if (header.samplesPerPixel !== 1)
      throw new FileFormatError(
        `${name} is a colour image (${header.photometric}, ${header.samplesPerPixel} samples a pixel)`,
        'Give the original greyscale image, not a screen capture.'
      )
    if (!header.photometric.startsWith('MONOCHROME'))
      throw new FileFormatError(
        `${name} has the photometric interpretation ${header.photometric}`,
        'Give a MONOCHROME1 or MONOCHROME2 image.'
      )
    const native = file.dataset.bytes(PIXEL_DATA)
    const coded = file.dataset.coded(PIXEL_DATA)
    const isCoded = header.transferSyntax.coding !== 'native'
    if (!native && !coded) throw new FileFormatError(`${name} has no pixel data (7FE0,0010)`, TRUNCATED)
    const pixels =
      isCoded && coded
        ? await codedFrame(file, frameOf(file, coded, frame))
        : nativeFrame(file, native ?? new Uint8Array(), frame)
    // Padding is looked for before and after: scanners write values for it that the stored bits cannot hold.
    const raw = padding && pixels.slice()
    const stored = maskUnusedBits(pixels, header.bitsStored, header.highBit, header.signed)
    return { stored, padded: padding && raw && paddedPixels(raw, stored, header.bitsStored, padding) }
  })
}

const typeOf = (bits: number, signed: boolean): ElementType => `${signed ? '' : 'u'}int${bits}` as ElementType

function nativeFrame(file: DicomFile, all: Uint8Array, frame: number): StoredPixels {
  const { rows, columns, bitsAllocated, signed, transferSyntax, frames } = file.header
  const count = rows * columns
  const size = count * (bitsAllocated / 8)
  if (all.length < size * frames)
    throw new FileFormatError(
      `${file.name} holds ${all.length} bytes of pixels where ${columns} × ${rows} × ${frames} at ${bitsAllocated} bits need ${size * frames}`,
      TRUNCATED
    )
  const bytes = all.subarray(size * frame, size * (frame + 1))
  return elementsFromBytes(
    bytes,
    typeOf(bitsAllocated, signed),
    count,
    transferSyntax.littleEndian,
    file.name
  ) as StoredPixels
}

/** The coded stream of one frame, which may be cut into several parts. */
function frameOf(file: DicomFile, { table, parts }: CodedParts, frame: number): Uint8Array {
  const { frames } = file.header
  if (frames === 1) return parts.length === 1 ? parts[0].bytes : concatBytes(parts.map(p => p.bytes))
  if (parts.length === frames) return parts[frame].bytes
  if (table.length === frames) {
    const [from, to] = [table[frame], table[frame + 1] ?? Number.POSITIVE_INFINITY]
    return concatBytes(parts.filter(p => p.offset >= from && p.offset < to).map(p => p.bytes))
  }
  throw new FileFormatError(
    `${file.name} says it has ${frames} frames but holds ${parts.length} coded parts and no table of them`,
    'Convert it to Explicit VR Little Endian, for instance with "gdcmconv --raw IN OUT".'
  )
}

async function codedFrame(file: DicomFile, coded: Uint8Array): Promise<StoredPixels> {
  const { rows, columns, bitsAllocated, signed, transferSyntax } = file.header
  const count = rows * columns
  const bytesPerPixel = bitsAllocated / 8
  switch (transferSyntax.coding) {
    case 'rle': {
      const bytes = decodeRle(coded, count, bytesPerPixel, file.name)
      return elementsFromBytes(bytes, typeOf(bitsAllocated, signed), count, true, file.name) as StoredPixels
    }
    case 'jpeg-ls':
      return fromCodec(file, await decodeJpegLs(coded, file.name))
    case 'jpeg-2000':
      return fromCodec(file, await decodeJpeg2000(coded, file.name))
    default: {
      const scan = readJpegMarkers(coded, file.name)
      checkSize(file, scan.width, scan.height)
      const samples =
        scan.process === 'lossless'
          ? decodeLosslessJpeg(coded, scan, file.name)
          : decodeSequentialJpeg(coded, scan, file.name)
      return signed ? new Int16Array(samples.buffer) : samples
    }
  }
}

function fromCodec(file: DicomFile, frame: CodedFrame): StoredPixels {
  checkSize(file, frame.width, frame.height)
  const { signed } = file.header
  const type = typeOf(8 * frame.bytesPerSample, signed)
  return elementsFromBytes(frame.bytes, type, frame.width * frame.height, true, file.name) as StoredPixels
}

function checkSize(file: DicomFile, width: number, height: number): void {
  const { columns, rows } = file.header
  if (width !== columns || height !== rows)
    throw new FileFormatError(
      `${file.name}: the coded image is ${width} × ${height}, the header says ${columns} × ${rows}`,
      'The file is damaged: export it again.'
    )
}

/** Keeps bits (highBit − stored + 1) … highBit and extends the sign: overlays used to live in the others. */
function maskUnusedBits(
  pixels: StoredPixels,
  stored: number,
  highBit: number,
  signed: boolean
): StoredPixels {
  const width = 8 * pixels.BYTES_PER_ELEMENT
  if (stored >= width && highBit === stored - 1) return pixels
  const left = 32 - 1 - highBit
  const right = 32 - stored
  if (signed) for (let i = 0; i < pixels.length; i++) pixels[i] = (pixels[i] << left) >> right
  else for (let i = 0; i < pixels.length; i++) pixels[i] = (pixels[i] << left) >>> right
  return pixels
}
