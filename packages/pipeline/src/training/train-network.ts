import { Worker } from 'node:worker_threads'
import { BackendError, CancelledError, ModelError } from '@raypose/core'
import type { NetworkSpec } from '@raypose/network'
import type { Batch, BatchOptions } from './batches.js'
import type { SourceConfig, TrainerReply, TrainerRequest, ValidationSet } from './messages.js'
import type { Accuracy } from './validation.js'

export interface TrainOptions {
  readonly spec: NetworkSpec
  readonly source: SourceConfig
  readonly batch: Omit<BatchOptions, 'spec'>
  /** Steps in all, those of an earlier run included. */
  readonly steps: number
  readonly threads: number
  /** Peak learning rate; it rises over `warmUp` steps and falls along a cosine to nothing at the end. */
  readonly learningRate: number
  readonly warmUp: number
  /** Decay of the moving average of the weights a step; short trainings want a shorter memory. */
  readonly averageDecay?: number
  /** Parameters to start from (fine-tuning); random ones if none. */
  readonly parameters?: Float32Array
  readonly seed: number
  /** Training state to go on from. */
  readonly checkpoint?: Uint8Array
  readonly validation?: ValidationSet
  /** Steps between validations and between checkpoints. */
  readonly validateEvery?: number
  readonly checkpointEvery?: number
  readonly signal?: AbortSignal
  /** Stops as if the steps were done once this many seconds have passed; the schedule follows whichever is nearer its end. */
  readonly maxSeconds?: number
  readonly onStep?: (s: TrainingStep) => void
  readonly onValidation?: (step: number, accuracy: Accuracy) => void | Promise<void>
  readonly onCheckpoint?: (step: number, bytes: Uint8Array) => void | Promise<void>
}

export interface TrainingStep {
  readonly step: number
  readonly steps: number
  readonly loss: number
  readonly gradientNorm: number
  readonly lr: number
  /** Share of the work done, 0 to 1. */
  readonly progress: number
  readonly trainSeconds: number
  readonly feedSeconds: number
}

export interface TrainResult {
  /** Moving average of the weights. */
  readonly parameters: Float32Array
  readonly step: number
  readonly seconds: number
  /** Last moving average of the loss. */
  readonly loss: number
  readonly accuracy?: Accuracy
}

/** Batches made ahead of the training step: enough to ride out a new phantom. */
const AHEAD = 4

/**
 * Trains a network in two worker threads, one that makes batches and one that learns from them.
 * A step whose loss is not finite is undone; three in a row end the training.
 * @throws CancelledError when `signal` aborts; ModelError when training diverges; BackendError when a worker dies
 */
export async function trainNetwork(o: TrainOptions): Promise<TrainResult> {
  const started = performance.now()
  const feeder = new Worker(new URL('./feeder-worker.js', import.meta.url), {
    workerData: { source: o.source, batch: { ...o.batch, spec: o.spec } }
  })
  const trainer = new Worker(new URL('./trainer-worker.js', import.meta.url), {
    workerData: {
      spec: o.spec,
      batchSize: o.batch.batchSize,
      threads: o.threads,
      parameters: o.parameters,
      seed: o.seed
    }
  })
  try {
    const ask = await connectTrainer(trainer)
    const feed = connectFeeder(feeder)
    let step = o.checkpoint ? (await ask({ kind: 'restore', bytes: o.checkpoint })).step : 0
    let average = Number.NaN
    let failures = 0
    let accuracy: Accuracy | undefined
    const elapsed = () => (performance.now() - started) / 1000
    const progress = () => Math.min(1, Math.max(step / o.steps, o.maxSeconds ? elapsed() / o.maxSeconds : 0))
    const validate = async () => {
      if (!o.validation) return
      accuracy = (await ask({ kind: 'validate', set: o.validation })).accuracy
      await o.onValidation?.(step, accuracy)
    }
    const save = async () => {
      if (o.onCheckpoint) await o.onCheckpoint(step, (await ask({ kind: 'checkpoint' })).bytes)
    }
    while (progress() < 1) {
      if (o.signal?.aborted) {
        await save()
        throw new CancelledError(
          `Training was stopped at step ${step}`,
          'Run the same command again to go on from the last checkpoint.'
        )
      }
      const { images, targets, seconds: feedSeconds } = await feed()
      const lr =
        o.learningRate * Math.min(1, (step + 1) / o.warmUp) * (0.5 + 0.5 * Math.cos(Math.PI * progress())) +
        1e-6
      const r = await ask(
        {
          kind: 'step',
          images,
          targets,
          hyper: { lr, ...(o.averageDecay === undefined ? {} : { averageDecay: o.averageDecay }) }
        },
        [images.buffer, targets.buffer]
      )
      if (r.status === 'diverged') {
        if (++failures >= 3)
          throw new ModelError(
            `Training diverged at step ${step}: the loss is not finite`,
            'Lower the learning rate, or resume from an earlier checkpoint.'
          )
        continue
      }
      failures = 0
      step = r.step
      average = Number.isNaN(average) ? r.loss : 0.98 * average + 0.02 * r.loss
      o.onStep?.({
        step,
        steps: o.steps,
        loss: average,
        gradientNorm: r.gradientNorm,
        lr,
        progress: progress(),
        trainSeconds: r.seconds,
        feedSeconds
      })
      if (o.checkpointEvery && step % o.checkpointEvery === 0) await save()
      if (o.validateEvery && step % o.validateEvery === 0 && progress() < 1) await validate()
    }
    await save()
    await validate()
    const { parameters } = await ask({ kind: 'parameters' })
    return { parameters, step, seconds: elapsed(), loss: average, accuracy }
  } finally {
    await Promise.all([feeder.terminate(), trainer.terminate()])
  }
}

type Asker = <K extends TrainerRequest['kind']>(
  request: Extract<TrainerRequest, { kind: K }>,
  transfer?: ArrayBuffer[]
) => Promise<Extract<TrainerReply, { kind: K }>>

/** Request and reply over the trainer's port; resolves once the worker has built its session. */
async function connectTrainer(worker: Worker): Promise<Asker> {
  await nextMessage(worker, 'training')
  return async (request, transfer) => {
    const reply = nextMessage(worker, 'training')
    worker.postMessage(request, transfer)
    return (await reply) as never
  }
}

/** Keeps a few batches ahead; each call takes the next one. */
function connectFeeder(worker: Worker): () => Promise<Batch & { seconds: number }> {
  const ready: (Batch & { seconds: number })[] = []
  const waiting: { resolve: (b: Batch & { seconds: number }) => void; reject: (e: Error) => void }[] = []
  let failure: Error | null = null
  worker.on('message', batch => {
    const w = waiting.shift()
    if (w) w.resolve(batch)
    else ready.push(batch)
  })
  worker.on('error', cause => {
    failure = workerError('batch', cause)
    for (const w of waiting.splice(0)) w.reject(failure)
  })
  for (let i = 0; i < AHEAD; i++) worker.postMessage('next')
  return () => {
    if (failure) return Promise.reject(failure)
    worker.postMessage('next')
    const b = ready.shift()
    if (b) return Promise.resolve(b)
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }))
  }
}

function nextMessage(worker: Worker, what: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const done = () => {
      worker.off('message', ok)
      worker.off('error', bad)
      worker.off('exit', gone)
    }
    const ok = (m: unknown) => {
      done()
      resolve(m)
    }
    const bad = (cause: Error) => {
      done()
      reject(workerError(what, cause))
    }
    const gone = () => bad(new BackendError('The worker ended', 'It may have run out of memory.'))
    worker.once('message', ok)
    worker.once('error', bad)
    worker.once('exit', gone)
  })
}

const workerError = (what: string, cause: unknown): BackendError =>
  new BackendError(
    `The ${what} worker failed: ${cause instanceof Error ? cause.message : String(cause)}`,
    'Free memory or use fewer threads, then run the same command again: it goes on from the last checkpoint.',
    { cause }
  )
