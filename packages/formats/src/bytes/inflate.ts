import { CancelledError, FileFormatError } from '@raypose/core'
import { Gunzip, gzipSync, Unzlib, zlibSync } from 'fflate'

/** Compressed bytes taken at a time. */
const STEP = 1 << 20
/** Deflate makes nothing more than this much smaller. */
const MOST_RATIO = 1032
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
  const work = startGunzip(bytes, what)
  for (let at = 0; at < bytes.length; at += STEP) work.push(at)
  return work.end()
}

/**
 * As {@link gunzip}, letting other work go on between pieces, so that it can be stopped.
 * @throws CancelledError when `signal` aborts
 */
export async function gunzipInPieces(
  bytes: Uint8Array,
  what: string,
  signal?: AbortSignal
): Promise<Uint8Array> {
  const work = startGunzip(bytes, what)
  for (let at = 0; at < bytes.length; at += STEP) {
    await new Promise(done => setTimeout(done))
    if (signal?.aborted) throw new CancelledError()
    work.push(at)
  }
  return work.end()
}

function startGunzip(bytes: Uint8Array, what: string) {
  const n = bytes.byteLength
  const trailer = n < 18 ? null : new DataView(bytes.buffer, bytes.byteOffset + n - 8, 8)
  // What the trailer says is only a first guess, and no stream is wound up tighter than this.
  const out = collector(Math.min(trailer?.getUint32(4, true) ?? 0, MOST_RATIO * n))
  let concatenated = false
  const stream = new Gunzip(out.add)
  // Called for those after the first.
  stream.onmember = () => {
    concatenated = true
  }
  return {
    push: (at: number) => damagedAs(what, () => stream.push(bytes.subarray(at, at + STEP), at + STEP >= n)),
    end() {
      const content = out.bytes()
      // Each member of a concatenated stream has a sum of its own, whose place the library does not tell.
      if (concatenated) return content
      if (
        trailer?.getUint32(4, true) !== content.length >>> 0 ||
        trailer.getUint32(0, true) !== crc32(content)
      )
        throw new FileFormatError(`${what}: the gzip check sum does not match its content`, DAMAGED)
      return content
    }
  }
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
  const n = bytes.byteLength
  const collected = collector(4 * n)
  const stream = new Unzlib(collected.add)
  for (let at = 0; at < n; at += STEP)
    damagedAs(what, () => stream.push(bytes.subarray(at, at + STEP), at + STEP >= n))
  const out = collected.bytes()
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

function damagedAs(what: string, work: () => void): void {
  try {
    work()
  } catch (error) {
    throw new FileFormatError(
      `${what}: the compressed data is damaged (${error instanceof Error ? error.message : String(error)})`,
      DAMAGED,
      { cause: error }
    )
  }
}

/** Puts pieces together where they belong, so that a large file is not held twice; `guess` is how long they will be. */
function collector(guess: number): { add: (piece: Uint8Array) => void; bytes: () => Uint8Array } {
  let out = new Uint8Array(guess)
  let length = 0
  return {
    add(piece) {
      if (length + piece.length > out.length) {
        const larger = new Uint8Array(Math.max(length + piece.length, Math.ceil(1.5 * out.length)))
        larger.set(out.subarray(0, length))
        out = larger
      }
      out.set(piece, length)
      length += piece.length
    },
    bytes: () => out.subarray(0, length)
  }
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
