import { FileFormatError, type Vec3 } from '@raypose/core'
import type { ElementType } from '../bytes/elements.js'
import { checkedSize } from '../volume.js'

/** A NRRD header as far as a CT or an X-ray needs it. Source: teem.sourceforge.net/nrrd/format.html */
export interface NrrdHeader {
  readonly sizes: readonly number[]
  readonly type: ElementType
  readonly littleEndian: boolean
  readonly encoding: 'raw' | 'gzip' | 'ascii'
  readonly dataOffset: number
  /** Another file that holds the voxels, as the header names it; null where they follow. */
  readonly dataFile: string | null
  /** Multiplies file coordinates to give LPS. */
  readonly lpsSigns: Vec3
  /** Whether the file says which way is left. */
  readonly hasSpace: boolean
  /** Whether the voxels are the last bytes of the data, whatever goes before them. */
  readonly atTheEnd: boolean
  /** Vector of each axis in the file's space, null for "none"; null where the file gives none at all. */
  readonly directions: readonly (readonly number[] | null)[] | null
  /** NaN for an axis that has none. */
  readonly spacings: readonly number[] | null
  readonly origin: readonly number[] | null
  /** Least position along each axis, NaN where it has none. */
  readonly axisMins: readonly number[] | null
  /** Whether that position is a cell's edge, for each axis. */
  readonly cellCentred: readonly boolean[]
  /** Names of units: of the space's coordinates, and of each axis; '' where not known. */
  readonly spaceUnits: readonly string[] | null
  readonly axisUnits: readonly string[] | null
}

const TYPES: Readonly<Record<string, ElementType>> = Object.fromEntries(
  (
    [
      ['int8', 'signed char|int8|int8_t'],
      ['uint8', 'uchar|unsigned char|uint8|uint8_t'],
      ['int16', 'short|short int|signed short|signed short int|int16|int16_t'],
      ['uint16', 'ushort|unsigned short|unsigned short int|uint16|uint16_t'],
      ['int32', 'int|signed int|int32|int32_t'],
      ['uint32', 'uint|unsigned int|uint32|uint32_t'],
      ['int64', 'longlong|long long|long long int|signed long long|signed long long int|int64|int64_t'],
      ['uint64', 'ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t'],
      ['float32', 'float'],
      ['float64', 'double']
    ] as [ElementType, string][]
  ).flatMap(([type, names]) => names.split('|').map(n => [n, type]))
)

const SPACES: Readonly<Record<string, Vec3>> = {
  'left-posterior-superior': [1, 1, 1],
  lps: [1, 1, 1],
  'right-anterior-superior': [-1, -1, 1],
  ras: [-1, -1, 1],
  'left-anterior-superior': [1, -1, 1],
  las: [1, -1, 1]
}

const ENCODINGS: Readonly<Record<string, NrrdHeader['encoding']>> = {
  raw: 'raw',
  gzip: 'gzip',
  gz: 'gzip',
  ascii: 'ascii',
  text: 'ascii',
  txt: 'ascii'
}

/** Whether bytes begin with the NRRD magic. */
export const looksLikeNrrd = (bytes: Uint8Array): boolean =>
  bytes.length > 8 && String.fromCharCode(...bytes.subarray(0, 5)) === 'NRRD0'

/** @throws FileFormatError naming the field that is missing or not supported. */
export function readNrrdHeader(bytes: Uint8Array, name: string): NrrdHeader {
  const { fields, dataOffset } = readFields(bytes, name)
  const need = (key: string): string => {
    const v = fields.get(key)
    if (v === undefined)
      throw new FileFormatError(`${name} has no "${key}" in its NRRD header`, 'Write the file again.')
    return v
  }
  const encodingName = need('encoding').toLowerCase()
  const encoding = ENCODINGS[encodingName]
  if (!encoding)
    throw new FileFormatError(
      `${name} has the encoding ${encodingName}`,
      'Write it with encoding raw or gzip.'
    )
  const type = TYPES[need('type').toLowerCase()]
  if (!type)
    throw new FileFormatError(
      `${name} has the element type ${need('type')}`,
      'Write it as one number per voxel.'
    )
  const byteSkip = fields.get('byte skip') ?? fields.get('byteskip')
  const atTheEnd = Number(byteSkip) === -1 && encoding === 'raw'
  for (const key of ['line skip', 'lineskip', 'byte skip', 'byteskip'])
    if (Number(fields.get(key) ?? 0) !== 0 && !(atTheEnd && key.startsWith('byte')))
      throw new FileFormatError(`${name} uses "${key}"`, 'Write it without skipped bytes.')
  const sizes = listOfNumbers(need('sizes'), 'sizes', name)
  checkedSize(sizes, name)
  if (sizes.length !== Number(need('dimension')))
    throw new FileFormatError(
      `${name} has ${sizes.length} sizes for dimension ${need('dimension')}`,
      'The header is damaged: export the file again.'
    )
  const endian = fields.get('endian')?.toLowerCase()
  if (endian === undefined && encoding !== 'ascii' && !['int8', 'uint8'].includes(type))
    throw new FileFormatError(`${name} does not say its byte order`, 'Write it with an "endian" field.')
  const space = fields.get('space')?.toLowerCase()
  if (space !== undefined && !SPACES[space])
    throw new FileFormatError(
      `${name} is in the space "${space}"`,
      'Write it in left-posterior-superior or right-anterior-superior.'
    )
  const directions = fields.get('space directions')
  const origin = fields.get('space origin')
  const perAxis = (...keys: string[]): number[] | null => {
    const key = keys.find(k => fields.has(k))
    return key === undefined ? null : listOfNumbers(fields.get(key) ?? '', key, name, true)
  }
  const centres = (fields.get('centers') ?? fields.get('centerings') ?? '').toLowerCase().split(/\s+/)
  return {
    sizes,
    type,
    littleEndian: endian !== 'big',
    encoding,
    dataOffset,
    dataFile: fields.get('data file') ?? fields.get('datafile') ?? null,
    atTheEnd,
    lpsSigns: space === undefined ? [1, 1, 1] : SPACES[space],
    hasSpace: space !== undefined,
    directions: directions === undefined ? null : vectors(directions, 'space directions', name),
    spacings: perAxis('spacings'),
    origin: origin === undefined ? null : (vectors(origin, 'space origin', name)[0] ?? null),
    axisMins: perAxis('axis mins', 'axismins'),
    cellCentred: sizes.map((_, a) => centres[a] === 'cell'),
    spaceUnits: unitsIn(fields.get('space units')),
    axisUnits: unitsIn(fields.get('units'))
  }
}

function listOfNumbers(text: string, key: string, name: string, orNaN = false): number[] {
  const words = text.trim().split(/\s+/)
  const v = words.map(Number)
  if (!v.every((x, n) => Number.isFinite(x) || (orNaN && /^nan$/i.test(words[n]))))
    throw new FileFormatError(
      `${name}: "${key}: ${text}" is not a list of numbers`,
      'The header is damaged: export the file again.'
    )
  return v
}

function vectors(text: string, key: string, name: string): (number[] | null)[] {
  const parts = text.match(/\([^)]*\)|none/gi) ?? []
  return parts.map(p =>
    p.startsWith('(') ? listOfNumbers(p.slice(1, -1).replaceAll(',', ' '), key, name) : null
  )
}

/** Names in quotes, or apart by spaces where a writer left the quotes out. */
function unitsIn(text: string | undefined): string[] | null {
  if (text === undefined) return null
  return text.includes('"')
    ? Array.from(text.matchAll(/"([^"]*)"|(\S+)/g), m => (m[1] ?? m[2]).trim())
    : text.split(/\s+/)
}

/** `field: value` lines up to the first empty line; `#` comments and `key:=value` pairs are passed over. */
function readFields(bytes: Uint8Array, name: string): { fields: Map<string, string>; dataOffset: number } {
  const fields = new Map<string, string>()
  const latin1 = new TextDecoder('latin1')
  let at = bytes.indexOf(10) + 1
  if (!looksLikeNrrd(bytes) || at === 0)
    throw new FileFormatError(`${name} is not a NRRD file`, 'Its first line must be NRRD0004 or NRRD0005.')
  while (at < bytes.length && at < 1 << 20) {
    const end = bytes.indexOf(10, at)
    if (end < 0) break
    const line = latin1.decode(bytes.subarray(at, end)).replace(/\r$/, '')
    at = end + 1
    if (line === '') return { fields, dataOffset: at }
    const colon = line.indexOf(': ')
    if (!line.startsWith('#') && colon > 0 && !line.slice(0, colon).includes(':='))
      fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 2).trim())
  }
  // A header that is a file of its own may end with it.
  if (fields.has('data file') || fields.has('datafile')) return { fields, dataOffset: bytes.length }
  throw new FileFormatError(
    `${name}: the NRRD header does not end with an empty line`,
    'The file is truncated, or is a detached header (.nhdr): write header and data in one .nrrd file.'
  )
}
