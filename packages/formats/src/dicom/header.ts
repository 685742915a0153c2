import { FileFormatError, type Vec2, type Vec3 } from '@raypose/core'
import { type Dataset, type ParsedDicom, parseDicom, vec3 } from './dataset.js'
import { type TransferSyntax, transferSyntaxOf } from './transfer-syntax.js'

/** A file by its name (for messages) and its content. */
export interface NamedBytes {
  readonly name: string
  readonly bytes: Uint8Array
}

/** What an image header says, in the units of the geometry contract. Absent values are null or ''. */
export interface DicomHeader {
  readonly transferSyntax: TransferSyntax
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  /** Identifier of the patient, or the name where there is none. */
  readonly patient: string
  readonly studyUid: string
  readonly seriesUid: string
  readonly frameOfReferenceUid: string
  readonly modality: string
  readonly seriesDescription: string
  readonly seriesNumber: number | null
  readonly instanceNumber: number | null
  readonly imageType: readonly string[]
  readonly rows: number
  readonly columns: number
  readonly frames: number
  readonly samplesPerPixel: number
  readonly photometric: string
  readonly bitsAllocated: number
  readonly bitsStored: number
  readonly highBit: number
  readonly signed: boolean
  /** LPS unit vectors along increasing column and along increasing row. */
  readonly orientation: { readonly row: Vec3; readonly column: Vec3 } | null
  /** LPS of the centre of the first pixel, mm. */
  readonly position: Vec3 | null
  /** Distance between columns and between rows, mm: DICOM's order turned round. */
  readonly pixelSpacing: Vec2 | null
  readonly sliceThickness: number | null
  /** Gantry tilt as the scanner says it, degrees. */
  readonly gantryTiltDeg: number | null
  readonly rescaleSlope: number
  readonly rescaleIntercept: number
}

/** A parsed DICOM image. Its pixels are decoded on demand by {@link decodeFrame}. */
export interface DicomFile {
  readonly name: string
  readonly header: DicomHeader
  readonly dataset: Dataset
  /** Whether its pixels were let go while series were told apart: it has to be read again for them. */
  readonly pixelsDropped?: true
}

/**
 * Parses one DICOM file; pixels stay coded.
 * @throws FileFormatError if it is not DICOM, is damaged, is no image, or has an unknown transfer syntax.
 */
export function readDicomFile(bytes: Uint8Array, name = 'The DICOM file'): DicomFile {
  return dicomImage(parseDicom(bytes, name), name)
}

const MEDIA_DIRECTORY = '1.2.840.10008.1.3.10'

/** The image of a parsed file. @throws FileFormatError as {@link readDicomFile}. */
export function dicomImage({ meta, dataset, syntax }: ParsedDicom, name: string): DicomFile {
  if (meta.text('00020002') === MEDIA_DIRECTORY)
    throw new FileFormatError(
      `${name} is a DICOMDIR, the table of contents of a medium, and holds no image`,
      'Give the folder that it lies in.'
    )
  return { name, header: headerOf(syntax, dataset, name), dataset }
}

function headerOf(syntax: string, d: Dataset, name: string): DicomHeader {
  const whole = (tag: string, what: string): number => {
    const n = d.number(tag)
    if (n === null || !Number.isInteger(n) || n <= 0)
      throw new FileFormatError(
        `${name} has no usable ${what} (${tag.slice(0, 4)},${tag.slice(4)})`,
        'It is no image or is truncated: export it again.'
      )
    return n
  }
  const bitsAllocated = whole('00280100', 'bits allocated')
  const bitsStored = d.number('00280101') ?? bitsAllocated
  const highBit = d.number('00280102') ?? bitsStored - 1
  if (
    ![8, 16, 32].includes(bitsAllocated) ||
    bitsStored < 1 ||
    highBit >= bitsAllocated ||
    highBit + 1 < bitsStored
  )
    throw new FileFormatError(
      `${name} stores ${bitsStored} bits up to bit ${highBit} in ${bitsAllocated}, which is not supported`,
      'Convert it to 8, 16 or 32 bits per pixel.'
    )
  return {
    transferSyntax: transferSyntaxOf(syntax, name),
    sopClassUid: d.text('00080016'),
    sopInstanceUid: d.text('00080018'),
    patient: d.text('00100020') || d.text('00100010'),
    studyUid: d.text('0020000D'),
    seriesUid: d.text('0020000E'),
    frameOfReferenceUid: d.text('00200052'),
    modality: d.text('00080060'),
    seriesDescription: d.text('0008103E'),
    seriesNumber: d.number('00200011'),
    instanceNumber: d.number('00200013'),
    imageType: d.texts('00080008'),
    rows: whole('00280010', 'number of rows'),
    columns: whole('00280011', 'number of columns'),
    frames: Math.max(1, d.number('00280008') ?? 1),
    samplesPerPixel: d.number('00280002') ?? 1,
    photometric: d.text('00280004') || 'MONOCHROME2',
    bitsAllocated,
    bitsStored,
    highBit,
    signed: d.number('00280103') === 1,
    orientation: orientationOf(d),
    position: vec3(d.numbers('00200032', 3)),
    pixelSpacing: spacingOf(d),
    sliceThickness: d.number('00180050'),
    gantryTiltDeg: d.number('00181120'),
    rescaleSlope: d.number('00281053') ?? 1,
    rescaleIntercept: d.number('00281052') ?? 0
  }
}

/** Image Orientation (Patient) of a data set or functional group. */
export function orientationOf(d: Dataset): { row: Vec3; column: Vec3 } | null {
  const n = d.numbers('00200037', 6)
  return n ? { row: [n[0], n[1], n[2]], column: [n[3], n[4], n[5]] } : null
}

/** Pixel Spacing of a data set or functional group, as (between columns, between rows). */
export function spacingOf(d: Dataset): Vec2 | null {
  const n = d.numbers('00280030', 2)
  return n ? [n[1], n[0]] : null
}
