import { FileFormatError } from '@raypose/core'
import { Inflate } from 'fflate'
import { concatBytes } from '../bytes/elements.js'
import { bareSyntaxOf, hasPreamble } from './preamble.js'

/**
 * The elements of a DICOM data set as places in its bytes; values are read on demand. Source: DICOM PS3.5 section 7.
 *
 * Own code because the parser that npm offers (dcmjs) fills what is missing at the end of a truncated file with zeros:
 * a cut CT slice would be read as one with a slab of 0 HU.
 */
export interface Elements {
  readonly bytes: Uint8Array
  readonly littleEndian: boolean
  readonly explicit: boolean
  readonly places: ReadonlyMap<string, Place>
}

/** Where an element is; `items` or `parts` where its length was undefined. */
export interface Place {
  /** '' where the transfer syntax leaves it out. */
  readonly vr: string
  readonly start: number
  readonly length: number
  /** Data sets of a sequence. */
  readonly items?: readonly Elements[]
  /** Encapsulated pixel data: the offset table and the coded parts, with their places as the table counts them. */
  readonly coded?: CodedParts
}

export interface CodedParts {
  readonly table: readonly number[]
  readonly parts: readonly { readonly offset: number; readonly bytes: Uint8Array }[]
}

const UNDEFINED = 0xffffffff
const ITEM = 'FFFEE000'
const ITEM_END = 'FFFEE00D'
const SEQUENCE_END = 'FFFEE0DD'
export const PIXEL_DATA = '7FE00010'
/** Value representations with a 32-bit length. */
const LONG = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV'])
/** No honest file nests deeper; a damaged one may, until the stack is full. */
const DEEPEST = 32

interface Reader {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly littleEndian: boolean
  readonly explicit: boolean
  readonly what: string
}

const damaged = (what: string, reason: string) =>
  new FileFormatError(`${what}: ${reason}`, 'The file is truncated or damaged: copy or export it again.')

/**
 * Finds the elements of a DICOM file up to its pixel data.
 * @throws FileFormatError if it ends inside an element, or is no DICOM.
 */
export function parseElements(
  bytes: Uint8Array,
  what: string
): { meta: Elements; elements: Elements; syntax: string } {
  const { meta, body, at, syntax } = opened(bytes, what)
  const { places } = readDataset(body, at, body.bytes.length, 0, false)
  return { meta, elements: { ...body, places }, syntax }
}

/** The same elements but pixel data, in bytes of their own: nothing of the file's is held on to. */
export function withoutPixelData(e: Elements): Elements {
  const ends = [...e.places].map(([tag, p]) => (tag === PIXEL_DATA ? 0 : p.start + p.length))
  // Not slice(): of a Node Buffer that is a view.
  const bytes = new Uint8Array(e.bytes.subarray(0, Math.max(0, ...ends)))
  const moved = ({ littleEndian, explicit, places }: Elements): Elements => ({
    bytes,
    littleEndian,
    explicit,
    places: new Map(
      [...places]
        .filter(([tag, p]) => tag !== PIXEL_DATA && !p.coded)
        .map(([tag, p]) => [tag, p.items ? { ...p, items: p.items.map(moved) } : p])
    )
  })
  return moved(e)
}

/** The elements of a damaged file as far as they can be read; none where not even its start can. */
export function readableElements(bytes: Uint8Array, what: string): Elements {
  const places = new Map<string, Place>()
  let body = readerOf(bytes, true, true, what)
  try {
    const file = opened(bytes, what)
    body = file.body
    readDataset(body, file.at, body.bytes.length, 0, false, places)
  } catch {
    // What was found up to here is what is asked for.
  }
  return { ...body, places }
}

/** The meta group, and where and how the data set is to be read. */
function opened(
  bytes: Uint8Array,
  what: string
): { meta: Elements; body: Reader; at: number; syntax: string } {
  const meta = readerOf(bytes, true, true, what)
  const metaPlaces = new Map<string, Place>()
  let at = hasPreamble(bytes) ? 132 : 0
  // The group's own length is not asked: some writers get it wrong.
  while (at + 4 <= bytes.length && meta.view.getUint16(at, true) === 2)
    at = readElement(meta, at, bytes.length, metaPlaces, 0)
  const uid = metaPlaces.get('00020010')
  if (!uid && at > 0) throw damaged(what, 'it does not say its transfer syntax (0002,0010)')
  const syntax = uid
    ? String.fromCharCode(...bytes.subarray(uid.start, uid.start + uid.length))
        .replaceAll('\0', '')
        .trim()
    : bareSyntaxOf(bytes)
  const explicit = syntax !== '1.2.840.10008.1.2'
  const littleEndian = syntax !== '1.2.840.10008.1.2.2'
  const body =
    syntax === '1.2.840.10008.1.2.1.99'
      ? readerOf(inflateRaw(bytes.subarray(at), what), explicit, littleEndian, what)
      : readerOf(bytes, explicit, littleEndian, what)
  return { meta: { ...meta, places: metaPlaces }, body, at: body.bytes === bytes ? at : 0, syntax }
}

const readerOf = (bytes: Uint8Array, explicit: boolean, littleEndian: boolean, what: string): Reader => ({
  bytes,
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  littleEndian,
  explicit,
  what
})

function inflateRaw(bytes: Uint8Array, what: string): Uint8Array {
  const chunks: Uint8Array[] = []
  const stream = new Inflate(chunk => chunks.push(chunk))
  try {
    stream.push(bytes, true)
  } catch (cause) {
    throw damaged(
      what,
      `its deflated data set is damaged (${cause instanceof Error ? cause.message : cause})`
    )
  }
  return concatBytes(chunks)
}

/** Elements from `at` to `end`, or to the item's delimiter; at the top level no further than the pixel data. */
function readDataset(
  r: Reader,
  at: number,
  end: number,
  depth: number,
  delimited: boolean,
  places = new Map<string, Place>()
): { places: Map<string, Place>; next: number } {
  while (at < end) {
    if (delimited && tagAt(r, at, end) === ITEM_END) return { places, next: at + 8 }
    at = readElement(r, at, end, places, depth)
    if (depth === 0 && places.has(PIXEL_DATA)) break
  }
  if (delimited) throw damaged(r.what, 'it ends inside an item of a sequence')
  return { places, next: at }
}

function tagAt(r: Reader, at: number, end: number): string {
  if (at + 8 > end) throw damaged(r.what, `it ends inside the header of an element, at byte ${at}`)
  const group = r.view.getUint16(at, r.littleEndian)
  const element = r.view.getUint16(at + 2, r.littleEndian)
  return (group * 65536 + element).toString(16).toUpperCase().padStart(8, '0')
}

/** Notes one element and gives the place behind it. */
function readElement(r: Reader, at: number, end: number, places: Map<string, Place>, depth: number): number {
  const tag = tagAt(r, at, end)
  let vr = ''
  let length: number
  let start = at + 8
  if (!r.explicit) length = r.view.getUint32(at + 4, r.littleEndian)
  else {
    vr = String.fromCharCode(r.bytes[at + 4], r.bytes[at + 5])
    if (!/^[A-Z]{2}$/.test(vr)) throw damaged(r.what, `element ${shown(tag)} has no value representation`)
    if (LONG.has(vr)) {
      start = at + 12
      if (start > end) throw damaged(r.what, `it ends inside the header of element ${shown(tag)}`)
      length = r.view.getUint32(at + 8, r.littleEndian)
    } else length = r.view.getUint16(at + 6, r.littleEndian)
  }
  if (length === UNDEFINED) {
    if (tag === PIXEL_DATA) {
      const { coded, next } = readCoded(r, start, end)
      places.set(tag, { vr, start, length: next - start, coded })
      return next
    }
    // A sequence of unknown kind is in implicit little endian, whatever the rest is in.
    const inner = vr === 'UN' ? readerOf(r.bytes, false, true, r.what) : r
    const { items, next } = readItems(inner, start, end, depth, true)
    places.set(tag, { vr, start, length: next - start, items })
    return next
  }
  if (start + length > end)
    throw damaged(r.what, `it ends inside element ${shown(tag)}: ${end - start} of ${length} bytes are there`)
  places.set(tag, { vr, start, length })
  return start + length
}

/** Items of a sequence whose length is known, read when asked for. */
export function itemsOf(e: Elements, place: Place, what: string): readonly Elements[] {
  if (place.items) return place.items
  // As of undefined length: of unknown kind, hence in implicit little endian.
  const r =
    place.vr === 'UN'
      ? readerOf(e.bytes, false, true, what)
      : readerOf(e.bytes, e.explicit, e.littleEndian, what)
  return readItems(r, place.start, place.start + place.length, 0, false).items
}

function readItems(
  r: Reader,
  at: number,
  end: number,
  depth: number,
  delimited: boolean
): { items: Elements[]; next: number } {
  if (depth >= DEEPEST) throw damaged(r.what, 'its sequences are nested too deep')
  const items: Elements[] = []
  while (at < end) {
    const tag = tagAt(r, at, end)
    const length = r.view.getUint32(at + 4, r.littleEndian)
    if (tag === SEQUENCE_END) return { items, next: at + 8 }
    if (tag !== ITEM) throw damaged(r.what, `a sequence holds ${shown(tag)} where an item should begin`)
    const known = length !== UNDEFINED
    if (known && at + 8 + length > end) throw damaged(r.what, 'it ends inside an item of a sequence')
    const { places, next } = readDataset(r, at + 8, known ? at + 8 + length : end, depth + 1, !known)
    items.push({ ...r, places })
    at = next
  }
  if (delimited) throw damaged(r.what, 'it ends inside a sequence')
  return { items, next: at }
}

/** Encapsulated pixel data: an offset table, then coded parts. Source: PS3.5 annex A.4. */
function readCoded(r: Reader, at: number, end: number): { coded: CodedParts; next: number } {
  const items: { at: number; bytes: Uint8Array }[] = []
  for (;;) {
    const tag = tagAt(r, at, end)
    const length = r.view.getUint32(at + 4, r.littleEndian)
    if (tag === SEQUENCE_END) break
    if (tag !== ITEM || at + 8 + length > end) throw damaged(r.what, 'it ends inside its coded pixel data')
    items.push({ at, bytes: r.bytes.subarray(at + 8, at + 8 + length) })
    at += 8 + length
  }
  const [first, ...parts] = items
  if (!first || parts.length === 0) throw damaged(r.what, 'its coded pixel data is empty')
  const view = new DataView(first.bytes.buffer, first.bytes.byteOffset, first.bytes.byteLength)
  const table = Array.from({ length: Math.floor(first.bytes.length / 4) }, (_, k) =>
    view.getUint32(4 * k, true)
  )
  // The table counts from the first byte of the first part's item header.
  const origin = parts[0].at
  const coded = { table, parts: parts.map(p => ({ offset: p.at - origin, bytes: p.bytes })) }
  return { coded, next: at + 8 }
}

const shown = (tag: string) => `(${tag.slice(0, 4)},${tag.slice(4)})`
