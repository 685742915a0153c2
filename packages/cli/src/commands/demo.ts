import { join } from 'node:path'
import { createPhantom } from '@raypose/core'
import { readModel, VERSION } from '@raypose/pipeline'
import type { Command } from 'commander'
import { wholeNumber } from '../arguments.js'
import { evaluationText } from '../report/evaluation-text.js'
import { type CommandContext, type CommonOptions, runCommand, withCommonOptions } from '../run-command.js'
import type { CommandResult } from '../terminal/output.js'
import { evaluateToFolder } from '../work/evaluate.js'
import { prepareToFolder } from '../work/prepare.js'

interface DemoOptions extends CommonOptions {
  readonly out: string
  readonly seed: number
  readonly views: number
}

export function addDemoCommand(program: Command): void {
  const command = program
    .command('demo')
    .description(
      'The whole chain on a procedural patient: prepare it, register X-rays at hidden poses, report.'
    )
    .option('--out <folder>', 'folder for the patient and the report', 'raypose-demo')
    .option('--seed <n>', 'seed of the patient and of the views', wholeNumber('--seed', 0, '1'), 20190713)
    .option('--views <n>', 'number of X-rays', wholeNumber('--views', 1, '10'), 10)
  withCommonOptions(command)
    .addHelpText('after', '\nExample:\n  $ raypose demo --out demo/ --json')
    .action((options: DemoOptions) => runCommand(options, context => demo(options, context)))
}

async function demo(o: DemoOptions, { signal, progress }: CommandContext): Promise<CommandResult> {
  const started = performance.now()
  const network = await readModel()
  progress({ stage: 'Building a patient', fraction: 0 })
  const phantom = createPhantom({ seed: o.seed })
  progress({ stage: 'Building a patient', fraction: 1 })
  const { patient, report: preview } = await prepareToFolder(phantom.ct, network, {
    out: join(o.out, 'patient'),
    profile: 'quick',
    seed: o.seed,
    source: { phantom: o.seed },
    signal,
    onProgress: progress
  })
  const { evaluation, report } = await evaluateToFolder(patient, o.out, {
    views: o.views,
    seed: o.seed,
    // The phantom's own landmarks, which nothing above has seen.
    targets: phantom.landmarks,
    title: `Demo: ${o.views} X-rays of a procedural patient`,
    signal,
    onProgress: progress
  })
  const seconds = (performance.now() - started) / 1000
  return {
    text: [
      `Built patient ${o.seed}, prepared it from its CT alone, and registered ${o.views} X-rays simulated at hidden poses.`,
      '',
      evaluationText(evaluation),
      '',
      `Report: ${report}`,
      `Patient: ${preview}`
    ].join('\n'),
    json: {
      version: VERSION,
      views: evaluation.views.length,
      successes: evaluation.successes,
      initTreMm: evaluation.initial?.measures.tre.mean ?? null,
      finalMpdMm: evaluation.final?.measures.projectionDistance.mean ?? null,
      seconds,
      report
    }
  }
}
