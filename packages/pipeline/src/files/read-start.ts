import { open } from 'node:fs/promises'
import { fileError } from './read-bytes.js'

/** The first bytes of a file, fewer where it has no more. @throws FileNotFoundError where it cannot be read */
export async function readStart(path: string, count: number): Promise<Uint8Array> {
  try {
    const handle = await open(path)
    try {
      const { buffer, bytesRead } = await handle.read(new Uint8Array(count), 0, count, 0)
      return buffer.subarray(0, bytesRead)
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw fileError(path, error)
  }
}
