import { CancelledError, RayposeError } from '@raypose/core'

/** What a command has to say once it is done: for people, and for programs. */
export interface CommandResult {
  readonly text: string
  readonly json: object
  /** Where it is not 0: the work was done, but what came out is not to be used. */
  readonly exitCode?: number
}

export interface TextTarget {
  write(text: string): unknown
}

/** With `json` one object and nothing else; otherwise text. */
export function writeResult(target: TextTarget, result: CommandResult, json: boolean): void {
  target.write(json ? `${JSON.stringify(result.json, null, 2)}\n` : `${result.text.trimEnd()}\n`)
}

/** Exit codes: bad input that is explained, a result that is not to be used, a fault of the program, Ctrl-C. */
export const EXIT = { badInput: 2, rejected: 3, unexpected: 1, cancelled: 130 } as const

export interface FailureOptions {
  readonly json?: boolean
  /** Print the stack of an error that nobody foresaw. */
  readonly debug?: boolean
}

/** Says what went wrong (and with `json` also on standard output, as one object), and returns the exit code. */
export function writeFailure(
  { stdout, stderr }: { readonly stdout: TextTarget; readonly stderr: TextTarget },
  error: unknown,
  options: FailureOptions = {}
): number {
  const known = error instanceof RayposeError
  const code = known ? error.code : 'unexpected'
  const message = error instanceof Error ? error.message : String(error)
  const hint = known
    ? error.hint
    : 'This is a fault of Raypose. Run it again with --debug and report what it prints.'
  stderr.write(`${known ? 'Error' : 'Unexpected error'}: ${message}\n${hint}\n`)
  if (options.debug && error instanceof Error) {
    for (let e: unknown = error; e instanceof Error; e = e.cause) stderr.write(`${e.stack ?? e.message}\n`)
  }
  if (options.json) stdout.write(`${JSON.stringify({ error: { code, message, hint } }, null, 2)}\n`)
  if (error instanceof CancelledError) return EXIT.cancelled
  return known ? EXIT.badInput : EXIT.unexpected
}
