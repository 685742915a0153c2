import { FileFormatError } from '@raypose/core'

/** How numbers are stored in a file. */
export type ElementType =
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'float32'
  | 'float64'

export const ELEMENT_BYTES: Record<ElementType, number> = {
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float32: 4,
  float64: 8
}

/** What voxel values are given as: Int16 where every value is a whole number in its range, else Float32. */
export type HuArray = Int16Array | Float32Array

type NumberArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array

/**
 * Reads `count` stored numbers, into an array of their own.
 * @throws FileFormatError if the bytes are fewer than that.
 */
export function elementsFromBytes(
  bytes: Uint8Array,
  type: ElementType,
  count: number,
  littleEndian: boolean,
  what: string
): NumberArray {
  const body = bodyOf(bytes, type, count, what)
  if (type === 'int64' || type === 'uint64') return wideIntegers(body, type, count, littleEndian)
  return copied(body, type, count, littleEndian)
}

/**
 * Reads `count` stored numbers as HU: {@link toHu} of {@link elementsFromBytes}, without an array of the stored ones in between where
 * the bytes can be looked at as they lie.
 * @throws FileFormatError if the bytes are fewer than that.
 */
export function huFromBytes(
  bytes: Uint8Array,
  type: ElementType,
  count: number,
  littleEndian: boolean,
  what: string,
  slope = 1,
  intercept = 0
): HuArray {
  const unchanged = type === 'int16' && slope === 1 && intercept === 0
  const asTheyLie =
    littleEndian === HOST_IS_LITTLE_ENDIAN &&
    bytes.byteOffset % ELEMENT_BYTES[type] === 0 &&
    type !== 'int64' &&
    type !== 'uint64'
  // What would be given out unchanged must be a copy, apart from the file's bytes.
  const stored =
    asTheyLie && !unchanged
      ? viewed(bodyOf(bytes, type, count, what), type, count)
      : elementsFromBytes(bytes, type, count, littleEndian, what)
  return toHu(stored, slope, intercept)
}

function bodyOf(bytes: Uint8Array, type: ElementType, count: number, what: string): Uint8Array {
  const need = count * ELEMENT_BYTES[type]
  if (!(bytes.byteLength >= need))
    throw new FileFormatError(
      `${what} holds ${bytes.byteLength} bytes of pixel data where its header asks for ${need}`,
      'The file is truncated: copy or export it again.'
    )
  return bytes.subarray(0, need)
}

type NarrowType = Exclude<ElementType, 'int64' | 'uint64'>

function copied(bytes: Uint8Array, type: NarrowType, count: number, littleEndian: boolean): NumberArray {
  // Aligned for the typed array, and apart from the file's bytes. Not `slice`: that of Node's Buffer does not copy.
  const copy = new Uint8Array(bytes)
  if (littleEndian !== HOST_IS_LITTLE_ENDIAN) swapBytes(copy, ELEMENT_BYTES[type])
  return viewed(copy, type, count)
}

const ARRAYS = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  float32: Float32Array,
  float64: Float64Array
} as const

const viewed = (bytes: Uint8Array, type: NarrowType, count: number): NumberArray =>
  new ARRAYS[type](bytes.buffer as ArrayBuffer, bytes.byteOffset, count)

function wideIntegers(bytes: Uint8Array, type: 'int64' | 'uint64', count: number, littleEndian: boolean) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const out = new Float64Array(count)
  for (let i = 0; i < count; i++)
    out[i] = Number(
      type === 'int64' ? view.getBigInt64(i * 8, littleEndian) : view.getBigUint64(i * 8, littleEndian)
    )
  return out
}

/** Reverses the bytes of each element in place. */
export function swapBytes(bytes: Uint8Array, size: number): void {
  for (let i = 0; i + size <= bytes.length; i += size)
    for (let a = i, b = i + size - 1; a < b; a++, b--) {
      const t = bytes[a]
      bytes[a] = bytes[b]
      bytes[b] = t
    }
}

/** `slope · stored + intercept`, as Int16 where nothing is lost by it, else Float32. */
export function toHu(stored: ArrayLike<number>, slope = 1, intercept = 0): HuArray {
  if (stored instanceof Int16Array && slope === 1 && intercept === 0) return stored
  const n = stored.length
  const out = new Int16Array(n)
  for (let i = 0; i < n; i++) {
    const v = slope * stored[i] + intercept
    const w = Math.round(v)
    // Rescaling in binary leaves crumbs (0.1 · 30): they are not a reason for floats.
    if (!(Math.abs(v - w) <= 1e-6 && w >= -32768 && w <= 32767)) return toFloat(stored, slope, intercept)
    out[i] = w
  }
  return out
}

function toFloat(stored: ArrayLike<number>, slope: number, intercept: number): Float32Array {
  const out = new Float32Array(stored.length)
  for (let i = 0; i < out.length; i++) out[i] = slope * stored[i] + intercept
  return out
}

/** The least HU of a CT, which stands for air outside the field: scanners store 12 bits from −1024, and padding lies below. */
export const LOWEST_HU = -1024

/** Puts air where a file has NaN (which tools write outside the field that was measured), and counts it. All NaN stays so. */
export function airForNaN(data: HuArray): { data: HuArray; count: number } {
  if (data instanceof Int16Array) return { data, count: 0 }
  let count = 0
  for (let i = 0; i < data.length; i++) if (Number.isNaN(data[i])) count++
  if (count === 0 || count === data.length) return { data, count: 0 }
  const filled = new Float32Array(data.length)
  for (let i = 0; i < data.length; i++) filled[i] = Number.isNaN(data[i]) ? LOWEST_HU : data[i]
  return { data: toHu(filled), count }
}

/** The bytes of a typed array, little-endian. */
export function littleEndianBytes(data: ArrayBufferView): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (HOST_IS_LITTLE_ENDIAN || !('BYTES_PER_ELEMENT' in data)) return bytes
  const copy = new Uint8Array(bytes)
  swapBytes(copy, data.BYTES_PER_ELEMENT as number)
  return copy
}

const HOST_IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** Joins byte arrays. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const p of parts) {
    out.set(p, at)
    at += p.length
  }
  return out
}
