import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'

const module = (name: string) => pathToFileURL(resolve(import.meta.dirname, '../dist', name)).href

/** A program with one command, `try`, whose work is the given code; it says READY once it waits. */
const programWith = (work: string) => `
import { Command } from 'commander'
import { runCommand, withCommonOptions } from ${JSON.stringify(module('run-command.js'))}
import { runProgram } from ${JSON.stringify(module('run-program.js'))}
const program = new Command('raypose').exitOverride().configureOutput({ outputError: () => {} })
withCommonOptions(program.command('try')).action(o => runCommand(o, async ({ signal, progress }) => { ${work} }))
process.exitCode = await runProgram(program, process.argv.slice(1))
`

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs it in a process of its own; each READY is answered by a SIGINT. */
function run(work: string, ...args: string[]): Promise<Outcome> {
  return new Promise(done => {
    const child = spawn(
      process.execPath,
      ['--input-type=module', '-e', programWith(work), '--', 'try', ...args],
      {
        cwd: resolve(import.meta.dirname, '..')
      }
    )
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', d => (stdout += d))
    child.stderr.on('data', d => {
      stderr += d
      for (let i = 0; i < String(d).split('READY').length - 1; i++) child.kill('SIGINT')
    })
    child.on('close', code => done({ code, stdout, stderr }))
  })
}

const WAIT = `process.stderr.write('READY'); await new Promise(r => { const t = setInterval(() => {}, 1000); signal.addEventListener('abort', () => { clearInterval(t); r() }) });`

describe('runCommand', () => {
  it('prints text, or with --json the object alone', async () => {
    const work = `progress({ stage: 'Thinking', fraction: 0 }); return { text: 'It is 42.', json: { answer: 42 } }`
    expect(await run(work)).toEqual({ code: 0, stdout: 'It is 42.\n', stderr: 'Thinking\n' })
    const json = await run(work, '--json')
    expect([json.code, JSON.parse(json.stdout), json.stderr]).toEqual([0, { answer: 42 }, 'Thinking\n'])
    expect((await run(work, '--quiet')).stderr).toBe('')
  })

  it('asks the work to stop at Ctrl-C, and leaves with 130', async () => {
    const stopped = await run(`${WAIT} throw new TypeError('the step was cut off')`, '--json')
    expect(stopped.code).toBe(130)
    expect(JSON.parse(stopped.stdout).error.code).toBe('cancelled')
    expect(stopped.stderr).toContain('Stopping')
    expect(stopped.stderr).not.toContain('cut off')
  })

  it('reports what was finished before it could stop', async () => {
    const finished = await run(`${WAIT} return { text: 'done', json: {} }`)
    expect([finished.code, finished.stdout]).toEqual([0, 'done\n'])
  })

  it('ends at once at the second Ctrl-C', async () => {
    const killed = await run(
      `process.stderr.write('READY'); signal.addEventListener('abort', () => process.stderr.write('READY')); await new Promise(() => setInterval(() => {}, 1000))`
    )
    expect([killed.code, killed.stdout]).toEqual([130, ''])
  })

  it('leaves with 1 at an error that nobody foresaw, with its stack only on demand', async () => {
    const plain = await run(`throw new TypeError('x is not a function')`, '--json')
    expect(plain.code).toBe(1)
    expect(JSON.parse(plain.stdout).error).toMatchObject({
      code: 'unexpected',
      message: 'x is not a function'
    })
    expect(plain.stderr).not.toContain('    at ')
    expect((await run(`throw new TypeError('x')`, '--debug')).stderr).toContain('    at ')
  })
})
