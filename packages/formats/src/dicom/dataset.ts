import { FileFormatError, type Vec3 } from '@raypose/core'
import dcmjs, { type DcmjsDict } from 'dcmjs'
import { guard } from '../bytes/guard.js'

/** Typed reading of the elements of a DICOM data set. Tags are eight hexadecimal digits: '00280010'. */
export interface Dataset {
  /** First value as text, trimmed; '' where the element is absent or empty. */
  text(tag: string): string
  /** All values as text, trimmed. */
  texts(tag: string): readonly string[]
  /** First value as a number; null where it is absent, empty or not a number. */
  number(tag: string): number | null
  /** Exactly `count` numbers, else null. */
  numbers(tag: string, count: number): readonly number[] | null
  /** Items of a sequence, [] where it is absent. */
  items(tag: string): readonly Dataset[]
  /** Byte arrays of a binary element: one, or one per frame or fragment where it is encapsulated. */
  binary(tag: string): readonly Uint8Array[]
}

/** Whether bytes carry the DICOM preamble. */
export const looksLikeDicom = (bytes: Uint8Array): boolean =>
  bytes.length > 132 && String.fromCharCode(...bytes.subarray(128, 132)) === 'DICM'

/**
 * Parses a DICOM Part 10 file.
 * @throws FileFormatError if it is not one, or damaged.
 */
export function parseDicom(bytes: Uint8Array, name: string): { meta: Dataset; dataset: Dataset } {
  if (!looksLikeDicom(bytes))
    throw new FileFormatError(
      `${name} is not a DICOM file: it has no "DICM" at byte 128`,
      'Give DICOM Part 10 files, as exported by a PACS or scanner.'
    )
  // Its warnings (an unusual character set, say) are not for the console of a program that answers in JSON.
  dcmjs.log.setLevel('silent', false)
  return guard(name, () => {
    const whole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength
    const buffer = (whole ? bytes.buffer : bytes.slice().buffer) as ArrayBuffer
    // Errors are passed over by the parser so that an exotic character set does not cost the image; what matters is
    // checked by whoever asks for it, and pixel data that is not there is an error then.
    const { meta, dict } = dcmjs.data.DicomMessage.readFile(buffer, { ignoreErrors: true })
    return { meta: datasetOf(meta), dataset: datasetOf(dict) }
  })
}

function datasetOf(dict: DcmjsDict): Dataset {
  const values = (tag: string): readonly unknown[] => {
    const v = dict[tag]?.Value
    return Array.isArray(v) ? v : v === undefined || v === null ? [] : [v]
  }
  const texts = (tag: string) => values(tag).map(v => textOf(v))
  const number = (v: unknown) => {
    const text = textOf(v)
    const n = text === '' ? Number.NaN : Number(text)
    return Number.isFinite(n) ? n : null
  }
  return {
    text: tag => texts(tag)[0] ?? '',
    texts,
    number: tag => number(values(tag)[0]),
    numbers: (tag, count) => {
      const n = values(tag).map(number)
      return n.length === count && n.every(x => x !== null) ? (n as number[]) : null
    },
    items: tag =>
      values(tag)
        .filter(v => typeof v === 'object' && v !== null)
        .map(v => datasetOf(v as DcmjsDict)),
    binary: tag =>
      values(tag).flatMap(v =>
        v instanceof ArrayBuffer ? [new Uint8Array(v)] : v instanceof Uint8Array ? [v] : []
      )
  }
}

function textOf(v: unknown): string {
  if (typeof v === 'string') return v.replaceAll('\0', '').trim()
  if (typeof v === 'number') return String(v)
  // Person names come as { Alphabetic }.
  if (typeof v === 'object' && v !== null && 'Alphabetic' in v) return textOf(v.Alphabetic)
  return ''
}

/** Three numbers as a vector. */
export const vec3 = (n: readonly number[] | null): Vec3 | null => (n ? [n[0], n[1], n[2]] : null)
