import { parentPort, workerData } from 'node:worker_threads'
import { createBatchMaker } from './batches.js'
import type { FeederData, FeederReply } from './messages.js'
import { openSource } from './open-source.js'
import type { ViewSource } from './view-source.js'
import { plainError } from './worker-errors.js'

// Renders, augments and encodes batches, one for each message, beside the thread that trains.
const { source, batch } = workerData as FeederData

/** Seconds spent on views, patients made or read included, since it was last asked. */
let viewSeconds = 0
const timed =
  (views: ViewSource): ViewSource =>
  async () => {
    const started = performance.now()
    const view = await views()
    viewSeconds += (performance.now() - started) / 1000
    return view
  }

const open = () => createBatchMaker(timed(openSource(source)), batch)
let next: ReturnType<typeof open> | undefined
const answer = (reply: FeederReply, transfer: ArrayBuffer[] = []) => parentPort!.postMessage(reply, transfer)

let queue: Promise<void> = Promise.resolve()
parentPort!.on('message', () => {
  queue = queue.then(async () => {
    const started = performance.now()
    viewSeconds = 0
    try {
      next ??= open()
      const { images, targets } = await next()
      const seconds = (performance.now() - started) / 1000
      answer({ kind: 'batch', images, targets, seconds, viewSeconds }, [images.buffer, targets.buffer])
    } catch (error) {
      answer({ kind: 'failed', error: plainError(error) })
    }
  })
})
