// Evaluates the views it is asked for, one at a time, on a patient that it opens itself. Started by view-lanes.ts.
import { parentPort, workerData } from 'node:worker_threads'
import { RayposeError } from '@raypose/core'
import { openLane } from './view-lane.js'
import type { ViewReply, ViewRequest, ViewWorkerData } from './view-protocol.js'

const reply = (message: ViewReply) => parentPort?.postMessage(message)
const fail = (error: unknown) =>
  reply({
    failure: error instanceof Error ? error.message : String(error),
    ...(error instanceof RayposeError ? { code: error.code, hint: error.hint } : {})
  })

try {
  const lane = await openLane(workerData as ViewWorkerData)
  parentPort?.on('message', (request: ViewRequest) => {
    lane.run(request).then(rows => reply({ rows }), fail)
  })
  reply({ ready: true })
} catch (error) {
  fail(error)
}
