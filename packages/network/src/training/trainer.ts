import { ArgumentError } from '@raypose/core'
import { inputShape, parameterLayout, targetShape } from '../architectures/network.js'
import type { NetworkSpec } from '../architectures/spec.js'
import { type AdamHyper, hyperLength, hyperVector } from '../graph/adam.js'
import { nodeRuntime } from '../runtime/onnxruntime-node.js'
import type { Runtime, RuntimeTensor } from '../runtime/runtime.js'
import { readCheckpoint, writeCheckpoint } from './checkpoint.js'
import { randomParameters } from './initialise.js'
import { trainingGraph } from './training-graph.js'

export interface TrainerOptions {
  readonly spec: NetworkSpec
  readonly batchSize: number
  /** Threads inside one step; 1 by default. */
  readonly threads?: number
  /** Execution provider of the runtime; 'cpu' by default. */
  readonly provider?: string
  /** Parameters to start from; random ones of `seed` if none are given. */
  readonly parameters?: Float32Array
  readonly seed?: number
  readonly runtime?: Runtime
}

/** Learning rate and whatever else departs from the defaults in `defaultHyper`. */
export type StepHyper = { readonly lr: number } & Partial<AdamHyper>

export const defaultHyper: Omit<AdamHyper, 'lr'> = {
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 1e-4,
  clipNorm: 5,
  averageDecay: 0.998
}

/**
 * What a step came to. `diverged`: loss or gradient was not finite; the state is the one before the step, so the
 * caller can go on with a smaller learning rate or restore a checkpoint.
 */
export type StepResult =
  | { readonly status: 'ok'; readonly step: number; readonly loss: number; readonly gradientNorm: number }
  | {
      readonly status: 'diverged'
      readonly step: number
      readonly loss: number
      readonly gradientNorm: number
    }

export interface Trainer {
  readonly spec: NetworkSpec
  readonly batchSize: number
  /** Steps taken since the parameters were random or given. */
  step(): number
  /**
   * One step of AdamW on a batch; the calling thread is busy meanwhile.
   * @param images [batch, 1, inputHeight, inputWidth], normalised
   * @param targets [batch, landmarks, bins], see `encodeTargets`
   */
  train(images: Float32Array, targets: Float32Array, hyper: StepHyper): Promise<StepResult>
  /** A copy of the current parameters. */
  parameters(): Float32Array
  /** A copy of the moving average of the parameters, usually the better ones to keep. */
  averagedParameters(): Float32Array
  /** Everything that the next step depends on, as bytes. */
  checkpoint(): Uint8Array
  /** @throws ModelError when the bytes are truncated, altered, or of another network */
  restore(checkpoint: Uint8Array): void
  release(): Promise<void>
}

const stateNames = ['parameters', 'first', 'second', 'average'] as const
type State = Record<(typeof stateNames)[number], RuntimeTensor>

/**
 * Training of one network, forward and backward pass and optimiser in one runtime graph.
 * @throws ArgumentError when `parameters` has the wrong length
 * @throws BackendError when the runtime cannot be loaded
 */
export async function createTrainer(options: TrainerOptions): Promise<Trainer> {
  const { spec, batchSize } = options
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new ArgumentError(`The batch size is ${batchSize}`, 'Give a whole number of at least 1.')
  const { total } = parameterLayout(spec)
  const runtime = options.runtime ?? (await nodeRuntime())
  const session = await runtime.createSession(trainingGraph(spec, batchSize), {
    threads: options.threads ?? 1,
    provider: options.provider
  })
  const vector = (data: Float32Array) => runtime.tensor(data, [total])
  const newState = (parameters: Float32Array): State => {
    if (parameters.length !== total)
      throw new ArgumentError(
        `${parameters.length} parameters were given to a network of ${total}`,
        'Give the parameters of a network of the same spec.'
      )
    return {
      parameters: vector(parameters.slice()),
      first: vector(new Float32Array(total)),
      second: vector(new Float32Array(total)),
      average: vector(parameters.slice())
    }
  }
  let state = newState(options.parameters ?? randomParameters(spec, options.seed ?? 1))
  // Two sets of state take turns, so that a step allocates nothing and a diverged one can be left behind.
  let spare = newState(new Float32Array(total))
  let count = 0
  const hyper = new Float32Array(hyperLength)
  const results = {
    loss: runtime.tensor(new Float32Array(1), []),
    gradientNorm: runtime.tensor(new Float32Array(1), [])
  }
  const [xShape, tShape] = [inputShape(spec, batchSize), targetShape(spec, batchSize)]
  const require = (what: string, data: Float32Array, shape: readonly number[]) => {
    const size = shape.reduce((a, b) => a * b, 1)
    if (data.length !== size)
      throw new ArgumentError(
        `${what} hold ${data.length} numbers; the batch takes ${size}`,
        `Give [${shape}].`
      )
    return runtime.tensor(data, shape)
  }

  return {
    spec,
    batchSize,
    step: () => count,
    async train(images, targets, stepHyper) {
      const feeds = {
        ...state,
        images: require('Images', images, xShape),
        targets: require('Targets', targets, tShape),
        hyper: runtime.tensor(hyperVector({ ...defaultHyper, ...stepHyper }, count + 1, hyper), [hyperLength])
      }
      const fetches = Object.fromEntries(stateNames.map(n => [`next.${n}`, spare[n]]))
      const out = await session.run(feeds, { ...fetches, ...results })
      const [loss, gradientNorm] = [out.loss.data[0], out.gradientNorm.data[0]]
      if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm))
        return { status: 'diverged', step: count, loss, gradientNorm }
      const next = Object.fromEntries(stateNames.map(n => [n, out[`next.${n}`]])) as State
      ;[state, spare] = [next, state]
      return { status: 'ok', step: ++count, loss, gradientNorm }
    },
    parameters: () => state.parameters.data.slice(),
    averagedParameters: () => state.average.data.slice(),
    checkpoint: () =>
      writeCheckpoint(
        spec,
        count,
        stateNames.map(n => state[n].data)
      ),
    restore(bytes) {
      const { step, vectors } = readCheckpoint(spec, bytes, stateNames.length, total)
      state = Object.fromEntries(stateNames.map((n, i) => [n, vector(vectors[i])])) as State
      count = step
    },
    release: () => session.release()
  }
}
