import { parentPort, workerData } from 'node:worker_threads'
import { createDetector, createTrainer, type Trainer } from '@raypose/network'
import type { TrainerData, TrainerReply, TrainerRequest, TrainingNote } from './messages.js'
import { validationOutcome } from './validation.js'
import { plainError } from './worker-errors.js'

// onnxruntime's run() blocks its thread, so training has one of its own; requests are answered in their order.
const data = workerData as TrainerData
const send = (reply: TrainerReply) => parentPort!.postMessage(reply)

async function answer(trainer: Trainer, request: TrainerRequest): Promise<TrainerReply> {
  switch (request.kind) {
    case 'step': {
      const started = performance.now()
      const { status, step, loss, gradientNorm } = await trainer.train(
        request.images,
        request.targets,
        request.hyper
      )
      return { kind: 'step', status, step, loss, gradientNorm, seconds: (performance.now() - started) / 1000 }
    }
    case 'validate': {
      await trainer.fetch()
      const detector = await createDetector(
        { spec: data.spec, parameters: trainer.averagedParameters() },
        { threads: data.threads, batchSize: 4 }
      )
      const found = await detector.detect(request.set.images)
      await detector.release()
      return {
        kind: 'validate',
        outcome: validationOutcome(found, request.set, [data.spec.imageWidth, data.spec.imageHeight])
      }
    }
    case 'checkpoint':
      await trainer.fetch()
      return { kind: 'checkpoint', bytes: trainer.checkpoint({ ...request.note }) }
    case 'restore': {
      const note = trainer.restore(request.bytes) as Partial<TrainingNote>
      return { kind: 'restore', step: trainer.step(), note }
    }
    case 'parameters':
      await trainer.fetch()
      return { kind: 'parameters', parameters: trainer.averagedParameters() }
  }
}

const failed = (error: unknown) => send({ kind: 'failed', error: plainError(error) })

// Listening begins at once: what is asked before the session stands waits in the queue.
const trainer = createTrainer(data)
let queue: Promise<void> = trainer.then(() => send({ kind: 'ready' }), failed)
parentPort!.on('message', (request: TrainerRequest) => {
  queue = queue.then(async () => {
    try {
      send(await answer(await trainer, request))
    } catch (error) {
      failed(error)
    }
  })
})
