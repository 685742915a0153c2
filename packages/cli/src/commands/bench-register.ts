import {
  benchRegister,
  REGISTER_TARGETS,
  type RegisterBench,
  type RegisterFigure,
  VERSION
} from '@raypose/pipeline'
import type { Command } from 'commander'
import { wholeNumber } from '../arguments.js'
import { significant } from '../report/format.js'
import { type CommandContext, type CommonOptions, runCommand, withCommonOptions } from '../run-command.js'
import { machineWords, thisMachine } from '../terminal/machine.js'
import type { CommandResult } from '../terminal/output.js'
import { figuresTable } from '../terminal/verdict.js'

interface BenchRegisterOptions extends CommonOptions {
  readonly seed: number
  readonly views: number
}

/** `raypose bench register`. */
export function addBenchRegisterCommand(bench: Command): void {
  const command = bench
    .command('register')
    .description('Measure fine registration on a procedural patient.')
    .option('--seed <n>', 'seed of patient, poses and noise', wholeNumber('--seed', 0, '1'), 1)
    .option('--views <n>', 'poses, each under two presets', wholeNumber('--views', 2, '10'), 10)
  withCommonOptions(command)
    .addHelpText(
      'after',
      `
X-rays come from the simulator and the float64 reference renderer, starts from landmarks as a network sees them; the time is
from landmarks to the final pose. Takes a few minutes, most of them for the X-rays.

Example:
  $ raypose bench register --json`
    )
    .action((options: BenchRegisterOptions) => runCommand(options, context => run(options, context)))
}

async function run(o: BenchRegisterOptions, { signal, progress }: CommandContext): Promise<CommandResult> {
  const result = await benchRegister({ seed: o.seed, views: o.views, signal, onProgress: progress })
  const machine = thisMachine()
  const { figures, ...details } = result
  return {
    text: `${machineWords(machine)}\n\n${text(result)}`,
    json: { version: VERSION, machine, ...figures, ...details }
  }
}

const WORDS: Readonly<Record<RegisterFigure, string>> = {
  secondsMedian: 'Landmarks to final pose, median, s',
  secondsP95: '95th percentile, s',
  renders: 'DRRs with derivatives, median',
  treMedianMm: 'TRE, preset c-arm, median, mm',
  mpdMeanMm: 'mPD, preset paper, mean, mm',
  success: 'success (mPD < 9.6 mm), share',
  twoViewsTreMedianMm: 'TRE of two views, preset c-arm, median, mm',
  bobyqaVsNloptEvaluations: 'evaluations of BOBYQA, NLopt being 1'
}

const text = ({ figures, reasons }: RegisterBench): string =>
  figuresTable(WORDS, figures, REGISTER_TARGETS, reasons, significant)
