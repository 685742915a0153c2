import { FileFormatError, type Vec3, VolumeError } from '@raypose/core'
import { ELEMENT_BYTES, type ElementType, type HuArray, huFromBytes } from '../bytes/elements.js'
import { guard } from '../bytes/guard.js'
import { unzlib } from '../bytes/inflate.js'
import { siblingName } from '../bytes/sibling.js'
import { checkedSize, type LoadedVolume, volumeFromSteps } from '../volume.js'

const TYPES: Readonly<Record<string, ElementType>> = {
  MET_CHAR: 'int8',
  MET_UCHAR: 'uint8',
  MET_SHORT: 'int16',
  MET_USHORT: 'uint16',
  MET_INT: 'int32',
  MET_UINT: 'uint32',
  MET_LONG_LONG: 'int64',
  MET_ULONG_LONG: 'uint64',
  MET_FLOAT: 'float32',
  MET_DOUBLE: 'float64'
}

/** Whether bytes begin as a MetaImage header: a line of `key = value`, and the number of dimensions among the first. */
export function looksLikeMetaImage(bytes: Uint8Array): boolean {
  const start = new TextDecoder('latin1').decode(bytes.subarray(0, 4096))
  return (
    /^\s*(ObjectType|NDims|Comment)\s*=/.test(start) || /^\s*[A-Za-z]\w*\s*=(.*\n)*?\s*NDims\s*=/.test(start)
  )
}

/** A MetaImage before its meaning as a volume or an image: values with i fastest. */
export interface MetaImage {
  readonly size: readonly number[]
  readonly spacing: readonly number[]
  readonly offset: readonly number[]
  /** Direction of axis a at `[a · n … a · n + n − 1]`. */
  readonly axes: readonly number[]
  readonly values: HuArray
  readonly notes: readonly string[]
}

/**
 * Reads a MetaImage volume (.mha, or .mhd with its data given), raw or zlib-compressed, in LPS.
 * @param detached content of the .raw or .zraw file that an .mhd names
 * @throws FileFormatError for a truncated or damaged file, or an .mhd without its data; VolumeError for sheared axes.
 */
export function readMha(bytes: Uint8Array, name = 'The MetaImage file', detached?: Uint8Array): LoadedVolume {
  return guard(name, () => {
    const m = readMetaImage(bytes, name, detached)
    if (m.size.length !== 3)
      throw new FileFormatError(`${name} has ${m.size.length} dimensions, not 3`, 'Give a CT volume.')
    const step = (a: number): Vec3 => [0, 1, 2].map(r => m.axes[3 * a + r] * m.spacing[a]) as unknown as Vec3
    const volume = volumeFromSteps(
      m.size as unknown as Vec3,
      [step(0), step(1), step(2)],
      m.offset as unknown as Vec3,
      m.values,
      name
    )
    return { volume, format: 'mha', notes: m.notes }
  })
}

/** @throws FileFormatError, VolumeError */
export function readMetaImage(bytes: Uint8Array, name: string, detached?: Uint8Array): MetaImage {
  const { fields, dataOffset } = readFields(bytes, name)
  const need = (key: string): string => {
    const v = fields.get(key)
    if (v === undefined)
      throw new FileFormatError(`${name} has no "${key}" in its header`, 'Write it again as .mha with ITK.')
    return v
  }
  const dims = Number(need('NDims'))
  const numbers = (key: string, count: number, otherwise?: number[]): number[] => {
    const text = fields.get(key) ?? (otherwise ? undefined : need(key))
    if (text === undefined) return otherwise as number[]
    const v = text.split(/\s+/).map(Number)
    if (v.length !== count || !v.every(Number.isFinite))
      throw new FileFormatError(
        `${name}: "${key} = ${text}" is not ${count} numbers`,
        'The header is damaged: export the file again.'
      )
    return v
  }
  if (dims !== 2 && dims !== 3)
    throw new FileFormatError(`${name} has ${need('NDims')} dimensions`, 'Extract one volume from it.')
  const size = numbers('DimSize', dims)
  checkedSize(size, name)
  const channels = numbers('ElementNumberOfChannels', 1, [1])[0]
  const type = TYPES[need('ElementType')]
  if (!type || channels !== 1)
    throw new FileFormatError(
      `${name} has elements of type ${need('ElementType')}${channels === 1 ? '' : ` with ${channels} channels`}`,
      'Write it as one number per voxel: MET_SHORT.'
    )
  const notes: string[] = []
  const matrixKey = ['TransformMatrix', 'Rotation', 'Orientation'].find(k => fields.has(k))
  if (!matrixKey) {
    if (dims === 3) notes.push(`${name} has no TransformMatrix: its axes are taken as L, P, S.`)
  }
  const identity = Array.from({ length: dims * dims }, (_, i) => (i % (dims + 1) === 0 ? 1 : 0))
  const axes = matrixKey ? numbers(matrixKey, dims * dims) : identity
  const offsetKey = ['Offset', 'Position', 'Origin'].find(k => fields.has(k)) ?? 'Offset'
  const spacingKey = fields.has('ElementSpacing') ? 'ElementSpacing' : 'ElementSize'
  const spacing = numbers(spacingKey, dims)
  if (!spacing.every(s => s > 0))
    throw new VolumeError(`${name} has the spacing ${spacing.join(' × ')} mm`, 'Correct ElementSpacing.')

  const local = /^local$/i.test(need('ElementDataFile'))
  if (!local && !detached)
    throw new FileFormatError(
      `${name} keeps its voxels in another file (${need('ElementDataFile')})`,
      'Convert it to one file: .mha, or NIfTI.'
    )
  const isTrue = (...keys: string[]) => keys.some(k => /^true$/i.test(fields.get(k) ?? ''))
  const count = size.reduce((a, b) => a * b, 1)
  const stored = local
    ? bytes.subarray(dataOffset)
    : afterHeader(detached as Uint8Array, numbers('HeaderSize', 1, [0])[0], count * ELEMENT_BYTES[type])
  const raw = isTrue('CompressedData')
    ? unzlib(trimTo(stored, fields.get('CompressedDataSize')), name, { trailing: true })
    : stored
  if (/^false$/i.test(fields.get('BinaryData') ?? ''))
    throw new FileFormatError(`${name} holds its voxels as text`, 'Write it with binary data.')
  const littleEndian = !isTrue('BinaryDataByteOrderMSB', 'ElementByteOrderMSB')
  const values = huFromBytes(raw, type, count, littleEndian, name)
  return { size, spacing, offset: numbers(offsetKey, dims, Array(dims).fill(0)), axes, values, notes }
}

/** The file beside an .mhd that holds its voxels; null where they follow the header. @throws FileFormatError */
export function metaImageSibling(bytes: Uint8Array, name: string): string | null {
  const file = readFields(bytes, name).fields.get('ElementDataFile') ?? ''
  return /^local$/i.test(file) ? null : siblingName(file, name)
}

/** Voxels in a file of their own, after so many bytes of another header; -1: however many there are. */
const afterHeader = (bytes: Uint8Array, header: number, need: number): Uint8Array =>
  bytes.subarray(header === -1 ? Math.max(0, bytes.length - need) : Math.max(0, header))

function trimTo(bytes: Uint8Array, size: string | undefined): Uint8Array {
  const n = Number(size)
  return size !== undefined && n > 0 && n < bytes.length ? bytes.subarray(0, n) : bytes
}

/** `key = value` lines up to and including ElementDataFile, after which the voxels begin. */
function readFields(bytes: Uint8Array, name: string): { fields: Map<string, string>; dataOffset: number } {
  const fields = new Map<string, string>()
  const latin1 = new TextDecoder('latin1')
  let at = 0
  while (at < bytes.length && at < 65536) {
    const end = bytes.indexOf(10, at)
    if (end < 0) break
    const line = latin1.decode(bytes.subarray(at, end)).trim()
    at = end + 1
    const equals = line.indexOf('=')
    if (equals < 0) {
      if (line === '') continue
      break
    }
    const key = line.slice(0, equals).trim()
    fields.set(key, line.slice(equals + 1).trim())
    if (key === 'ElementDataFile') return { fields, dataOffset: at }
  }
  throw new FileFormatError(
    `${name} is not a MetaImage: its header ends without "ElementDataFile"`,
    'The file is truncated or of another kind: export it again.'
  )
}
