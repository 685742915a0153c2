import { ArgumentError, ModelError } from '@raypose/core'
import { inputShape, parameterLayout, targetShape } from '../architectures/network.js'
import type { NetworkSpec } from '../architectures/spec.js'
import { type AdamHyper, hyperLength, hyperVector } from '../graph/adam.js'
import { createGraph } from '../graph/graph.js'
import { scale } from '../graph/ops.js'
import { nodeRuntime } from '../runtime/onnxruntime-node.js'
import type { Runtime, RuntimeTensor } from '../runtime/runtime.js'
import { assertWebGpuComputes } from '../runtime/webgpu-limits.js'
import { type CheckpointNote, readCheckpoint, writeCheckpoint } from './checkpoint.js'
import { randomParameters } from './initialise.js'
import { type Optimiser, trainingGraph } from './training-graph.js'

export interface TrainerOptions {
  readonly spec: NetworkSpec
  readonly batchSize: number
  /** 'adam' by default. */
  readonly optimiser?: Optimiser
  /** Threads inside one step; 1 by default. */
  readonly threads?: number
  /** Execution provider of the runtime, 'cpu' by default; with another one the state stays on its device from step to step. */
  readonly provider?: string
  /** Parameters to start from; random ones of `seed` if none are given. */
  readonly parameters?: Float32Array
  readonly seed?: number
  readonly runtime?: Runtime
}

/** Learning rate and whatever else departs from the defaults in `defaultHyper`; with Muon `beta1` is 0.95 where it is not given. */
export type StepHyper = { readonly lr: number } & Partial<AdamHyper>

export const defaultHyper: Omit<AdamHyper, 'lr'> = {
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 1e-4,
  clipNorm: 5,
  averageDecay: 0.998
}

/** Jordan et al. 2024. */
const MUON_MOMENTUM = 0.95

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
   * One step of the optimiser on a batch; the calling thread is busy meanwhile.
   * @param images [batch, 1, inputHeight, inputWidth], normalised
   * @param targets [batch, landmarks, bins], see `encodeTargets`
   */
  train(images: Float32Array, targets: Float32Array, hyper: StepHyper): Promise<StepResult>
  /**
   * Brings the state from where the provider keeps it; with a provider other than 'cpu' wanted after the last step and before
   * `parameters`, `averagedParameters` and `checkpoint`. On the CPU there is nothing to do.
   */
  fetch(): Promise<void>
  /** A copy of the current parameters. */
  parameters(): Float32Array
  /** A copy of the moving average of the parameters, usually the better ones to keep. */
  averagedParameters(): Float32Array
  /** Everything that the next step depends on, as bytes; with it a note for whoever restores it. */
  checkpoint(note?: CheckpointNote): Uint8Array
  /**
   * Takes the state out of a checkpoint.
   * @returns the note it was written with
   * @throws ModelError when the bytes are truncated, altered, or of another network
   */
  restore(checkpoint: Uint8Array): CheckpointNote
  release(): Promise<void>
}

const stateNames = ['parameters', 'first', 'second', 'average'] as const
type StateName = (typeof stateNames)[number]
type State = Record<StateName, RuntimeTensor>
type Vectors = Record<StateName, Float32Array>

const vectorsOf = (of: (name: StateName) => Float32Array): Vectors =>
  Object.fromEntries(stateNames.map(n => [n, of(n)])) as Vectors

/**
 * Training of one network, forward and backward pass and optimiser in one runtime graph.
 * @throws ArgumentError when `parameters` has the wrong length
 * @throws BackendError when the runtime cannot be loaded or the provider cannot be used here
 */
export async function createTrainer(options: TrainerOptions): Promise<Trainer> {
  const { spec, batchSize, optimiser = 'adam' } = options
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new ArgumentError(`The batch size is ${batchSize}`, 'Give a whole number of at least 1.')
  const { total } = parameterLayout(spec)
  const runtime = options.runtime ?? (await nodeRuntime())
  // On a GPU the state stays there from step to step; only loss and norm come back.
  const onDevice = options.provider !== undefined && options.provider !== 'cpu'
  if (options.provider === 'webgpu') assertWebGpuComputes(spec, true)
  const session = await runtime.createSession(trainingGraph(spec, batchSize, optimiser), {
    threads: options.threads ?? 1,
    provider: options.provider,
    ...(onDevice ? { keep: stateNames.map(n => `next.${n}`) } : {})
  })
  const reader = onDevice ? await stateReader(runtime, total, options.provider) : null
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
  let spare = onDevice ? null : newState(new Float32Array(total))
  let count = 0
  const usual = optimiser === 'muon' ? { ...defaultHyper, beta1: MUON_MOMENTUM } : defaultHyper
  let fetched: { readonly of: State; readonly vectors: Vectors } | null = null
  /** The state as numbers. */
  const values = (): Vectors => {
    if (!reader) return vectorsOf(n => state[n].data)
    if (fetched?.of !== state)
      throw new ModelError('The state of the training is on the device', 'Call fetch() after the last step.')
    return fetched.vectors
  }
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
        hyper: runtime.tensor(hyperVector({ ...usual, ...stepHyper }, count + 1, hyper), [hyperLength])
      }
      const fetches =
        spare && Object.fromEntries(stateNames.map(n => [`next.${n}`, (spare as State)[n]] as const))
      const out = await session.run(feeds, fetches ? { ...fetches, ...results } : undefined)
      const [loss, gradientNorm] = [out.loss.data[0], out.gradientNorm.data[0]]
      const next = Object.fromEntries(stateNames.map(n => [n, out[`next.${n}`]])) as State
      const finite = Number.isFinite(loss) && Number.isFinite(gradientNorm)
      const left = finite ? state : next
      if (finite) state = next
      if (spare) spare = left
      else for (const n of stateNames) left[n].dispose?.()
      return finite
        ? { status: 'ok', step: ++count, loss, gradientNorm }
        : { status: 'diverged', step: count, loss, gradientNorm }
    },
    async fetch() {
      if (reader && fetched?.of !== state) fetched = { of: state, vectors: await reader.read(state) }
    },
    parameters: () => values().parameters.slice(),
    averagedParameters: () => values().average.slice(),
    checkpoint(note) {
      const vectors = values()
      return writeCheckpoint(
        spec,
        count,
        stateNames.map(n => vectors[n]),
        note
      )
    },
    restore(bytes) {
      const { step, vectors, note } = readCheckpoint(spec, bytes, stateNames.length, total)
      state = Object.fromEntries(stateNames.map((n, i) => [n, vector(vectors[i])])) as State
      count = step
      return note
    },
    async release() {
      await session.release()
      await reader?.release()
    }
  }
}

/** A graph that hands the state through, for a device's tensors can be read as the outputs of a session only. */
async function stateReader(runtime: Runtime, total: number, provider: string | undefined) {
  const graph = createGraph()
  for (const n of stateNames) graph.output(`${n}.out`, scale(graph.input(n, [total]), 1))
  const session = await runtime.createSession(graph.toOnnx(), { provider })
  return {
    async read(state: State): Promise<Vectors> {
      const out = await session.run(state)
      return vectorsOf(n => out[`${n}.out`].data)
    },
    release: () => session.release()
  }
}
