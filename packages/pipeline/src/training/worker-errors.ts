import {
  ArgumentError,
  BackendError,
  FileFormatError,
  FileNotFoundError,
  GeometryError,
  ModelError,
  RayposeError,
  SeriesError,
  VolumeError
} from '@raypose/core'

/** An error as plain data: cloning between threads would strip it of its class, its code and its hint. */
export interface PlainError {
  readonly message: string
  /** Absent for an error that nobody foresaw. */
  readonly code?: string
  readonly hint?: string
}

const CLASSES: Record<string, new (message: string, hint: string) => RayposeError> = {
  argument: ArgumentError,
  backend: BackendError,
  'file-format': FileFormatError,
  'file-not-found': FileNotFoundError,
  geometry: GeometryError,
  model: ModelError,
  series: SeriesError,
  volume: VolumeError
}

export const plainError = (error: unknown): PlainError =>
  error instanceof RayposeError
    ? { message: error.message, code: error.code, hint: error.hint }
    : { message: error instanceof Error ? error.message : String(error) }

/** The error a worker sent, of its own class again; a BackendError that names the worker for any other. */
export function revivedError(what: string, { message, code, hint }: PlainError): RayposeError {
  const Class = code === undefined ? undefined : CLASSES[code]
  return Class ? new Class(message, hint ?? '') : workerError(what, message)
}

export const workerError = (what: string, cause: unknown): BackendError =>
  new BackendError(
    `The ${what} worker failed: ${cause instanceof Error ? cause.message : String(cause)}`,
    'Free memory or use fewer threads, then run the same command again: it goes on from the last checkpoint.',
    { cause }
  )
