import { parentPort, workerData } from 'node:worker_threads'
import { createDetector, createTrainer } from '@raypose/network'
import type { TrainerData, TrainerReply, TrainerRequest } from './messages.js'
import { accuracyOf } from './validation.js'

// onnxruntime's run() blocks its thread, so training has one of its own; requests are answered in their order.
const data = workerData as TrainerData
const trainer = await createTrainer(data)

async function answer(request: TrainerRequest): Promise<TrainerReply> {
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
      const detector = await createDetector(
        { spec: data.spec, parameters: trainer.averagedParameters() },
        { threads: data.threads, batchSize: 4 }
      )
      const { images, points, mmPerPixel } = request.set
      const found = await detector.detect(images)
      await detector.release()
      return {
        kind: 'validate',
        accuracy: accuracyOf(found, points, [data.spec.imageWidth, data.spec.imageHeight], mmPerPixel)
      }
    }
    case 'checkpoint':
      return { kind: 'checkpoint', bytes: trainer.checkpoint() }
    case 'restore':
      trainer.restore(request.bytes)
      return { kind: 'restore', step: trainer.step() }
    case 'parameters':
      return { kind: 'parameters', parameters: trainer.averagedParameters() }
  }
}

let queue: Promise<void> = Promise.resolve()
parentPort!.on('message', (request: TrainerRequest) => {
  queue = queue.then(async () => {
    const reply = await answer(request)
    parentPort!.postMessage(reply)
  })
})
parentPort!.postMessage('ready')
