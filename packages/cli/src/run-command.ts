import { CancelledError } from '@raypose/core'
import type { OnProgress } from '@raypose/pipeline'
import type { Command } from 'commander'
import { type CommandResult, EXIT, writeResult } from './terminal/output.js'
import { createProgress } from './terminal/progress.js'

/** What every command is told. */
export interface CommonOptions {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly debug?: boolean
}

/** What the work of a command is given. */
export interface CommandContext {
  /** Aborts at the first Ctrl-C: hand it to everything that takes time. */
  readonly signal: AbortSignal
  readonly progress: OnProgress
  readonly json: boolean
}

/** Adds the options that all commands share. */
export const withCommonOptions = (command: Command): Command =>
  command
    .option('--json', 'print one JSON object on standard output, and nothing else there')
    .option('--quiet', 'show no progress')
    .option('--debug', 'print the stack of an unexpected error')

/**
 * Does the work of a command with progress on standard error, then prints its result. The first Ctrl-C asks the work
 * to stop, the second ends the process at once.
 * @throws CancelledError if the work stopped for a Ctrl-C; otherwise whatever the work throws.
 */
export async function runCommand(
  options: CommonOptions,
  work: (context: CommandContext) => Promise<CommandResult>
): Promise<void> {
  const progress = createProgress(process.stderr, { quiet: options.quiet })
  const controller = new AbortController()
  const stop = () => {
    if (controller.signal.aborted) process.exit(EXIT.cancelled)
    progress.end()
    process.stderr.write('Stopping … (Ctrl-C again ends at once)\n')
    controller.abort()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  try {
    const json = options.json ?? false
    const result = await work({ signal: controller.signal, progress: progress.report, json })
    progress.end()
    writeResult(process.stdout, result, json)
    if (result.exitCode) process.exitCode = result.exitCode
  } catch (error) {
    progress.end()
    // Whatever a stopped step throws, the reason is the user's.
    if (controller.signal.aborted && !(error instanceof CancelledError))
      throw new CancelledError(undefined, undefined)
    throw error
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}
