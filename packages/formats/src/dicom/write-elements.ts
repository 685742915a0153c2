import { ArgumentError } from '@raypose/core'
import { concatBytes } from '../bytes/elements.js'
import { createUid, IMPLEMENTATION_UID } from './uid.js'

/** Elements to write: tag → [VR, values]; bytes for OB and OW. */
export type Elements = Record<string, readonly [vr: string, ...values: (string | number | Uint8Array)[]]>

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

/** Writes a Part 10 file in Explicit VR Little Endian. Source: DICOM PS3.10 section 7, PS3.5 section 7. */
export function writeDicomFile(elements: Elements): Uint8Array {
  const text = (tag: string) => String(elements[tag]?.[1] ?? '')
  const meta = dataSet({
    '00020001': ['OB', new Uint8Array([0, 1])],
    '00020002': ['UI', text('00080016')],
    '00020003': ['UI', text('00080018')],
    '00020010': ['UI', EXPLICIT_LITTLE_ENDIAN],
    '00020012': ['UI', IMPLEMENTATION_UID],
    '00020013': ['SH', 'RAYPOSE']
  })
  const preamble = new Uint8Array(132)
  preamble.set([0x44, 0x49, 0x43, 0x4d], 128)
  // Group length (0002,0000), UL: the bytes of the group behind it.
  const groupLength = new Uint8Array([2, 0, 0, 0, 0x55, 0x4c, 4, 0, 0, 0, 0, 0])
  new DataView(groupLength.buffer).setUint32(8, meta.length, true)
  return concatBytes([preamble, groupLength, meta, dataSet(elements)])
}

const dataSet = (elements: Elements): Uint8Array =>
  concatBytes(
    Object.keys(elements)
      .sort()
      .flatMap(tag => {
        const [vr, ...values] = elements[tag]
        const value = encodeValue(tag, vr, values)
        return [elementHeader(tag, vr, value.length), value]
      })
  )

function elementHeader(tag: string, vr: string, length: number): Uint8Array {
  const long = vr === 'OB' || vr === 'OW'
  const out = new Uint8Array(long ? 12 : 8)
  const view = new DataView(out.buffer)
  view.setUint16(0, Number.parseInt(tag.slice(0, 4), 16), true)
  view.setUint16(2, Number.parseInt(tag.slice(4), 16), true)
  out.set([vr.charCodeAt(0), vr.charCodeAt(1)], 4)
  if (long) view.setUint32(8, length, true)
  else view.setUint16(6, length, true)
  return out
}

/** Longest value of each text representation, characters. Source: PS3.5 table 6.2-1. */
const LONGEST: Readonly<Record<string, number>> = { CS: 16, DS: 16, IS: 12, LO: 64, PN: 64, SH: 16, UI: 64 }

/** The bytes of a value, of even length. */
function encodeValue(tag: string, vr: string, values: readonly (string | number | Uint8Array)[]): Uint8Array {
  if (vr === 'US' || vr === 'SS') {
    const out = new Uint8Array(2 * values.length)
    const view = new DataView(out.buffer)
    for (const [k, v] of values.entries()) view.setUint16(2 * k, Number(v) & 0xffff, true)
    return out
  }
  if (values[0] instanceof Uint8Array) return evenLength(values[0], 0)
  const texts = values.map(String)
  for (const t of texts)
    if (
      t.length > (LONGEST[vr] ?? Number.POSITIVE_INFINITY) ||
      t.includes('\\') ||
      (vr === 'UI' && !/^[0-9.]*$/.test(t))
    )
      throw new ArgumentError(
        `"${t}" is no value for DICOM element (${tag.slice(0, 4)},${tag.slice(4)}) of type ${vr}`,
        `At most ${LONGEST[vr]} characters without a backslash; a UID has digits and dots only.`
      )
  return evenLength(new TextEncoder().encode(texts.join('\\')), vr === 'UI' ? 0 : 0x20)
}

function evenLength(bytes: Uint8Array, pad: number): Uint8Array {
  return bytes.length % 2 === 0 ? bytes : concatBytes([bytes, new Uint8Array([pad])])
}

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
