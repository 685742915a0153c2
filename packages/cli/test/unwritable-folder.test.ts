import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPhantom, StorageError } from '@raypose/core'
import { writeNrrd } from '@raypose/formats'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addDrrCommand } from '../src/commands/drr.js'
import { addLandmarksCommand } from '../src/commands/landmarks.js'
import { addPopulationCommand } from '../src/commands/population.js'
import { addPretrainCommand } from '../src/commands/pretrain.js'
import { addSimulateCommand } from '../src/commands/simulate.js'
import { evaluateToFolder } from '../src/work/evaluate.js'
import { prepareToFolder } from '../src/work/prepare.js'
import { exportToFolder, protocolToFolder } from '../src/work/protocol.js'

/** Nothing can be written below a file, whoever asks. */
let folder: string
const at = (...parts: string[]) => join(folder, ...parts)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'raypose-unwritable-'))
  await writeFile(at('file'), 'in the way')
  await writeFile(at('ct.nrrd'), writeNrrd(createPhantom({ seed: 4, spacing: 6, size: [55, 41, 48] }).ct))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('results that could not be written are told before the work', () => {
  it('of prepare and evaluate, which are given nothing to work with', async () => {
    const out = at('file', 'out')
    await expect(prepareToFolder({} as never, {} as never, { out } as never)).rejects.toBeInstanceOf(
      StorageError
    )
    await expect(evaluateToFolder({} as never, out, {} as never)).rejects.toBeInstanceOf(StorageError)
  })

  it('of a protocol, and of its export', async () => {
    const run = { protocol: 'paper', patients: folder, out: at('file', 'out') }
    for (const work of [protocolToFolder, exportToFolder]) {
      const error = await work(run).then(
        () => null,
        e => e
      )
      expect(error).toBeInstanceOf(StorageError)
      expect(error.stack).toMatch(/ensureWritableFolder/)
    }
  })

  it.each([
    ['pretrain', addPretrainCommand, () => ['--population', 'phantom:1', '--out', at('file', 'o')]],
    [
      'population',
      addPopulationCommand,
      () => ['--ct', at('ct.nrrd'), '--count', '1', '--out', at('file', 'o')]
    ],
    ['drr', addDrrCommand, () => ['--ct', at('ct.nrrd'), '--out', at('file', 'o.png')]],
    ['simulate', addSimulateCommand, () => ['--ct', at('ct.nrrd'), '--out', at('file', 'o.png')]],
    [
      'landmarks',
      addLandmarksCommand,
      () => [
        ...['--ct', at('ct.nrrd'), '--anatomy', 'vertebra', '--from=-9,-9,-9', '--to=9,9,9'],
        ...['--seed=0,0,0', '--out', at('file', 'o.landmarks.json')]
      ]
    ]
  ])('of %s', async (name, add, options) => {
    const program = new Command().exitOverride()
    add(program)
    const run = program.parseAsync(['node', 'raypose', name, ...options(), '--quiet'])
    const error = await run.then(
      () => null,
      e => e
    )
    expect(error).toBeInstanceOf(StorageError)
    // The first look at the folder, not the end of the work.
    expect(error.stack).toMatch(/ensureWritableFolder/)
  })
})
