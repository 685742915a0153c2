import { ArgumentError, type XrayPreset } from '@raypose/core'
import { openPatient, type SimilarityName } from '@raypose/pipeline'
import type { Command } from 'commander'
import { oneOf, wholeNumber } from '../arguments.js'
import { evaluationText } from '../report/evaluation-text.js'
import { type CommandContext, type CommonOptions, runCommand, withCommonOptions } from '../run-command.js'
import type { CommandResult } from '../terminal/output.js'
import { evaluateToFolder } from '../work/evaluate.js'
import { readTargets } from '../work/targets.js'
import {
  evaluateByProtocol,
  PRESET_NAMES,
  type ProtocolCommandOptions,
  refuseMixed,
  withProtocolOptions
} from './evaluate-protocol.js'

interface EvaluateCommandOptions extends CommonOptions, ProtocolCommandOptions {
  readonly patient?: string
  readonly views?: number
  readonly out?: string
  readonly preset?: XrayPreset
  readonly landmarks?: string
  readonly similarity?: SimilarityName
  readonly seed?: number
  readonly threads?: number
}

export function addEvaluateCommand(program: Command): void {
  const command = program
    .command('evaluate')
    .description('Register simulated X-rays of known pose, and measure how far off the poses are.')
    .option('--patient <folder>', 'prepared patient, from raypose prepare')
    .option(
      '--views <n>',
      'how many: 81 is the grid of the paper, 27 a third of it, others are drawn from its range; with --protocol, so many of its views',
      wholeNumber('--views', 1, '27')
    )
    .option('--out <folder>', 'folder for evaluation.json and report.html')
    .option(
      '--preset <name>',
      `what the X-rays suffer from: ${PRESET_NAMES.join(', ')} (default: paper)`,
      oneOf('--preset', PRESET_NAMES)
    )
    .option(
      '--landmarks <file>',
      'JSON of reference landmarks to measure at (default: points on the bone surface)'
    )
    .option(
      '--similarity <name>',
      'ncc, lncc (local) or gncc (gradients)',
      oneOf('--similarity', ['ncc', 'lncc', 'gncc'] as const)
    )
    .option('--seed <n>', 'seed of views and noise (default: 1)', wholeNumber('--seed', 0, '1'))
    .option('--threads <n>', 'threads of the network (default: 2)', wholeNumber('--threads', 1, '2'))
  withCommonOptions(withProtocolOptions(command))
    .addHelpText(
      'after',
      `
Examples:
  $ raypose evaluate --patient patient/ --views 27 --out report/
  $ raypose evaluate --patient patient/ --views 10 --preset c-arm --seed 7 --json --out report/ > evaluation.json
  $ raypose evaluate --protocol paper --patients held-out/ --prepared prepared/ --out report/
  $ raypose evaluate --protocol paper --patients held-out/ --compare old/evaluation.json --out report/
  $ raypose evaluate --protocol paper --patients held-out/ --export views/`
    )
    .action((options: EvaluateCommandOptions) =>
      runCommand(options, async context => {
        refuseMixed(command, options)
        return options.protocol === undefined
          ? evaluate(options, context)
          : evaluateByProtocol(options, context)
      })
    )
}

async function evaluate(
  o: EvaluateCommandOptions,
  { signal, progress }: CommandContext
): Promise<CommandResult> {
  const { patient, views, out } = o
  if (patient === undefined || views === undefined || out === undefined)
    throw new ArgumentError(
      `${patient === undefined ? '--patient' : views === undefined ? '--views' : '--out'} is missing`,
      'For example: raypose evaluate --patient patient/ --views 27 --out report/'
    )
  const targets = o.landmarks === undefined ? undefined : await readTargets(o.landmarks)
  progress({ stage: 'Opening the patient', fraction: 0 })
  const { evaluation, report } = await evaluateToFolder(await openPatient(patient), out, {
    views,
    preset: o.preset,
    targets,
    similarity: o.similarity,
    seed: o.seed,
    threads: o.threads,
    signal,
    onProgress: progress
  })
  return {
    text: `${evaluationText(evaluation)}\n\nSee ${report}.`,
    json: { ...evaluation, out, report }
  }
}
