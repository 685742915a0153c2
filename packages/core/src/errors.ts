/**
 * Every error that Raypose throws on purpose, in one place.
 *
 * Each names the thing that is wrong and the way out: `message` says what was found, `hint` what to do.
 * The command line prints both and leaves with exit code 2; a library user catches by `instanceof` or `code`.
 */
export class RayposeError extends Error {
  /** Stable identifier, for programs. */
  readonly code: string
  /** What the user can do about it. */
  readonly hint: string
  constructor(code: string, message: string, hint: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
    this.hint = hint
  }
}

/** A file cannot be read as what it claims to be: truncated, wrong magic number, unsupported encoding. */
export class FileFormatError extends RayposeError {
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super('file-format', message, hint, options)
  }
}

/** A file or folder that was asked for is absent or unreadable. */
export class FileNotFoundError extends RayposeError {
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super('file-not-found', message, hint, options)
  }
}

/** Slices that do not form one regular volume: missing, doubled, uneven, tilted, of mixed orientation. */
export class SeriesError extends RayposeError {
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super('series', message, hint, options)
  }
}

/** A volume that is well formed as a file but unusable as a CT: wrong modality, no bone, too small, NaN. */
export class VolumeError extends RayposeError {
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super('volume', message, hint, options)
  }
}

/** An X-ray image that cannot be used: no geometry, another size than its geometry says, empty, NaN. */
export class XrayError extends RayposeError {
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super('xray', message, hint, options)
  }
}

/** An X-ray without content, as a frame between pulses: nothing is said against other frames of its file. */
export class EmptyXrayError extends XrayError {}

/** A camera or transform that is not one: NaN, not rigid, zero pixel, detector behind the source. */
export class GeometryError extends RayposeError {
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super('geometry', message, hint, options)
  }
}

/** A pose cannot be computed from what is there: too few landmarks, degenerate configuration. */
export class PoseError extends RayposeError {
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super('pose', message, hint, options)
  }
}

/** A network graph, its weights or a checkpoint that does not fit. */
export class ModelError extends RayposeError {
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super('model', message, hint, options)
  }
}

/** A patient folder that is incomplete, of another version, or altered since it was written. */
export class BundleError extends RayposeError {
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super('bundle', message, hint, options)
  }
}

/** An argument outside its range. */
export class ArgumentError extends RayposeError {
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super('argument', message, hint, options)
  }
}

/** Work that was cancelled through an `AbortSignal`. */
export class CancelledError extends RayposeError {
  constructor(message = 'The work was cancelled', hint = 'Start it again; finished parts are kept.') {
    super('cancelled', message, hint)
  }
}

/** A worker that died or a backend that cannot run here. */
export class BackendError extends RayposeError {
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super('backend', message, hint, options)
  }
}

/** A file that cannot be written: the disk is full, or the folder is not ours to write to. */
export class StorageError extends RayposeError {
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super('storage', message, hint, options)
  }
}
