import { concatBytes } from '../src/bytes/elements.js'
import type { NamedBytes } from '../src/index.js'

/** One element in Explicit VR Little Endian: text, 16-bit numbers (US, SS), bytes as they are. */
export type Content = readonly [vr: string, ...values: (string | number | Uint8Array)[]]

const LONG = ['OB', 'OW', 'SQ', 'UN']

function valueBytes([vr, ...values]: Content): Uint8Array {
  if (values[0] instanceof Uint8Array) return values[0]
  if (vr === 'US' || vr === 'SS') return new Uint8Array(Uint16Array.from(values as number[]).buffer)
  const text = values.join('\\')
  return new TextEncoder().encode(text.length % 2 === 0 ? text : `${text}${vr === 'UI' ? '\0' : ' '}`)
}

const tagBytes = (tag: string) => {
  const n = Number.parseInt(tag, 16)
  return [(n >> 16) & 255, n >>> 24, n & 255, (n >> 8) & 255]
}

const lengthBytes = (n: number, size: 2 | 4) => Array.from({ length: size }, (_, k) => (n >>> (8 * k)) & 255)

/** The bytes of a data set, elements in the order of their tags. */
export function dataSetBytes(elements: Readonly<Record<string, Content>>, explicit = true): Uint8Array {
  const parts = Object.keys(elements)
    .sort()
    .flatMap(tag => {
      const value = valueBytes(elements[tag])
      const vr = [...elements[tag][0]].map(c => c.charCodeAt(0))
      const head = !explicit
        ? lengthBytes(value.length, 4)
        : LONG.includes(elements[tag][0])
          ? [...vr, 0, 0, ...lengthBytes(value.length, 4)]
          : [...vr, ...lengthBytes(value.length, 2)]
      return [Uint8Array.from([...tagBytes(tag), ...head]), value]
    })
  return concatBytes(parts)
}

/** Items of a sequence, each of known length. */
export const itemBytes = (...items: Uint8Array[]): Uint8Array =>
  concatBytes(
    items.flatMap(i => [Uint8Array.from([...tagBytes('FFFEE000'), ...lengthBytes(i.length, 4)]), i])
  )

/** Elements of a plain axial CT slice of 8 × 8 pixels, at 40 HU, at height z. */
export function sliceElements(
  z: number,
  pixels: Int16Array | Uint16Array = new Int16Array(64).fill(40)
): Record<string, Content> {
  return {
    '00080008': ['CS', 'ORIGINAL', 'PRIMARY', 'AXIAL'],
    '00080016': ['UI', '1.2.840.10008.5.1.4.1.1.2'],
    '00080018': ['UI', `1.2.3.4.${Math.round(1000 * (z + 1000))}`],
    '00080060': ['CS', 'CT'],
    '00100020': ['LO', 'P1'],
    '0020000D': ['UI', '1.2.3'],
    '0020000E': ['UI', '1.2.3.4'],
    '00200011': ['IS', '2'],
    '00200032': ['DS', '-10', '-20', String(z)],
    '00200037': ['DS', '1', '0', '0', '0', '1', '0'],
    '00280002': ['US', 1],
    '00280004': ['CS', 'MONOCHROME2'],
    '00280010': ['US', 8],
    '00280011': ['US', 8],
    '00280030': ['DS', '1', '1'],
    '00280100': ['US', 16],
    '00280101': ['US', 16],
    '00280102': ['US', 15],
    '00280103': ['US', pixels instanceof Int16Array ? 1 : 0],
    '00281052': ['DS', '0'],
    '00281053': ['DS', '1'],
    '7FE00010': ['OW', new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength)]
  }
}

/** Elements with some replaced, or left out (null). */
export const changed = (
  elements: Readonly<Record<string, Content>>,
  changes: Readonly<Record<string, Content | null>>
): Record<string, Content> =>
  Object.fromEntries(
    Object.entries({ ...elements, ...changes }).filter((e): e is [string, Content] => e[1] !== null)
  )

/** A Part 10 file: preamble, meta group, data set. */
export function partTen(
  name: string,
  elements: Readonly<Record<string, Content>>,
  syntax = '1.2.840.10008.1.2.1'
): NamedBytes {
  const meta = dataSetBytes({
    '00020002': elements['00080016'] ?? ['UI', ''],
    '00020010': ['UI', syntax]
  })
  const preamble = new Uint8Array(132)
  preamble.set([0x44, 0x49, 0x43, 0x4d], 128)
  return {
    name,
    bytes: concatBytes([preamble, meta, dataSetBytes(elements, syntax !== '1.2.840.10008.1.2')])
  }
}

/** A series of slices 5 mm apart, each with its changes. */
export const seriesFiles = (
  count: number,
  change: (k: number) => Readonly<Record<string, Content | null>> = () => ({}),
  pixels: (k: number) => Int16Array | Uint16Array | undefined = () => undefined,
  name = 'a'
): NamedBytes[] =>
  Array.from({ length: count }, (_, k) =>
    partTen(
      `${name}${String(k + 1).padStart(2, '0')}.dcm`,
      changed(sliceElements(5 * k, pixels(k)), change(k))
    )
  )

/** Items of a sequence in implicit little endian: the content of an element of unknown kind (UN). */
export const implicitItems = (...elements: Record<string, Content>[]): Uint8Array =>
  itemBytes(...elements.map(e => dataSetBytes(e, false)))
export const implicitSequence = (...elements: Record<string, Content>[]): Content => [
  'SQ',
  implicitItems(...elements)
]
