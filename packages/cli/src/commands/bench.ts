import { ArgumentError } from '@raypose/core'
import { benchDrr, DRR_TARGETS, type DrrBench, type DrrFigure, VERSION } from '@raypose/pipeline'
import type { Command } from 'commander'
import { wholeNumber } from '../arguments.js'
import { fixed, significant } from '../report/format.js'
import { type CommandContext, type CommonOptions, runCommand, withCommonOptions } from '../run-command.js'
import { machineWords, thisMachine } from '../terminal/machine.js'
import type { CommandResult } from '../terminal/output.js'
import { textList, textTable } from '../terminal/table.js'
import { figuresTable } from '../terminal/verdict.js'
import { addBenchRegisterCommand } from './bench-register.js'
import { addBenchTrainCommand } from './bench-train.js'

interface BenchDrrOptions extends CommonOptions {
  readonly seed: number
  readonly poses: number
  readonly runs: number
  readonly plastimatch: boolean
  readonly webgpu: boolean
}

export function addBenchCommand(program: Command): void {
  const bench = program
    .command('bench')
    .description('Measure how fast and how exact Raypose is on this machine.')
    .helpCommand(false)
    .action(() => {
      throw new ArgumentError('raypose bench was not told what to measure', 'For example: raypose bench drr')
    })
  const command = bench
    .command('drr')
    .description('Measure the DRR engine on a procedural patient of 400 × 300 × 350 voxels.')
    .option('--seed <n>', 'seed of the patient and of the random poses', wholeNumber('--seed', 0, '1'), 1)
    .option('--poses <n>', 'random poses beside the five fixed ones', wholeNumber('--poses', 0, '40'), 40)
    .option(
      '--runs <n>',
      'times each image is rendered, of which the median counts',
      wholeNumber('--runs', 1, '7'),
      7
    )
    .option('--no-plastimatch', 'do not compare with plastimatch, where it is installed')
    .option('--no-webgpu', 'do not measure WebGPU, where there is a GPU')
  withCommonOptions(command)
    .addHelpText(
      'after',
      `
Takes about two minutes. Nothing else should run meanwhile: the figures are of the wall clock.

Example:
  $ raypose bench drr --json`
    )
    .action((options: BenchDrrOptions) => runCommand(options, context => run(options, context)))
  addBenchTrainCommand(bench)
  addBenchRegisterCommand(bench)
}

async function run(o: BenchDrrOptions, { signal, progress }: CommandContext): Promise<CommandResult> {
  const result = await benchDrr({
    phantom: { seed: o.seed },
    randomPoses: o.poses,
    runs: o.runs,
    plastimatch: o.plastimatch,
    webgpu: o.webgpu,
    signal,
    onProgress: progress
  })
  const machine = thisMachine()
  const { figures, ...details } = result
  return {
    text: `${machineWords(machine)}\n\n${text(result)}`,
    json: { version: VERSION, machine, ...figures, ...details }
  }
}

const WORDS: Readonly<Record<Exclude<DrrFigure, 'webgpu'>, string>> = {
  oneCoreMs: 'One core, best kernel within 0.1 %, ms',
  plastimatchMs: 'plastimatch exact, one thread, ms',
  ratio: 'times as fast as plastimatch',
  rmsPercent: 'its error to the reference, % RMS',
  averagedRatio: 'best kernel within 0.2 %, times as fast',
  averagedRmsPercent: 'its error, % RMS',
  seconds3456: '3,456 images on two cores, s',
  derivativeFactor: 'six derivatives too, times as long',
  scaling2: 'two cores against one',
  ms1536: '1536 × 1536 pixels, ms',
  memoryFactor: 'peak memory of a batch, int16 volumes',
  plastimatchRmsPercent: 'plastimatch and Raypose apart, % RMS',
  plastimatchBoxRmsPercent: 'the same, voxels as boxes in both, % RMS'
}

function text({ figures, reasons, kernels }: DrrBench): string {
  const { webgpu } = figures
  return [
    figuresTable(WORDS, figures, DRR_TARGETS, reasons, significant),
    '',
    textTable(
      [
        { title: 'Kernel' },
        { title: 'ms', align: 'right' },
        { title: '% RMS', align: 'right' },
        { title: 'worst pose', align: 'right' },
        { title: 'memory', align: 'right' }
      ],
      kernels.map(k => [
        k.quality,
        fixed(k.ms, 1),
        fixed(k.rmsPercent, 3),
        fixed(k.worstRmsPercent, 3),
        `${fixed(k.preparedFactor, 2)} ×`
      ])
    ),
    '',
    textList([
      [
        'WebGPU',
        webgpu
          ? `${webgpu.adapter}: ${significant(webgpu.msPerImage)} ms an image, ${significant(webgpu.rmsPercent)} % RMS`
          : `none: ${reasons.webgpu ?? ''}`
      ]
    ])
  ].join('\n')
}
