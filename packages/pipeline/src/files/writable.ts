import { randomUUID } from 'node:crypto'
import { mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { StorageError } from '@raypose/core'
import { storageError } from './storage-error.js'

/**
 * Makes a folder for results and tries whether it can be written, before work whose results would be lost otherwise.
 * @throws StorageError where it cannot
 */
export async function ensureWritableFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => null)
  if (found && !found.isDirectory())
    throw new StorageError(`${folder} is a file, not a folder`, 'Choose another folder for the results.')
  const probe = join(folder, `.${randomUUID()}.part`)
  try {
    await mkdir(folder, { recursive: true })
    await writeFile(probe, 'raypose')
  } catch (error) {
    throw storageError(folder, error)
  } finally {
    await rm(probe, { force: true }).catch(() => {})
  }
}

/** The same for the folder of a file. */
export const ensureWritableFolderOf = (file: string): Promise<void> => ensureWritableFolder(dirname(file))
