import { FileFormatError } from '@raypose/core'
import { Gunzip, gzipSync, Unzlib, zlibSync } from 'fflate'

const DAMAGED = 'The file is truncated or damaged: copy or export it again.'

/** Whether the bytes begin as a gzip stream. */
export const isGzip = (bytes: Uint8Array): boolean =>
  bytes.length > 2 && bytes[0] === 0x1f && bytes[1] === 0x8b

/**
 * Decompresses a gzip stream and checks its CRC-32.
 *
 * The library trusts the length in the trailer for its allocation and does not check the sum, so that a damaged file
 * would give wrong HU without a word: hence the stream interface and the check here.
 * @throws FileFormatError if it is truncated or its check sum is wrong.
 */
export function gunzip(bytes: Uint8Array, what: string): Uint8Array {
  let members = 0
  const out = collect(what, sink => {
    const stream = new Gunzip(sink)
    stream.onmember = () => members++
    push(stream, bytes)
  })
  // Each member of a concatenated stream has a sum of its own, whose place the library does not tell.
  if (members > 1) return out
  const trailer = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const n = bytes.byteLength
  if (
    n < 18 ||
    trailer.getUint32(n - 4, true) !== out.length >>> 0 ||
    trailer.getUint32(n - 8, true) !== crc32(out)
  )
    throw new FileFormatError(`${what}: the gzip check sum does not match its content`, DAMAGED)
  return out
}

/** How far from the end of its bytes a zlib stream may end where others follow it. */
const MOST_TRAILING = 4096

/**
 * Decompresses a zlib stream (RFC 1950) and checks its Adler-32.
 * @param options `trailing`: bytes that are not the stream's may follow it, 4096 at most
 * @throws FileFormatError if it is truncated or its check sum is wrong.
 */
export function unzlib(
  bytes: Uint8Array,
  what: string,
  options: { readonly trailing?: boolean } = {}
): Uint8Array {
  const out = collect(what, sink => {
    const stream = new Unzlib(sink)
    push(stream, bytes)
  })
  const n = bytes.byteLength
  const view = new DataView(bytes.buffer, bytes.byteOffset, n)
  const sum = adler32(out)
  // The library does not tell where the stream ended: its sum is looked for from the end of the bytes.
  const least = Math.max(2, options.trailing ? n - 4 - MOST_TRAILING : n - 4)
  for (let at = n - 4; at >= least; at--) if (view.getUint32(at, false) === sum) return out
  throw new FileFormatError(`${what}: the zlib check sum does not match its content`, DAMAGED)
}

/** gzip without a time stamp, so that equal content gives equal files. */
export const gzip = (bytes: Uint8Array): Uint8Array => gzipSync(bytes, { level: 6, mtime: 0 })

export const zlib = (bytes: Uint8Array): Uint8Array => zlibSync(bytes, { level: 6 })

function push(stream: { push(chunk: Uint8Array, final?: boolean): void }, bytes: Uint8Array): void {
  const step = 1 << 20
  for (let at = 0; at < bytes.length; at += step)
    stream.push(bytes.subarray(at, at + step), at + step >= bytes.length)
}

function collect(what: string, run: (sink: (chunk: Uint8Array) => void) => void): Uint8Array {
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    run(chunk => {
      chunks.push(chunk)
      length += chunk.length
    })
  } catch (error) {
    throw new FileFormatError(
      `${what}: the compressed data is damaged (${error instanceof Error ? error.message : String(error)})`,
      DAMAGED,
      { cause: error }
    )
  }
  const out = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    out.set(chunk, at)
    at += chunk.length
  }
  return out
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
  return c >>> 0
})

/** CRC-32 of RFC 1952. */
export function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff
  for (let i = 0; i < bytes.length; i++) c = CRC_TABLE[(c ^ bytes[i]) & 255] ^ (c >>> 8)
  return (c ^ 0xffffffff) >>> 0
}

/** Adler-32 of RFC 1950. */
export function adler32(bytes: Uint8Array): number {
  let a = 1
  let b = 0
  // 3800 bytes at a time cannot overflow 32 bits before the remainder is taken.
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(at + 3800, bytes.length)
    for (; at < end; at++) {
      a += bytes[at]
      b += a
    }
    a %= 65521
    b %= 65521
  }
  return ((b << 16) | a) >>> 0
}
