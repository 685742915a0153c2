import { ArgumentError } from '@raypose/core'
import { type PretrainResult, pretrain, readModel, VERSION } from '@raypose/pipeline'
import type { Command } from 'commander'
import { oneOf, positiveNumber, wholeNumber } from '../arguments.js'
import { duration, fixed, millimetres, percentage } from '../report/format.js'
import { type CommandContext, type CommonOptions, runCommand, withCommonOptions } from '../run-command.js'
import type { CommandResult } from '../terminal/output.js'
import { textList } from '../terminal/table.js'

interface PretrainCommandOptions extends CommonOptions {
  readonly population: number | string
  readonly out: string
  readonly steps: number
  readonly seed: number
  readonly threads: number
  readonly architecture: 'compact' | 'cpm'
  readonly minutes?: number
  readonly init?: string
}

export function addPretrainCommand(program: Command): void {
  const command = program
    .command('pretrain')
    .description('Phase 1: train the general landmark network on X-rays of many patients.')
    .requiredOption(
      '--population <patients>',
      'phantom:N for N procedural patients, or a folder of annotated CTs',
      population
    )
    .requiredOption('--out <folder>', 'folder for the network, its log and checkpoints')
    .option('--steps <n>', 'training steps of 8 images', wholeNumber('--steps', 1, '20000'), 20000)
    .option(
      '--minutes <n>',
      'end after this time, whatever steps are left',
      positiveNumber('--minutes', '60')
    )
    .option('--seed <n>', 'seed of all random numbers', wholeNumber('--seed', 0, '1'), 1)
    .option('--threads <n>', 'threads of the training step', wholeNumber('--threads', 1, '2'), 2)
    .option(
      '--architecture <name>',
      'compact (encoder-decoder) or cpm (the convolutional pose machine of the paper)',
      oneOf('--architecture', ['compact', 'cpm'] as const),
      'compact'
    )
    .option('--init <network.rpw>', 'start from this network, of the same architecture, instead of at random')
  withCommonOptions(command)
    .addHelpText(
      'after',
      `
A folder of annotated CTs holds NAME.nrrd (or .nii.gz, .mha, or a DICOM folder NAME) beside NAME.landmarks.json:
{"landmarks": [{"name": "…", "point": [x, y, z] or null}, …]}, LPS mm. The last patient by name is kept for validation.

A run that was stopped goes on from its last checkpoint when the same command is given again.

Examples:
  $ raypose pretrain --population phantom:400 --out model/ --minutes 60
  $ raypose pretrain --population phantom:64 --steps 2000 --architecture cpm --out cpm/`
    )
    .action((options: PretrainCommandOptions) => runCommand(options, context => train(options, context)))
}

/** `phantom:N` as a number, anything else as a folder. @throws ArgumentError for `phantom:` without a number */
export function population(text: string): number | string {
  const phantoms = /^phantom:(.*)$/.exec(text)
  if (!phantoms) return text
  const count = Number(phantoms[1])
  if (!(phantoms[1] !== '' && Number.isSafeInteger(count) && count > 0))
    throw new ArgumentError(
      `--population wants phantom:N, N procedural patients, or a folder, not "${text}"`,
      'For example: --population phantom:400'
    )
  return count
}

async function train(
  o: PretrainCommandOptions,
  { signal, progress }: CommandContext
): Promise<CommandResult> {
  const result = await pretrain({
    out: o.out,
    population: o.population,
    seed: o.seed,
    steps: o.steps,
    threads: o.threads,
    architecture: o.architecture,
    initial: o.init === undefined ? undefined : await readModel(o.init),
    maxSeconds: o.minutes === undefined ? undefined : o.minutes * 60,
    signal,
    onStep: s =>
      progress({
        stage: 'Training the network',
        fraction: s.progress,
        detail: `step ${s.step}, loss ${s.loss.toFixed(3)}`
      })
  })
  return { text: summary(result), json: { version: VERSION, ...result } }
}

function summary(r: PretrainResult): string {
  const { accuracy: a } = r
  return [
    `Wrote ${r.weights}.`,
    textList([
      ['Steps', `${r.step} (${r.images} images) in ${duration(r.seconds)}`],
      ['Loss', fixed(r.loss, 3)],
      ...(a
        ? ([
            ['Error at the isocentre', `median ${millimetres(a.medianMm)}, mean ${millimetres(a.meanMm)}`],
            [
              'Found with confidence',
              `${percentage(a.recall, 1)} (mean error ${millimetres(a.confidentMeanMm)})`
            ]
          ] as const)
        : [])
    ])
  ].join('\n')
}
