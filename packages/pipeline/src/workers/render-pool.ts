import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import {
  ArgumentError,
  assertCamera,
  BackendError,
  type Camera,
  CancelledError,
  claimSlot,
  type Image,
  type PreparedVolume,
  releaseSlot
} from '@raypose/core'
import type { RenderReply, RenderRequest, RenderWorkerData } from './render-protocol.js'

export interface RenderOptions {
  /** Stops handing out cameras; the call ends with a CancelledError once the images begun are done. */
  readonly signal?: AbortSignal
  /** Called after each image with how many of all are done. */
  readonly onProgress?: (done: number, total: number) => void
}

/** Receives an image and its camera's place in the list. No more images are rendered than two a worker ahead of it. */
export type ImageHandler = (index: number, image: Image) => void | Promise<void>

/** Renders DRRs on several threads from one copy of the volume. */
export interface RenderPool {
  readonly workers: number
  /**
   * Renders every camera and hands the images over as they come, in no set order.
   * @throws GeometryError for a degenerate camera, before any work starts; CancelledError; BackendError if a worker
   * dies (it is replaced, the pool can go on); whatever `onImage` throws
   */
  renderEach(cameras: readonly Camera[], onImage: ImageHandler, options?: RenderOptions): Promise<void>
  /** Renders every camera; images in the cameras' order. @throws as {@link renderEach} */
  renderAll(cameras: readonly Camera[], options?: RenderOptions): Promise<Image[]>
  /** Ends the workers. The prepared volume stays. */
  dispose(): Promise<void>
}

/** One thread, started when first asked, and again when asked after it has died. */
interface RenderThread {
  render(camera: Camera): Promise<Image>
  stop(): Promise<void>
}

/**
 * @param prepared from `prepareWasmVolume(volume, { shared: true })`; the pool claims a slot of it for each worker
 * @throws ArgumentError for a volume in a memory that is not shared, or with too few free slots
 */
export function createRenderPool(
  prepared: PreparedVolume,
  { workers = availableParallelism() }: { workers?: number } = {}
): RenderPool {
  if (!prepared.shared)
    throw new ArgumentError(
      'The prepared volume is not in a shared memory: worker threads cannot read it',
      'Prepare it with prepareWasmVolume(volume, { shared: true }).'
    )
  if (!(Number.isInteger(workers) && workers > 0))
    throw new ArgumentError(`A pool of ${workers} workers was asked for`, 'Give a whole number of 1 or more.')
  const slots: number[] = []
  try {
    for (let n = 0; n < workers; n++) slots.push(claimSlot(prepared))
  } catch (error) {
    for (const slot of slots) releaseSlot(prepared, slot)
    throw error
  }
  const threads = slots.map(slot => createThread({ prepared, slot }))
  let disposed = false

  const renderEach: RenderPool['renderEach'] = async (cameras, onImage, { signal, onProgress } = {}) => {
    if (disposed) throw new BackendError('The render pool was disposed of', 'Create another one.')
    for (const camera of cameras) assertCamera(camera)
    let next = 0
    let done = 0
    let stopped = false
    const lane = async (thread: RenderThread) => {
      const ask = () => {
        if (next >= cameras.length || stopped || signal?.aborted) return undefined
        const index = next++
        const image = thread.render(cameras[index])
        // Awaited in its turn; until then a rejection has an owner all the same.
        image.catch(() => {})
        return { index, image }
      }
      // One image is handled while the next is rendered, and the camera after that already waits at the worker, which so
      // never waits for this thread to get a core.
      let handled: Promise<void> | undefined
      let asked = ask()
      let following: typeof asked
      try {
        while (asked) {
          const { index } = asked
          following = ask()
          const image = await asked.image
          await handled
          handled = (async () => {
            await onImage(index, image)
            onProgress?.(++done, cameras.length)
          })()
          handled.catch(() => {
            stopped = true
          })
          asked = following
        }
        await handled
      } catch (error) {
        stopped = true
        await following?.image.catch(() => {})
        throw error
      }
    }
    // All lanes come to rest before the call ends, so that nothing of it is left running.
    const ends = await Promise.allSettled(threads.map(lane))
    const failed = ends.find(e => e.status === 'rejected')
    if (failed) throw failed.reason
    if (signal?.aborted && done < cameras.length) throw new CancelledError()
  }

  return {
    workers,
    renderEach,
    async renderAll(cameras, options) {
      const images = new Array<Image>(cameras.length)
      await renderEach(
        cameras,
        (index, image) => {
          images[index] = image
        },
        options
      )
      return images
    },
    async dispose() {
      if (disposed) return
      disposed = true
      await Promise.all(threads.map(t => t.stop()))
      for (const slot of slots) releaseSlot(prepared, slot)
    }
  }
}

function createThread(workerData: RenderWorkerData): RenderThread {
  let worker: Worker | null = null
  let lastId = 0
  const waiting = new Map<
    number,
    { camera: Camera; resolve: (image: Image) => void; reject: (error: Error) => void }
  >()

  const fail = (cause: unknown, what: string) => {
    for (const { reject } of waiting.values())
      reject(
        new BackendError(`A render worker ${what}`, 'Run it again with fewer workers or a smaller volume.', {
          cause
        })
      )
    waiting.clear()
  }
  const start = (): Worker => {
    const w = new Worker(new URL('./render-worker.js', import.meta.url), {
      workerData,
      name: 'raypose-render'
    })
    w.on('message', (reply: RenderReply) => {
      const request = waiting.get(reply.id)
      if (!request) return
      waiting.delete(reply.id)
      const [width, height] = request.camera.detector.size
      if ('data' in reply) request.resolve({ width, height, data: reply.data })
      else
        request.reject(
          new BackendError(`A render worker failed: ${reply.failure}`, 'Report this with the geometry used.')
        )
    })
    w.on('error', error => {
      if (worker === w) worker = null
      fail(error, `died: ${error.message}`)
    })
    w.on('exit', code => {
      if (worker !== w) return
      worker = null
      fail(undefined, `ended with exit code ${code}`)
    })
    // Idle workers do not keep the program alive; a request does, through ref().
    w.unref()
    return w
  }
  return {
    async render(camera) {
      const w = (worker ??= start())
      const id = ++lastId
      w.ref()
      try {
        return await new Promise<Image>((resolve, reject) => {
          waiting.set(id, { camera, resolve, reject })
          w.postMessage({ id, camera } satisfies RenderRequest)
        })
      } finally {
        if (waiting.size === 0) w.unref()
      }
    },
    async stop() {
      const w = worker
      worker = null
      await w?.terminate()
      fail(undefined, 'was stopped')
    }
  }
}
