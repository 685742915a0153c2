import { Worker } from 'node:worker_threads'
import { BackendError, RayposeError } from '@raypose/core'
import type { ProtocolRow } from './rows.js'
import { openLane, type ViewLane } from './view-lane.js'
import type { ViewReply, ViewRequest, ViewWorkerData } from './view-protocol.js'

/**
 * Runs requests on several lanes at once and hands each one's rows over as they come, in no set order.
 * @param workers threads; 1 is this thread itself
 * @param stopped asked between views
 * @throws what opening a patient or a method throws; BackendError if a worker dies
 */
export async function runViews(
  data: ViewWorkerData,
  requests: readonly ViewRequest[],
  workers: number,
  onRows: (rows: ProtocolRow[]) => Promise<void>,
  stopped: () => boolean
): Promise<void> {
  let next = 0
  let broken = false
  // Rows are written one at a time, however many lanes there are.
  let written = Promise.resolve()
  const lane = async () => {
    const open = workers > 1 ? await openWorker(data) : await openLane(data)
    try {
      while (next < requests.length && !broken && !stopped()) {
        const rows = await open.run(requests[next++])
        written = written.then(() => onRows(rows))
        await written
      }
    } catch (error) {
      broken = true
      throw error
    } finally {
      await open.close()
    }
  }
  const lanes = Array.from({ length: Math.min(workers, requests.length) }, lane)
  const failed = (await Promise.allSettled(lanes)).find(e => e.status === 'rejected')
  if (failed) throw failed.reason
}

/** A lane on a thread of its own. */
async function openWorker(workerData: ViewWorkerData): Promise<ViewLane> {
  const worker = new Worker(new URL('./view-worker.js', import.meta.url), {
    workerData,
    name: 'raypose-evaluate'
  })
  let settle: { resolve: (reply: ViewReply) => void; reject: (error: Error) => void } | null = null
  const died = (why: string) =>
    settle?.reject(new BackendError(`An evaluation worker ${why}`, 'Run it again with fewer workers.'))
  worker.on('message', (reply: ViewReply) => settle?.resolve(reply))
  worker.on('error', error => died(`died: ${error.message}`))
  worker.on('exit', code => died(`ended with exit code ${code}`))
  const answer = (ask?: ViewRequest) =>
    new Promise<ViewReply>((resolve, reject) => {
      settle = { resolve, reject }
      if (ask) worker.postMessage(ask)
    })
  const close = async () => {
    settle = null
    await worker.terminate()
  }
  const checked = async (reply: ViewReply) => {
    if (!('failure' in reply)) return reply
    await close()
    if (reply.code !== undefined) throw new RayposeError(reply.code, reply.failure, reply.hint ?? '')
    throw new BackendError(`An evaluation worker failed: ${reply.failure}`, 'Report this with the protocol.')
  }
  await checked(await answer())
  return {
    async run(request) {
      const reply = await checked(await answer(request))
      return 'rows' in reply ? reply.rows : []
    },
    close
  }
}
