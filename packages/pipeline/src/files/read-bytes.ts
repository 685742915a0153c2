import { readFile, stat } from 'node:fs/promises'
import { FileFormatError, FileNotFoundError, RayposeError } from '@raypose/core'

/** Turns an error of the file system into one that says what to do. */
export function fileError(path: string, error: unknown): RayposeError {
  if (error instanceof RayposeError) return error
  const code = (error as NodeJS.ErrnoException | null)?.code
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new FileNotFoundError(`${path} does not exist`, 'Check the path.', { cause: error })
  if (code === 'ERR_FS_FILE_TOO_LARGE')
    return new FileFormatError(
      `${path} is larger than 2 GiB`,
      'Crop a volume, or give its DICOM slices; cut a run of X-rays into parts.',
      { cause: error }
    )
  return new FileNotFoundError(
    `${path} cannot be read (${code ?? (error instanceof Error ? error.message : String(error))})`,
    'Check its permissions and the disk.',
    { cause: error }
  )
}

/**
 * Reads a whole file.
 * @throws FileNotFoundError if it is absent, unreadable, or a folder; FileFormatError if it is empty or too large.
 */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    if ((await stat(path)).isDirectory())
      throw new FileNotFoundError(`${path} is a folder, not a file`, 'Give a file in it.')
    const bytes = await readFile(path)
    if (bytes.length === 0) throw new FileFormatError(`${path} is empty`, 'Copy or export it again.')
    return bytes
  } catch (error) {
    throw fileError(path, error)
  }
}

/**
 * Reads a JSON file.
 * @throws FileNotFoundError as {@link readBytes}; FileFormatError if it is not JSON.
 */
export async function readJson(path: string): Promise<unknown> {
  const text = new TextDecoder().decode(await readBytes(path))
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new FileFormatError(
      `${path} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      'Correct it, or write it again.',
      { cause }
    )
  }
}
