import { join } from 'node:path'
import { ArgumentError } from '@raypose/core'
import {
  ensureWritableFolder,
  type PopulationPart,
  type PretrainResult,
  pretrain,
  type RecipeName,
  readModel,
  VERSION
} from '@raypose/pipeline'
import type { Command } from 'commander'
import { oneOf, positiveNumber, share, wholeNumber } from '../arguments.js'
import { duration, fixed, millimetres, percentage } from '../report/format.js'
import { type CommandContext, type CommonOptions, runCommand, withCommonOptions } from '../run-command.js'
import type { CommandResult } from '../terminal/output.js'
import { textList } from '../terminal/table.js'
import { lossTrace, trainingDetail } from '../terminal/training-line.js'
import { writeTrainingPage } from '../work/training-page.js'

interface PretrainCommandOptions extends CommonOptions {
  readonly population: readonly PopulationPart[]
  readonly out: string
  readonly recipe: RecipeName
  readonly steps?: number
  readonly seed: number
  readonly threads: number
  readonly provider: string
  readonly architecture?: 'compact' | 'cpm'
  readonly width?: number
  readonly batch?: number
  readonly optimiser?: 'muon' | 'adam'
  readonly learningRate?: number
  readonly sigma?: number
  readonly validateEvery?: number
  readonly patience?: number
  readonly minutes?: number
  readonly init?: string
  readonly augment?: number
  readonly adverse?: number
  readonly residuals?: readonly [number, number]
}

export function addPretrainCommand(program: Command): void {
  const command = program
    .command('pretrain')
    .description('Phase 1: train the general landmark network on X-rays of many patients.')
    .requiredOption(
      '--population <patients>',
      'phantom:N for N procedural patients, or a folder of annotated CTs; give it several times to mix, with @WEIGHT for each one’s share',
      (text: string, before: readonly PopulationPart[] | undefined) => [
        ...(before ?? []),
        populationPart(text)
      ]
    )
    .requiredOption('--out <folder>', 'folder of the run: network, log, checkpoints and a page to watch it')
    .option(
      '--recipe <name>',
      'raypose, or paper: its own grid of views, network and optimiser, nothing randomised',
      oneOf('--recipe', ['raypose', 'paper'] as const),
      'raypose'
    )
    .option(
      '--steps <n>',
      'training steps (default: 20000; paper: four times every view of every patient)',
      wholeNumber('--steps', 1, '20000')
    )
    .option(
      '--minutes <n>',
      'end after this time, whatever steps are left; earlier parts of the run count',
      positiveNumber('--minutes', '60')
    )
    .option('--seed <n>', 'seed of all random numbers', wholeNumber('--seed', 0, '1'), 1)
    .option('--threads <n>', 'threads of the training step', wholeNumber('--threads', 1, '2'), 2)
    .option(
      '--provider <name>',
      'what computes the training step: cpu or webgpu',
      oneOf('--provider', ['cpu', 'webgpu'] as const),
      'cpu'
    )
    .option(
      '--architecture <name>',
      'compact (encoder-decoder) or cpm (the convolutional pose machine of the paper) (default: compact)',
      oneOf('--architecture', ['compact', 'cpm'] as const)
    )
    .option(
      '--width <factor>',
      'channels of the cpm against the original (default: 0.25; paper: 1)',
      positiveNumber('--width', '0.25')
    )
    .option('--batch <n>', 'images of a step (default: 8; paper: 1)', wholeNumber('--batch', 1, '8'))
    .option(
      '--optimiser <name>',
      'muon (steps of equal size in every direction for the inner convolutions, AdamW for the rest) or adam (AdamW) (default: muon; adam with --init, and for the paper)',
      oneOf('--optimiser', ['muon', 'adam'] as const)
    )
    .option(
      '--learning-rate <x>',
      'peak learning rate (default: 0.002; paper: 0.00001)',
      positiveNumber('--learning-rate', '0.002')
    )
    .option(
      '--sigma <mm>',
      'standard deviation of the targets on the detector (default: 7; paper: 10.6)',
      positiveNumber('--sigma', '7')
    )
    .option(
      '--augment <k>',
      'how strongly images are varied, 0 to 1 (default: 1; paper: 0)',
      share('--augment', '0.5')
    )
    .option(
      '--adverse <share>',
      'share of the images with few photons, metal and a collimated field (default: 0.25; paper: 0)',
      share('--adverse', '0.25')
    )
    .option(
      '--validate-every <n>',
      'steps between validations (default: 500)',
      wholeNumber('--validate-every', 1, '500')
    )
    .option(
      '--patience <n>',
      'end after this many validations without a better one, and keep the best weights',
      wholeNumber('--patience', 1, '10')
    )
    .option(
      '--residuals <deep,middle>',
      'residual blocks of the compact network at 1/16 and 1/8 of the image (default: 0,0)',
      residualBlocks
    )
    .option(
      '--init <network.rpw>',
      'start from this network instead of at random: of the same architecture, no deeper'
    )
  withCommonOptions(command)
    .addHelpText(
      'after',
      `
A folder of annotated CTs holds NAME.nrrd (or .nii.gz, .mha, or a DICOM folder NAME) beside NAME.landmarks.json:
{"landmarks": [{"name": "…", "point": [x, y, z] or null}, …]}, LPS mm. The last patients by name (a tenth of them, one to
three) are kept for validation.

A run that was stopped goes on from its last checkpoint when the same command is given again. index.html in its folder shows
how it goes.

Examples:
  $ raypose pretrain --population phantom:400 --out model/ --minutes 60
  $ raypose pretrain --population phantom:4000@1 --population warped/@2 --sigma 5 --out model/
  $ raypose pretrain --recipe paper --population phantom:13 --width 0.125 --out paper/`
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

/** A part of a population: `PATIENTS` or `PATIENTS@WEIGHT`. @throws ArgumentError as {@link population}, or for a weight of 0 */
export function populationPart(text: string): PopulationPart {
  const weighted = /^(.+)@(\d*\.?\d+)$/.exec(text)
  if (!weighted) return { patients: population(text) }
  const weight = Number(weighted[2])
  if (!(weight > 0))
    throw new ArgumentError(
      `--population wants a positive weight after the @, not "${text}"`,
      'For example: --population phantom:4000@1 --population warped/@2'
    )
  return { patients: population(weighted[1]), weight }
}

/** `2,1` as numbers of blocks. @throws ArgumentError for anything else */
function residualBlocks(text: string): [number, number] {
  const match = /^(\d),(\d)$/.exec(text)
  if (!match)
    throw new ArgumentError(
      `--residuals wants two numbers of blocks, not "${text}"`,
      'For example: --residuals 2,1'
    )
  return [Number(match[1]), Number(match[2])]
}

async function train(
  o: PretrainCommandOptions,
  { signal, progress }: CommandContext
): Promise<CommandResult> {
  await ensureWritableFolder(o.out)
  let validation: number | null = null
  const trace = lossTrace()
  const result = await pretrain({
    out: o.out,
    population: o.population,
    recipe: o.recipe,
    seed: o.seed,
    steps: o.steps,
    batchSize: o.batch,
    threads: o.threads,
    provider: o.provider,
    architecture: o.architecture,
    width: o.width,
    residuals: o.residuals,
    optimiser: o.optimiser,
    learningRate: o.learningRate,
    sigmaMm: o.sigma,
    augment: o.augment,
    adverse: o.adverse,
    validateEvery: o.validateEvery,
    patience: o.patience,
    initial: o.init === undefined ? undefined : await readModel(o.init),
    maxSeconds: o.minutes === undefined ? undefined : o.minutes * 60,
    signal,
    onStep: s => {
      trace.add(s.progress, s.loss)
      progress({
        stage: 'Training',
        fraction: s.progress,
        detail: trainingDetail(s, validation, trace.text())
      })
    },
    onValidation: async (step, accuracy, details) => {
      validation = accuracy.meanMm
      await writeTrainingPage(o.out, step, details)
    }
  })
  const report = join(o.out, 'index.html')
  return { text: summary(result, report), json: { version: VERSION, ...result, report } }
}

function summary(r: PretrainResult, report: string): string {
  const { accuracy: a } = r
  return [
    `Wrote ${r.weights} and ${report}.`,
    textList([
      [
        'Steps',
        `${r.step} (${r.images} images) in ${duration(r.seconds)}${r.stoppedEarly ? '; it got no better' : ''}`
      ],
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
