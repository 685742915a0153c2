import type { NetworkSpec, Optimiser, StepHyper } from '@raypose/network'
import type { BatchOptions } from './batches.js'
import type { SourceConfig, TrainingNote } from './messages.js'
import type { Accuracy, ValidationOutcome, ValidationSet } from './validation.js'

export interface TrainOptions {
  readonly spec: NetworkSpec
  readonly source: SourceConfig
  readonly batch: Omit<BatchOptions, 'spec'>
  /** Steps in all, those of an earlier run included. */
  readonly steps: number
  readonly threads: number
  /** Execution provider of the runtime: 'cpu' (the default) or 'webgpu'. */
  readonly provider?: string
  /** `muon` learns soonest from random weights, `adam` keeps what given ones know. */
  readonly optimiser: Optimiser
  /** Peak learning rate; it rises over `warmUp` steps and falls along a cosine to nothing at the end. */
  readonly learningRate: number
  readonly warmUp: number
  /** `constant`: the rate stays at its peak after the warm-up. */
  readonly schedule?: 'cosine' | 'constant'
  /** Decay of the moving average of the weights a step; short trainings want a shorter memory. */
  readonly averageDecay?: number
  /** Whatever else of the optimiser departs from its defaults. */
  readonly hyper?: Omit<Partial<StepHyper>, 'lr' | 'averageDecay'>
  /** Parameters to start from (fine-tuning); random ones if none. */
  readonly parameters?: Float32Array
  readonly seed: number
  /** Training state to go on from. */
  readonly checkpoint?: Uint8Array
  readonly validation?: ValidationSet
  /** Steps between validations and between checkpoints. */
  readonly validateEvery?: number
  readonly checkpointEvery?: number
  /** A checkpoint also once this many seconds have passed since the last one. */
  readonly checkpointSeconds?: number
  /** Ends the training after this many validations in a row that were no better than the best. */
  readonly patience?: number
  readonly signal?: AbortSignal
  /**
   * Stops as if the steps were done once this many seconds have passed, those of an earlier run included; the schedule follows
   * whichever is nearer its end.
   */
  readonly maxSeconds?: number
  readonly onStep?: (s: TrainingStep) => void
  readonly onValidation?: (
    step: number,
    accuracy: Accuracy,
    outcome: ValidationOutcome
  ) => void | Promise<void>
  /** The best validation so far, with the weights it was made with. */
  readonly onBest?: (step: number, accuracy: Accuracy, parameters: Float32Array) => void | Promise<void>
  readonly onCheckpoint?: (step: number, bytes: Uint8Array) => void | Promise<void>
  /** Steps that were not finite were taken back to an earlier one, and the learning rate lowered. */
  readonly onRollBack?: (from: number, to: number, rate: number) => void | Promise<void>
}

export interface TrainingStep {
  readonly step: number
  readonly steps: number
  readonly loss: number
  readonly gradientNorm: number
  readonly lr: number
  /** Share of the work done, 0 to 1. */
  readonly progress: number
  /** Time of training so far, that of an earlier run included. */
  readonly seconds: number
  /** Of late. */
  readonly imagesPerSecond: number
  /** What this step took, and what the batch took in the other thread (of that, its views). */
  readonly trainSeconds: number
  readonly feedSeconds: number
  readonly viewSeconds: number
  /** How long this step had to wait for its batch. */
  readonly waitSeconds: number
}

export interface TrainResult {
  /** Moving average of the weights. */
  readonly parameters: Float32Array
  readonly step: number
  /** Time of training, that of earlier runs included. */
  readonly seconds: number
  /** Last moving average of the loss. */
  readonly loss: number
  /** The last validation. */
  readonly accuracy?: Accuracy
  readonly best: TrainingNote['best']
  /** Whether patience ended the training. */
  readonly stoppedEarly: boolean
}

/** Learning rate of a step (0 for the first): a linear rise over the warm-up, then the schedule (Loshchilov & Hutter 2017). */
export function learningRateAt(
  o: Pick<TrainOptions, 'learningRate' | 'warmUp' | 'schedule'>,
  step: number,
  progress: number
): number {
  const rise = o.warmUp > 0 ? Math.min(1, (step + 1) / o.warmUp) : 1
  if (o.schedule === 'constant') return o.learningRate * rise
  return o.learningRate * rise * (0.5 + 0.5 * Math.cos(Math.PI * progress)) + 1e-6
}

/** Steps that are not finite in a row before the training goes back, how often it does, and what the rate is multiplied with. */
const FAILURES = 3
const ROLL_BACKS = 2
const SLOWER = 0.3

/** What to do after each step, by whether it was finite. */
export interface DivergenceGuard {
  /** Factor on the learning rate. */
  rate(): number
  after(status: 'ok' | 'diverged'): 'on' | 'again' | 'back' | 'end'
}

/**
 * A step that is not finite is taken again with other images; after three in a row training goes back to its last checkpoint and
 * on at a lower rate; after two such returns it is at its end.
 */
export function divergenceGuard(rate = 1): DivergenceGuard {
  let failures = 0
  let returns = 0
  return {
    rate: () => rate,
    after(status) {
      if (status === 'ok') {
        failures = 0
        return 'on'
      }
      if (++failures < FAILURES) return 'again'
      failures = 0
      if (++returns > ROLL_BACKS) return 'end'
      rate *= SLOWER
      return 'back'
    }
  }
}
