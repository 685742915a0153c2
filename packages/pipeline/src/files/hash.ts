import { createHash } from 'node:crypto'

/** Bytes given to the hash at a time: it takes fewer than 2 GiB at once. */
const PIECE = 1 << 28

/** SHA-256 in hex, of any length. */
export function sha256(bytes: Uint8Array | string): string {
  const hash = createHash('sha256')
  if (typeof bytes === 'string') return hash.update(bytes).digest('hex')
  for (let at = 0; at < bytes.length; at += PIECE) hash.update(bytes.subarray(at, at + PIECE))
  return hash.digest('hex')
}
