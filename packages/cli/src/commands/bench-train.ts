import { benchTrain, TRAIN_TARGETS, type TrainBench, type TrainFigure, VERSION } from '@raypose/pipeline'
import type { Command } from 'commander'
import { wholeNumber } from '../arguments.js'
import { fixed, percentage, significant } from '../report/format.js'
import { type CommandContext, type CommonOptions, runCommand, withCommonOptions } from '../run-command.js'
import { machineWords, thisMachine } from '../terminal/machine.js'
import type { CommandResult } from '../terminal/output.js'
import { textList, textTable } from '../terminal/table.js'
import { figuresTable } from '../terminal/verdict.js'

interface BenchTrainOptions extends CommonOptions {
  readonly batch: number
  readonly rounds: number
  readonly steps: number
}

/** `raypose bench train`. */
export function addBenchTrainCommand(bench: Command): void {
  const command = bench
    .command('train')
    .description('Measure training and inference of the landmark network.')
    .option('--batch <n>', 'images in a training step', wholeNumber('--batch', 1, '8'), 8)
    .option('--rounds <n>', 'rounds, of which the median counts', wholeNumber('--rounds', 1, '12'), 12)
    .option('--steps <n>', 'steps of the training with rendering', wholeNumber('--steps', 2, '48'), 48)
  withCommonOptions(command)
    .addHelpText(
      'after',
      `
The step's work is the multiply-adds of its products and convolutions, forward and backward; its rate is compared with
that of a 1024³ matrix product on as many threads, in turns. Takes about two minutes; nothing else should run meanwhile.

Example:
  $ raypose bench train --json`
    )
    .action((options: BenchTrainOptions) => runCommand(options, context => run(options, context)))
}

async function run(o: BenchTrainOptions, { signal, progress }: CommandContext): Promise<CommandResult> {
  const result = await benchTrain({
    batchSize: o.batch,
    rounds: o.rounds,
    steps: o.steps,
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

const WORDS: Readonly<Record<TrainFigure, string>> = {
  imagesPerSecond1: 'Training, one thread, images/s',
  imagesPerSecond2: 'two threads, images/s',
  gemmRatio1: 'Rate against a matrix product, one thread',
  gemmRatio2: 'two threads',
  inferenceMs1: 'Inference, one thread, ms',
  inferenceMs2: 'two threads, ms',
  renderShare: 'Training waits for images, share of time'
}

function text({ figures, reasons, work, speeds, loop, batchSize }: TrainBench): string {
  return [
    figuresTable(WORDS, figures, TRAIN_TARGETS, reasons, (value, figure) =>
      figure === 'renderShare' ? fixed(value, 3) : significant(value)
    ),
    '',
    textTable(
      [
        { title: 'Threads', align: 'right' },
        { title: 'training GFLOP/s', align: 'right' },
        { title: 'product GFLOP/s', align: 'right' }
      ],
      speeds.map(s => [String(s.threads), fixed(s.trainingGflops, 1), fixed(s.gemmGflops, 1)])
    ),
    '',
    textList([
      [
        'Network',
        `${(work.parameters / 1e6).toFixed(2)} million parameters; ${(work.forwardFlop / 1e9).toFixed(2)} GFLOP an image, ${(work.trainingFlop / 1e9).toFixed(2)} in training; batches of ${batchSize}`
      ],
      [
        'Training with rendering',
        `${significant(loop.imagesPerSecond)} images/s; of the time, ${percentage(loop.trainShare)} trains; beside it ${percentage(loop.feedShare)} makes batches, of which ${percentage(loop.viewShare)} makes patients and views`
      ]
    ])
  ].join('\n')
}
