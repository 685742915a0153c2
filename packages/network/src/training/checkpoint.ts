import { ModelError } from '@raypose/core'
import type { NetworkSpec } from '../architectures/spec.js'
import { crc32, readBinary, writeBinary } from '../weights/binary.js'

const magic = 'RPCHKPT1'

/** Two specs with the same hash give the same parameter layout. */
export const specHash = (spec: NetworkSpec): string =>
  crc32(new TextEncoder().encode(JSON.stringify(Object.entries(spec).sort(([a], [b]) => (a < b ? -1 : 1)))))
    .toString(16)
    .padStart(8, '0')

/** Optimiser state in full precision: a resumed training continues bit for bit. */
export function writeCheckpoint(
  spec: NetworkSpec,
  step: number,
  vectors: readonly Float32Array[]
): Uint8Array {
  const payload = new Uint8Array(vectors.reduce((sum, v) => sum + v.byteLength, 0))
  let at = 0
  for (const v of vectors) {
    payload.set(new Uint8Array(v.buffer, v.byteOffset, v.byteLength), at)
    at += v.byteLength
  }
  const header = { version: 1, spec, specHash: specHash(spec), step, vectors: vectors.length }
  return writeBinary(magic, { header, payload })
}

/** @throws ModelError when the checkpoint is truncated, altered, or of another network */
export function readCheckpoint(
  spec: NetworkSpec,
  bytes: Uint8Array,
  count: number,
  length: number
): { step: number; vectors: Float32Array[] } {
  const { header, payload } = readBinary(magic, bytes, 'checkpoint')
  if (header.specHash !== specHash(spec))
    throw new ModelError(
      'The checkpoint belongs to another network',
      'Resume with the spec it was written with, or start anew without it.'
    )
  if (header.version !== 1 || header.vectors !== count || payload.length !== 4 * count * length)
    throw new ModelError(
      `The checkpoint has version ${String(header.version)} and ${payload.length} bytes of state`,
      'It was written by another version: start the training anew.'
    )
  const all = new Float32Array(new Uint8Array(payload).buffer)
  const vectors = Array.from({ length: count }, (_, i) => all.slice(i * length, (i + 1) * length))
  return { step: Number(header.step), vectors }
}
