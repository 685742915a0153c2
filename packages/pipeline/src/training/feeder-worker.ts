import { parentPort, workerData } from 'node:worker_threads'
import { createBatchMaker } from './batches.js'
import type { FeederData, SourceConfig } from './messages.js'
import { populationSource } from './population.js'
import { patientSource, phantomSource, type ViewSource } from './view-source.js'

// Renders, augments and encodes batches, one for each message, beside the thread that trains.
const { source, batch } = workerData as FeederData
const next = createBatchMaker(open(source), batch)

function open(s: SourceConfig): ViewSource {
  if (s.kind === 'phantoms') return phantomSource(s)
  return s.kind === 'patient' ? patientSource(s) : populationSource(s)
}

let queue: Promise<void> = Promise.resolve()
parentPort!.on('message', () => {
  queue = queue.then(async () => {
    const started = performance.now()
    const { images, targets } = await next()
    parentPort!.postMessage({ images, targets, seconds: (performance.now() - started) / 1000 }, [
      images.buffer,
      targets.buffer
    ])
  })
})
