import { availableParallelism } from 'node:os'
import { CancelledError } from '@raypose/core'
import { compactSpec, type NetworkSpec, type NetworkWork, networkWork } from '@raypose/network'
import type { OnProgress } from '../types.js'
import type { TrainFigure, TrainFigures } from './train-figures.js'
import { measureInference, measureStep, type StepSpeed } from './train-speed.js'
import { type LoopShares, measureLoop } from './training-loop.js'

export interface TrainBenchOptions {
  /** Default: the network that `pretrain` trains. */
  readonly spec?: NetworkSpec
  /** Images in a step; default 8, as in pre-training. */
  readonly batchSize?: number
  /** Rounds of one step and as much matrix product; default 12. */
  readonly rounds?: number
  /** Steps of the real training; default 48. */
  readonly steps?: number
  /** Voxel size of the phantoms it renders, mm; default 1.5, as in pre-training. */
  readonly spacing?: number
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

export interface TrainBench {
  readonly figures: TrainFigures
  /** Why a figure is null. */
  readonly reasons: Partial<Record<TrainFigure, string>>
  readonly spec: NetworkSpec
  readonly batchSize: number
  /** Of one image. */
  readonly work: NetworkWork
  readonly speeds: readonly StepSpeed[]
  readonly loop: LoopShares
}

/**
 * Measures training and inference of the landmark network on this machine: the step against a plain matrix product,
 * inference, and a real training with its rendering beside it. Takes about two minutes; nothing else should run.
 * @throws CancelledError
 */
export async function benchTrain(options: TrainBenchOptions = {}): Promise<TrainBench> {
  const {
    spec = compactSpec(),
    batchSize = 8,
    rounds = 12,
    steps = 48,
    spacing = 1.5,
    signal,
    onProgress
  } = options
  const stage = (name: string) => (fraction: number) => {
    if (signal?.aborted) throw new CancelledError()
    onProgress?.({ stage: name, fraction })
  }
  const two = availableParallelism() > 1
  const threads = two ? [1, 2] : [1]
  const reasons: Partial<Record<TrainFigure, string>> = {}
  if (!two)
    for (const f of ['imagesPerSecond2', 'gemmRatio2', 'inferenceMs2'] as const)
      reasons[f] = 'this machine has one core'

  const speeds: StepSpeed[] = []
  for (const t of threads) {
    const name = `Training step, ${t} thread${t > 1 ? 's' : ''}`
    stage(name)(0)
    speeds.push(await measureStep(spec, { batchSize, threads: t, rounds }, stage(name)))
  }
  stage('Inference')(0)
  const inference = await measureInference(spec, threads, 3 * rounds, stage('Inference'))
  stage('Training with rendering')(0)
  const loop = await measureLoop(
    spec,
    { batchSize, threads: threads.length, steps, spacing, signal },
    stage('Training with rendering')
  )
  return {
    figures: {
      imagesPerSecond1: speeds[0].imagesPerSecond,
      imagesPerSecond2: speeds[1]?.imagesPerSecond ?? null,
      gemmRatio1: speeds[0].gemmRatio,
      gemmRatio2: speeds[1]?.gemmRatio ?? null,
      inferenceMs1: inference[0],
      inferenceMs2: inference[1] ?? null,
      renderShare: loop.waitShare
    },
    reasons,
    spec,
    batchSize,
    work: networkWork(spec),
    speeds,
    loop
  }
}
