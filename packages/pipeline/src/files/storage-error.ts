import { RayposeError, StorageError } from '@raypose/core'

/** Turns an error of writing a file into one that says what to do. */
export function storageError(path: string, error: unknown): RayposeError {
  if (error instanceof RayposeError) return error
  const code = (error as NodeJS.ErrnoException | null)?.code
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new StorageError(
      `${path} cannot be written: the disk is full${code === 'EDQUOT' ? ' for this user' : ''}`,
      'Free some space, then run the same command again: what was finished is kept.',
      { cause: error }
    )
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return new StorageError(
      `${path} may not be written (${code})`,
      'Choose a folder that you may write to.',
      {
        cause: error
      }
    )
  return new StorageError(
    `${path} cannot be written (${code ?? (error instanceof Error ? error.message : String(error))})`,
    'Check the path and the disk.',
    { cause: error }
  )
}
