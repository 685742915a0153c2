// Renders what it is asked for from the volume in the shared memory, one image at a time. Started by render-pool.ts.
import { parentPort, workerData } from 'node:worker_threads'
import { createWasmRenderer } from '@raypose/core'
import type { RenderReply, RenderRequest, RenderWorkerData } from './render-protocol.js'

const { prepared, slot } = workerData as RenderWorkerData
const renderer = createWasmRenderer(prepared, { slot })

parentPort?.on('message', ({ id, camera }: RenderRequest) => {
  try {
    const { data } = renderer.render(camera)
    parentPort?.postMessage({ id, data } satisfies RenderReply, [data.buffer as ArrayBuffer])
  } catch (error) {
    parentPort?.postMessage({ id, failure: String(error) } satisfies RenderReply)
  }
})
