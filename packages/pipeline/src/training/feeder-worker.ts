import { parentPort, workerData } from 'node:worker_threads'
import { createBatchMaker } from './batches.js'
import type { FeederData } from './messages.js'
import { patientSource, phantomSource } from './view-source.js'

// Renders, augments and encodes batches, one for each message, beside the thread that trains.
const { source, batch } = workerData as FeederData
const next = createBatchMaker(
  source.kind === 'phantoms' ? phantomSource(source) : patientSource(source),
  batch
)

parentPort!.on('message', () => {
  const started = performance.now()
  const { images, targets } = next()
  parentPort!.postMessage({ images, targets, seconds: (performance.now() - started) / 1000 }, [
    images.buffer,
    targets.buffer
  ])
})
