import { XRAY_PRESETS, type XrayPreset } from '@raypose/core'
import { evaluateNetwork, type NetworkEvaluation, readModel, readPopulation } from '@raypose/pipeline'
import type { Command } from 'commander'
import { oneOf, wholeNumber } from '../arguments.js'
import { type CommandContext, type CommonOptions, runCommand, withCommonOptions } from '../run-command.js'
import type { CommandResult } from '../terminal/output.js'
import { textTable } from '../terminal/table.js'

interface EvaluateNetworkOptions extends CommonOptions {
  readonly population: string
  readonly model?: string
  readonly views: number
  readonly preset: XrayPreset
  readonly seed: number
  readonly threads: number
  readonly refine?: boolean
}

export function addEvaluateNetworkCommand(program: Command): void {
  const command = program
    .command('evaluate-network')
    .description('Measure how well a general network finds the landmarks of annotated CTs.')
    .requiredOption(
      '--population <folder>',
      'annotated CTs, as for raypose pretrain; none that the network was trained on'
    )
    .option('--model <file>', 'network to measure (default: the one that comes with Raypose)')
    .option(
      '--views <n>',
      "views of each patient; 81 and 27 are the paper's grid and a third of it",
      wholeNumber('--views', 1, '81'),
      81
    )
    .option(
      '--preset <name>',
      `conditions of the X-rays: ${Object.keys(XRAY_PRESETS).join(', ')}`,
      oneOf('--preset', Object.keys(XRAY_PRESETS) as XrayPreset[]),
      'paper'
    )
    .option('--seed <n>', 'seed of the noise', wholeNumber('--seed', 0, '1'), 1)
    .option('--threads <n>', 'threads of the network', wholeNumber('--threads', 1, '2'), 2)
    .option(
      '--refine',
      'measure also what mirror images and a shape fitted to each view make of the detections'
    )
  withCommonOptions(command)
    .addHelpText(
      'after',
      '\nExample:\n  $ raypose evaluate-network --population held-out/ --preset c-arm --json'
    )
    .action((options: EvaluateNetworkOptions) => runCommand(options, context => measure(options, context)))
}

async function measure(
  o: EvaluateNetworkOptions,
  { signal, progress }: CommandContext
): Promise<CommandResult> {
  const members = await readPopulation(o.population)
  const result = await evaluateNetwork(await readModel(o.model), members, {
    ...o,
    signal,
    onProgress: progress
  })
  return { text: text(result), json: result }
}

function text(r: NetworkEvaluation): string {
  const row = (name: string, a: NetworkEvaluation['patients'][number]['accuracy']) => [
    name,
    a.meanMm.toFixed(2),
    a.medianMm.toFixed(2),
    (100 * a.recall).toFixed(1),
    (100 * a.falsePositives).toFixed(1)
  ]
  return [
    textTable(
      [
        { title: 'Patient' },
        ...['mean, mm', 'median, mm', 'found, %', 'false, %'].map(title => ({
          title,
          align: 'right' as const
        }))
      ],
      [...r.patients.map(p => row(p.name, p.accuracy)), row('all', r.overall)]
    ),
    '',
    ...refinedTable(r),
    `Best 12 by confidence: ${r.overall.bestTwelveMeanMm.toFixed(2)} mm; rank correlation of confidence and error ${r.overall.confidenceRankCorrelation.toFixed(2)}.`,
    `Errors at the isocentre; preset ${r.conditions.preset}, ${r.conditions.viewsEach} views each.`
  ].join('\n')
}

function refinedTable({ overall, refined }: NetworkEvaluation): string[] {
  if (!refined) return []
  const rows = Object.entries({
    'as it is': overall,
    'with its mirror image': refined.mirror,
    'with a shape and pose fitted': refined.shape,
    both: refined.both
  }).flatMap(([name, a]) =>
    a ? [[name, ...[a.meanMm, a.medianMm, a.bestTwelveMeanMm].map(x => x.toFixed(2))]] : []
  )
  return [
    textTable(
      [
        { title: 'Detections' },
        ...['mean, mm', 'median, mm', 'best 12, mm'].map(title => ({ title, align: 'right' as const }))
      ],
      rows
    ),
    ''
  ]
}
