import { availableParallelism } from 'node:os'
import {
  ArgumentError,
  type AsyncRenderer,
  type AttenuationOptions,
  asAsyncRenderer,
  BackendError,
  createWasmRenderer,
  createWebGpuRenderer,
  type LabelOptions,
  prepareWasmVolume,
  type RayposeError,
  type TexelPrecision,
  type Volume,
  VolumeError
} from '@raypose/core'
import { createRenderPool } from '../workers/render-pool.js'
import { nodeGpu } from './node-gpu.js'

export interface BestRendererOptions extends AttenuationOptions, LabelOptions {
  /**
   * `'auto'` (default): WebGPU where there is a hardware adapter, else wasm, also when WebGPU fails later. `'webgpu'`:
   * that or an error. `'wasm'`: does not look for a GPU.
   */
  readonly backend?: 'auto' | 'webgpu' | 'wasm'
  /** Take a software GPU, which is slower than wasm: for tests. Default: only with `backend: 'webgpu'`. */
  readonly allowSoftware?: boolean
  /** Texels of the GPU; default `'half'`. */
  readonly precision?: TexelPrecision
  /** Threads of the wasm renderer for batches; default as many as there are cores. */
  readonly workers?: number
  /** Where to ask for adapters; default Dawn ({@link nodeGpu}). */
  readonly gpu?: GPU
  /** Told the new `reason` when the renderer goes over to wasm while it is in use. */
  readonly onFallback?: (reason: string) => void
}

/**
 * A renderer whose `backend`, `device`, `errorBound` and `bytes` are those of what renders at the moment, which
 * changes to wasm if the GPU is lost.
 */
export interface BestRenderer extends AsyncRenderer {
  /** Why this backend, for people. */
  readonly reason: string
}

/**
 * The fastest renderer that this machine has for a volume. With `'auto'` and a GPU, whatever goes wrong there later (the
 * driver resets, memory runs out) is done again on the CPU by the wasm renderer, from then on, and said through `onFallback`; for
 * this the volume stays in memory.
 *
 * @throws VolumeError for a volume that is not one; BackendError for `'webgpu'` where that is not to be had; ArgumentError
 */
export async function createBestRenderer(
  volume: Volume,
  options: BestRendererOptions = {}
): Promise<BestRenderer> {
  const { backend = 'auto', workers = availableParallelism() } = options
  if (!['auto', 'webgpu', 'wasm'].includes(backend))
    throw new ArgumentError(`There is no backend "${backend}" here`, "Give 'auto', 'webgpu' or 'wasm'.")
  if (!(Number.isInteger(workers) && workers > 0))
    throw new ArgumentError(`${workers} workers were asked for`, 'Give a whole number of 1 or more.')

  const onCpu = () => createCpuRenderer(volume, options, workers)
  let reason = 'wasm was asked for'
  let current: AsyncRenderer | undefined
  if (backend !== 'wasm')
    try {
      current = await createWebGpuRenderer(volume, {
        ...options,
        gpu: options.gpu ?? (await nodeGpu()),
        allowSoftware: options.allowSoftware ?? backend === 'webgpu'
      })
      reason = backend === 'webgpu' ? 'WebGPU was asked for' : `WebGPU has an adapter: ${current.device}`
    } catch (error) {
      if (backend === 'webgpu' || !isGpuTrouble(error)) throw error
      reason = `wasm: ${error.message}`
    }
  let renderer = current ?? onCpu()
  let disposed = false

  const fallBack = (from: AsyncRenderer, error: RayposeError) => {
    // Calls that overlap fail together; the first one changes the renderer for all.
    if (renderer !== from) return
    renderer = onCpu()
    from.dispose()
    reason = `wasm from now on: ${error.message}`
    options.onFallback?.(reason)
  }
  const run = async <T>(work: (r: AsyncRenderer) => Promise<T>): Promise<T> => {
    const from = renderer
    try {
      return await work(from)
    } catch (error) {
      if (disposed || backend !== 'auto' || from.backend !== 'webgpu' || !(error instanceof BackendError))
        throw error
      fallBack(from, error)
      return work(renderer)
    }
  }

  return {
    get backend() {
      return renderer.backend
    },
    get device() {
      return renderer.device
    },
    get errorBound() {
      return renderer.errorBound
    },
    get bytes() {
      return renderer.bytes
    },
    get reason() {
      return reason
    },
    render: camera => run(r => r.render(camera)),
    renderBatch: (cameras, batch) => run(r => r.renderBatch(cameras, batch)),
    renderWithDerivatives: (camera, centre) => run(r => r.renderWithDerivatives(camera, centre)),
    dispose() {
      disposed = true
      renderer.dispose()
    }
  }
}

/** wasm: single images on the calling thread, batches on worker threads, all from one copy of the volume. */
function createCpuRenderer(
  volume: Volume,
  options: AttenuationOptions & LabelOptions,
  workers: number
): AsyncRenderer {
  const { convert, muWater, labels, labelWeights } = options
  const prepared = prepareWasmVolume(volume, {
    convert,
    muWater,
    labels,
    labelWeights,
    shared: true,
    slots: workers + 1
  })
  const single = asAsyncRenderer(createWasmRenderer(prepared), `CPU, ${workers} threads`)
  const pool = createRenderPool(prepared, { workers })
  let disposed = false
  return {
    ...single,
    renderBatch(cameras, batch) {
      // Starting threads for one image costs more than the image.
      if (cameras.length < 2 || disposed) return single.renderBatch(cameras, batch)
      return pool.renderAll(cameras, batch)
    },
    dispose() {
      if (disposed) return
      disposed = true
      single.dispose()
      void pool.dispose()
    }
  }
}

const isGpuTrouble = (error: unknown): error is RayposeError =>
  error instanceof BackendError || error instanceof VolumeError
