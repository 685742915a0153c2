import { FileFormatError, RayposeError } from '@raypose/core'

/**
 * Runs a decoder over untrusted bytes. Whatever it trips over that was not foreseen (reading past the end, a size
 * that cannot be allocated, a library's own error) leaves as a FileFormatError that names the file.
 */
export function guard<T>(what: string, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    throw asFormatError(what, error)
  }
}

/** As {@link guard}, for decoders that load code on demand. */
export async function guardAsync<T>(what: string, decode: () => Promise<T>): Promise<T> {
  try {
    return await decode()
  } catch (error) {
    throw asFormatError(what, error)
  }
}

function asFormatError(what: string, error: unknown): RayposeError {
  if (error instanceof RayposeError) return error
  // Some compiled codecs throw strings or numbers.
  const reason = error instanceof Error ? error.message : String(error)
  return new FileFormatError(
    `${what} cannot be decoded: ${reason}`,
    'The file is truncated or damaged: copy or export it again.',
    { cause: error }
  )
}
