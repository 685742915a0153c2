import { ArgumentError } from '@raypose/core'
import dcmjs, { type DcmjsDict } from 'dcmjs'
import { createUid, IMPLEMENTATION_UID } from './uid.js'

/** Elements to write: tag → [VR, values]. */
export type Elements = Record<string, readonly [vr: string, ...values: (string | number | ArrayBuffer)[]]>

const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1'

/** Who and what an image belongs to; every field has a default. */
export interface DicomMeta {
  readonly patientName?: string
  readonly patientId?: string
  readonly studyUid?: string
  readonly seriesUid?: string
  readonly frameOfReferenceUid?: string
  readonly studyDescription?: string
  readonly seriesDescription?: string
  readonly seriesNumber?: number
}

/** Writes a Part 10 file in Explicit VR Little Endian. */
export function writeDicomFile(elements: Elements): Uint8Array {
  const text = (tag: string) => String(elements[tag]?.[1] ?? '')
  const file = new dcmjs.data.DicomDict(
    toDict({
      '00020001': ['OB', new Uint8Array([0, 1]).buffer],
      '00020002': ['UI', text('00080016')],
      '00020003': ['UI', text('00080018')],
      '00020010': ['UI', EXPLICIT_LITTLE_ENDIAN],
      '00020012': ['UI', IMPLEMENTATION_UID],
      '00020013': ['SH', 'RAYPOSE']
    })
  )
  file.dict = toDict(elements)
  dcmjs.log.setLevel('silent', false)
  return new Uint8Array(file.write())
}

const toDict = (elements: Elements): DcmjsDict =>
  Object.fromEntries(Object.entries(elements).map(([tag, [vr, ...Value]]) => [tag, { vr, Value }]))

/** The elements that every image needs: who, which study and series, and empty ones that the standard wants present. */
export function commonElements(
  sopClass: string,
  instance: string,
  modality: string,
  meta: DicomMeta
): Elements {
  // Derived from the image's own UID where not given, so that the same content gives the same file.
  const seriesUid = meta.seriesUid ?? createUid(`series ${instance}`)
  return {
    '00080005': ['CS', 'ISO_IR 192'],
    '00080016': ['UI', sopClass],
    '00080018': ['UI', instance],
    '00080020': ['DA'],
    '00080030': ['TM'],
    '00080050': ['SH'],
    '00080060': ['CS', modality],
    '00080070': ['LO', 'Raypose'],
    '00080090': ['PN'],
    '00081030': ['LO', meta.studyDescription ?? ''],
    '0008103E': ['LO', meta.seriesDescription ?? ''],
    '00100010': ['PN', meta.patientName ?? 'Anonymous'],
    '00100020': ['LO', meta.patientId ?? 'anonymous'],
    '00100030': ['DA'],
    '00100040': ['CS'],
    '0020000D': ['UI', meta.studyUid ?? createUid(`study ${seriesUid}`)],
    '0020000E': ['UI', seriesUid],
    '00200010': ['SH'],
    '00200011': ['IS', String(meta.seriesNumber ?? 1)]
  }
}

/**
 * A decimal string of DICOM: the most digits that fit 16 characters.
 * @throws ArgumentError for NaN or an infinite value.
 */
export function decimal(x: number): string {
  if (!Number.isFinite(x))
    throw new ArgumentError(`${x} cannot be written to a DICOM file`, 'Check the geometry.')
  for (let digits = 16; digits > 1; digits--) {
    const text = String(Number(x.toPrecision(digits)))
    if (text.length <= 16) return text
  }
  return x.toPrecision(1)
}
