import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { compactSpec, createTrainer, parameterLayout } from '../src/index.js'

/** Trains two steps in a worker thread from the built package, as the pipeline does. */
const source = `
  const { parentPort, workerData } = require('node:worker_threads')
  import(workerData.module).then(async n => {
    const trainer = await n.createTrainer({ spec: workerData.spec, batchSize: 1, seed: 4 })
    const images = new Float32Array(workerData.pixels).map((_, i) => Math.sin(i))
    const targets = new Float32Array(workerData.bins).fill(1 / workerData.bins)
    for (let i = 0; i < 2; i++) await trainer.train(images, targets, { lr: 1e-2 })
    const parameters = trainer.parameters()
    await trainer.release()
    parentPort.postMessage(parameters, [parameters.buffer])
  })
`

test('training in a worker thread gives the same weights as on the main thread', async () => {
  const spec = compactSpec(1, { imageWidth: 32, imageHeight: 32, channels: [4, 4, 8, 8], decoder: [8, 4] })
  const [pixels, bins] = [32 * 32, 65]
  const module = new URL('../dist/index.js', import.meta.url).href
  const worker = new Worker(source, { eval: true, workerData: { module, spec, pixels, bins } })
  const fromWorker = await new Promise<Float32Array>((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  await worker.terminate()
  const trainer = await createTrainer({ spec, batchSize: 1, seed: 4 })
  const images = new Float32Array(pixels).map((_, i) => Math.sin(i))
  const targets = new Float32Array(bins).fill(1 / bins)
  for (let i = 0; i < 2; i++) await trainer.train(images, targets, { lr: 1e-2 })
  expect(fromWorker.length).toBe(parameterLayout(spec).total)
  expect(fromWorker).toEqual(trainer.parameters())
  await trainer.release()
})
