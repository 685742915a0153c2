#!/usr/bin/env node
import { ArgumentError } from '@raypose/core'
import { CommanderError } from 'commander'
import { createProgram } from './program.js'
import { EXIT, writeFailure } from './terminal/output.js'

/** Runs one command line and returns its exit code. */
async function main(args: readonly string[]): Promise<number> {
  const program = createProgram()
  if (args.length === 0) {
    process.stderr.write(program.helpInformation())
    return EXIT.badInput
  }
  try {
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    return writeFailure(process, error instanceof CommanderError ? usageError(error, args) : error, {
      json: args.includes('--json'),
      debug: args.includes('--debug')
    })
  }
}

/** What the parser of the command line found fault with. */
function usageError(error: CommanderError, args: readonly string[]): ArgumentError {
  const command = args[0].startsWith('-') || error.code === 'commander.unknownCommand' ? '' : ` ${args[0]}`
  const message = error.message.replace(/^error: /, '').replace(/\n/g, ' ')
  return new ArgumentError(message.charAt(0).toUpperCase() + message.slice(1), `See raypose${command} --help`, {
    cause: error
  })
}

// A reader that stops early (head, less) is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})
// Setting the code rather than exiting lets a pipe take all that was written.
process.exitCode = await main(process.argv.slice(2))
