import { FileFormatError, type Vec3 } from '@raypose/core'
import { guard } from '../bytes/guard.js'
import {
  type CodedParts,
  type Elements,
  itemsOf,
  PIXEL_DATA,
  type Place,
  parseElements,
  readableElements,
  withoutPixelData
} from './parse.js'
import { looksLikeDicom } from './preamble.js'

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
  /** Content of a binary element; null where it is absent or encapsulated. */
  bytes(tag: string): Uint8Array | null
  /** Encapsulated pixel data; null where it is absent or not encapsulated. */
  coded(tag: string): CodedParts | null
}

export interface ParsedDicom {
  readonly meta: Dataset
  readonly dataset: Dataset
  /** UID of the transfer syntax; guessed where the file has no meta group. */
  readonly syntax: string
  /** Whether the file has pixel data, be they kept or not. */
  readonly hasPixels: boolean
}

/**
 * Parses a DICOM file, with or without its preamble, up to and including its pixel data.
 * @param dropPixels whether to leave the pixel data out, and hold on to nothing of the file's bytes
 * @throws FileFormatError if it is not one, or is truncated or damaged.
 */
export function parseDicom(bytes: Uint8Array, name: string, dropPixels = false): ParsedDicom {
  if (!looksLikeDicom(bytes))
    throw new FileFormatError(
      `${name} is not a DICOM file: it has no "DICM" at byte 128`,
      'Give DICOM Part 10 files, as exported by a PACS or scanner.'
    )
  return guard(name, () => {
    const { meta, elements, syntax } = parseElements(bytes, name)
    const kept = dropPixels ? withoutPixelData : (e: Elements) => e
    return {
      meta: datasetOf(kept(meta), name),
      dataset: datasetOf(kept(elements), name),
      syntax,
      hasPixels: elements.places.has(PIXEL_DATA)
    }
  })
}

/** As much as can be read of a damaged DICOM file, to tell what it was. */
export const peekDicom = (bytes: Uint8Array, name: string): Dataset =>
  datasetOf(readableElements(bytes, name), name)

/** Binary numbers among the elements that are asked for here; implicit files leave the representation out. */
const BINARY: Readonly<Record<string, string>> = {
  '00280002': 'US',
  '00280010': 'US',
  '00280011': 'US',
  '00280100': 'US',
  '00280101': 'US',
  '00280102': 'US',
  '00280103': 'US',
  '00280120': 'US',
  '00280121': 'US',
  '00281041': 'SS'
}

const READ: Readonly<
  Record<string, [size: number, read: (v: DataView, at: number, little: boolean) => number]>
> = {
  US: [2, (v, at, little) => v.getUint16(at, little)],
  SS: [2, (v, at, little) => v.getInt16(at, little)],
  UL: [4, (v, at, little) => v.getUint32(at, little)],
  SL: [4, (v, at, little) => v.getInt32(at, little)],
  FL: [4, (v, at, little) => v.getFloat32(at, little)],
  FD: [8, (v, at, little) => v.getFloat64(at, little)]
}

function datasetOf(e: Elements, name: string): Dataset {
  const content = (p: Place) => e.bytes.subarray(p.start, p.start + p.length)
  const texts = (tag: string): string[] => {
    const place = e.places.get(tag)
    if (!place || place.length === 0) return []
    return decodeText(content(place)).split('\\').map(trimmed)
  }
  const numbers = (tag: string): number[] => {
    const place = e.places.get(tag)
    if (!place) return []
    const vr = place.vr === '' || place.vr === 'UN' ? (BINARY[tag] ?? 'DS') : place.vr
    const binary = READ[vr]
    if (!binary) return texts(tag).map(t => (t === '' ? Number.NaN : Number(t)))
    const [size, read] = binary
    const bytes = content(place)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return Array.from({ length: Math.floor(bytes.length / size) }, (_, k) =>
      read(view, k * size, e.littleEndian)
    )
  }
  return {
    text: tag => texts(tag)[0] ?? '',
    texts,
    number: tag => {
      const n = numbers(tag)[0]
      return Number.isFinite(n) ? n : null
    },
    numbers: (tag, count) => {
      const n = numbers(tag)
      return n.length === count && n.every(Number.isFinite) ? n : null
    },
    items: tag => {
      const place = e.places.get(tag)
      return place ? itemsOf(e, place, name).map(item => datasetOf(item, name)) : []
    },
    bytes: tag => {
      const place = e.places.get(tag)
      return place && !place.coded ? content(place) : null
    },
    coded: tag => e.places.get(tag)?.coded ?? null
  }
}

/** UTF-8 where it is that (ASCII included), else Latin-1: descriptions are for people, all else is ASCII. */
function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return new TextDecoder('latin1').decode(bytes)
  }
}

const trimmed = (s: string) => s.replaceAll('\0', '').trim()

/** Three numbers as a vector. */
export const vec3 = (n: readonly number[] | null): Vec3 | null => (n ? [n[0], n[1], n[2]] : null)
