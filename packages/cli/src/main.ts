#!/usr/bin/env node
import { createProgram } from './program.js'
import { runProgram } from './run-program.js'

// A reader that stops early (head, less) is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})
// Setting the code rather than exiting lets a pipe take all that was written.
process.exitCode = await runProgram(createProgram(), process.argv.slice(2))
