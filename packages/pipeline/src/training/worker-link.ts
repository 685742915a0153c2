import { Worker } from 'node:worker_threads'
import { BackendError } from '@raypose/core'
import type { FeederData, FeederReply, TrainerData, TrainerReply, TrainerRequest } from './messages.js'
import { revivedError, workerError } from './worker-errors.js'

/** Batches made ahead of the training step: enough to ride out the making or reading of a patient. */
const AHEAD = 12

export type FedBatch = Extract<FeederReply, { kind: 'batch' }>

export interface Feeder {
  /** The next batch, as soon as it is there. */
  next(): Promise<FedBatch>
  end(): Promise<unknown>
}

/** Starts the thread that makes batches; it keeps a few ahead. */
export function startFeeder(workerData: FeederData): Feeder {
  const worker = new Worker(new URL('./feeder-worker.js', import.meta.url), { workerData })
  const ready: FedBatch[] = []
  const waiting: { resolve: (b: FedBatch) => void; reject: (e: Error) => void }[] = []
  let failure: Error | null = null
  const fail = (error: Error) => {
    failure ??= error
    for (const w of waiting.splice(0)) w.reject(failure)
  }
  worker.on('message', (reply: FeederReply) => {
    if (reply.kind === 'failed') return fail(revivedError('batch', reply.error))
    const w = waiting.shift()
    if (w) w.resolve(reply)
    else ready.push(reply)
  })
  worker.on('error', cause => fail(workerError('batch', cause)))
  worker.on('exit', () => fail(gone()))
  for (let i = 0; i < AHEAD; i++) worker.postMessage('next')
  return {
    next() {
      const batch = ready.shift()
      if (batch === undefined && failure) return Promise.reject(failure)
      worker.postMessage('next')
      return batch
        ? Promise.resolve(batch)
        : new Promise((resolve, reject) => waiting.push({ resolve, reject }))
    },
    end: () => worker.terminate()
  }
}

export interface TrainerLink {
  /** One request at a time. @throws what the worker threw, or BackendError where it is gone */
  ask<K extends TrainerRequest['kind']>(
    request: Extract<TrainerRequest, { kind: K }>,
    transfer?: ArrayBuffer[]
  ): Promise<Extract<TrainerReply, { kind: K }>>
  end(): Promise<unknown>
}

/** Starts the thread that learns; `ready` once it has built its session. */
export function startTrainer(workerData: TrainerData): TrainerLink & { readonly ready: Promise<void> } {
  const worker = new Worker(new URL('./trainer-worker.js', import.meta.url), { workerData })
  const reply = () =>
    new Promise<TrainerReply>((resolve, reject) => {
      const done = () => {
        worker.off('message', ok)
        worker.off('error', bad)
        worker.off('exit', ended)
      }
      const ok = (m: TrainerReply) => {
        done()
        if (m.kind === 'failed') reject(revivedError('training', m.error))
        else resolve(m)
      }
      const bad = (cause: Error) => {
        done()
        reject(workerError('training', cause))
      }
      const ended = () => {
        done()
        reject(workerError('training', gone()))
      }
      worker.once('message', ok)
      worker.once('error', bad)
      worker.once('exit', ended)
    })
  const ready = reply().then(() => {})
  // Whoever waits for it hears of it; until somebody does, Node must not take it for an error that nobody handles.
  ready.catch(() => {})
  return {
    ready,
    async ask(request, transfer) {
      const answer = reply()
      worker.postMessage(request, transfer)
      return (await answer) as never
    },
    end: () => worker.terminate()
  }
}

const gone = () => new BackendError('The worker ended', 'It may have run out of memory.')
