import { ModelError } from '@raypose/core'

/**
 * The container of weights files and checkpoints: 8 bytes of magic, header length and CRC-32 (both uint32, little
 * endian), a JSON header padded with spaces to a multiple of 4, the payload. The checksum covers header and payload.
 */
export interface BinaryParts {
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Uint8Array
}

const prefix = 16

export function writeBinary(magic: string, parts: BinaryParts): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(parts.header))
  const json = new Uint8Array(4 * Math.ceil(text.length / 4)).fill(0x20)
  json.set(text)
  const out = new Uint8Array(prefix + json.length + parts.payload.length)
  out.set(new TextEncoder().encode(magic.padEnd(8).slice(0, 8)))
  out.set(json, prefix)
  out.set(parts.payload, prefix + json.length)
  const view = new DataView(out.buffer)
  view.setUint32(8, json.length, true)
  view.setUint32(12, crc32(out.subarray(prefix)), true)
  return out
}

/**
 * @param what names the file in errors
 * @throws ModelError when the magic, the length or the checksum is wrong
 */
export function readBinary(magic: string, bytes: Uint8Array, what: string): BinaryParts {
  const refuse = (found: string): ModelError =>
    new ModelError(`The ${what} ${found}`, 'Fetch or write it again; it cannot be used as it is.')
  if (new TextDecoder().decode(bytes.subarray(0, 8)) !== magic.padEnd(8).slice(0, 8))
    throw refuse(`does not begin with "${magic}"`)
  if (bytes.length < prefix) throw refuse(`is truncated (${bytes.length} bytes)`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = prefix + view.getUint32(8, true)
  if (end > bytes.length) throw refuse(`is truncated (${bytes.length} bytes, header ends at ${end})`)
  if (crc32(bytes.subarray(prefix)) !== view.getUint32(12, true))
    throw refuse('is truncated or altered (its checksum does not fit)')
  try {
    const header: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(prefix, end)))
    return { header: header as Record<string, unknown>, payload: bytes.subarray(end) }
  } catch {
    throw refuse('has a header that is not JSON')
  }
}

let table: Uint32Array | undefined

/** CRC-32 as in zip and PNG (reflected polynomial 0xEDB88320). */
export function crc32(bytes: Uint8Array): number {
  table ??= Uint32Array.from({ length: 256 }, (_, n) => {
    let c = n
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
    return c >>> 0
  })
  let c = 0xffffffff
  for (let i = 0; i < bytes.length; i++) c = table[(c ^ bytes[i]) & 255] ^ (c >>> 8)
  return (c ^ 0xffffffff) >>> 0
}
