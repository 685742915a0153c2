import { ModelError } from '@raypose/core'
import type { NetworkSpec } from '../architectures/spec.js'
import { type BinaryParts, crc32, readBinary, writeBinary } from '../weights/binary.js'

const magic = 'RPCHKPT1'

/** Two specs with the same hash give the same parameter layout. */
export const specHash = (spec: NetworkSpec): string =>
  crc32(new TextEncoder().encode(JSON.stringify(Object.entries(spec).sort(([a], [b]) => (a < b ? -1 : 1)))))
    .toString(16)
    .padStart(8, '0')

/** Free JSON that travels in a checkpoint: what the caller has to know to go on. */
export type CheckpointNote = Readonly<Record<string, unknown>>

/** Optimiser state in full precision: a resumed training continues bit for bit. */
export function writeCheckpoint(
  spec: NetworkSpec,
  step: number,
  vectors: readonly Float32Array[],
  note: CheckpointNote = {}
): Uint8Array {
  const payload = new Uint8Array(vectors.reduce((sum, v) => sum + v.byteLength, 0))
  let at = 0
  for (const v of vectors) {
    payload.set(new Uint8Array(v.buffer, v.byteOffset, v.byteLength), at)
    at += v.byteLength
  }
  const header = { version: 1, spec, specHash: specHash(spec), step, vectors: vectors.length, note }
  return writeBinary(magic, { header, payload })
}

/**
 * Where a checkpoint stands, without its state.
 * @throws ModelError when the checkpoint is truncated, altered, or of another network
 */
export function readCheckpointNote(
  spec: NetworkSpec,
  bytes: Uint8Array
): { step: number; note: CheckpointNote } {
  const { header } = openCheckpoint(spec, bytes)
  return { step: Number(header.step), note: (header.note ?? {}) as CheckpointNote }
}

/** @throws ModelError when the checkpoint is truncated, altered, or of another network */
export function readCheckpoint(
  spec: NetworkSpec,
  bytes: Uint8Array,
  count: number,
  length: number
): { step: number; vectors: Float32Array[]; note: CheckpointNote } {
  const { header, payload } = openCheckpoint(spec, bytes)
  if (header.vectors !== count || payload.length !== 4 * count * length)
    throw new ModelError(
      `The checkpoint holds ${payload.length} bytes of state; the network's takes ${4 * count * length}`,
      'It was written by another version: start the training anew.'
    )
  const all = new Float32Array(new Uint8Array(payload).buffer)
  const vectors = Array.from({ length: count }, (_, i) => all.slice(i * length, (i + 1) * length))
  return { step: Number(header.step), vectors, note: (header.note ?? {}) as CheckpointNote }
}

function openCheckpoint(spec: NetworkSpec, bytes: Uint8Array): BinaryParts {
  const parts = readBinary(magic, bytes, 'checkpoint')
  const { header } = parts
  if (header.specHash !== specHash(spec))
    throw new ModelError(
      'The checkpoint belongs to another network',
      'Resume with the spec it was written with, or start anew without it.'
    )
  if (header.version !== 1 || !Number.isSafeInteger(header.step))
    throw new ModelError(
      `The checkpoint has version ${String(header.version)} and step ${String(header.step)}`,
      'It was written by another version: start the training anew.'
    )
  return parts
}
