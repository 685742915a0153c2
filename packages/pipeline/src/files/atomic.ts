import { randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { storageError } from './storage-error.js'

/**
 * Writes a file whole or not at all: to a temporary name in the same folder, flushed, then renamed over the target.
 * Folders on the way are made.
 * @throws StorageError where the disk is full, or the folder cannot be written
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true }).catch(error => {
    throw storageError(path, error)
  })
  const temporary = join(folder, `.${randomUUID()}.part`)
  try {
    const file = await open(temporary, 'w')
    try {
      await file.writeFile(data)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw storageError(path, error)
  }
}

export const writeJsonAtomic = (path: string, value: unknown): Promise<void> =>
  writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`)
