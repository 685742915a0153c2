import { ArgumentError } from '@raypose/core'
import { type Command, CommanderError } from 'commander'
import { EXIT, writeFailure } from './terminal/output.js'

/** Runs one command line and returns its exit code. Whatever goes wrong is said here, once. */
export async function runProgram(program: Command, args: readonly string[]): Promise<number> {
  if (args.length === 0) {
    process.stderr.write(program.helpInformation())
    return EXIT.badInput
  }
  try {
    await program.parseAsync(args, { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    // Help and version are thrown too, as what ends the run early.
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
  return new ArgumentError(
    message.charAt(0).toUpperCase() + message.slice(1),
    `See raypose${command} --help`,
    {
      cause: error
    }
  )
}
