import { ArgumentError, BackendError, CancelledError } from '../../errors.js'
import { assertCamera, type Camera } from '../../geometry/camera.js'
import type { Vec3 } from '../../geometry/linear.js'
import type { Image } from '../../image/image.js'
import type { Volume } from '../../volume/volume.js'
import type { AsyncRenderer } from '../async-renderer.js'
import type { AttenuationOptions, LabelOptions } from '../attenuation.js'
import { assertCentre, withDerivatives } from '../renderer.js'
import { createBufferPool } from './buffers.js'
import { describeAdapter, type GpuDeviceOptions, requestGpuDevice } from './device.js'
import { createPipelines } from './pipelines.js'
import { type Budget, planSubmissions } from './submissions.js'
import { createSubmitter } from './submit.js'
import { type TexelPrecision, uploadVolume } from './upload.js'
import type { Job } from './view.js'

export interface WebGpuRendererOptions extends AttenuationOptions, LabelOptions, GpuDeviceOptions {
  /** A device to use, which the renderer then does not destroy. Default: asks for one of its own. */
  readonly device?: GPUDevice
  /** Default `'half'`. */
  readonly precision?: TexelPrecision
}

/** Relative RMS errors: the rounding of the texels (2⁻¹¹ at worst), and float32 arithmetic along the ray. */
export const WEBGPU_ERROR_BOUND: Readonly<Record<TexelPrecision, number>> = { half: 5e-4, single: 2e-5 }

/** So many that copying one to the CPU overlaps rendering the next. */
const SUBMISSIONS_UNDER_WAY = 2

/** Most that one submission may write. */
const OUTPUT_BYTES = 64 * 2 ** 20

/**
 * The GPU renderer: the volume as a 3D texture, one invocation a ray, exact integrals of the trilinear volume and exact
 * derivatives (see shader.ts). Any grid orientation, spacing and detector. Every pixel is within 2⁻¹¹ of the reference for
 * half-precision texels, float32 arithmetic apart.
 *
 * @throws VolumeError for a volume that is not one or that the GPU cannot hold; ArgumentError for labels that
 * do not fit it; BackendError where there is no WebGPU or no adapter that is allowed. Rendering rejects with a BackendError once the device is lost: create another renderer.
 */
export async function createWebGpuRenderer(
  volume: Volume,
  options: WebGpuRendererOptions = {}
): Promise<AsyncRenderer> {
  const { precision = 'half' } = options
  if (precision !== 'half' && precision !== 'single')
    throw new ArgumentError(`There is no texel precision "${precision}"`, "Give 'half' or 'single'.")
  const own = !options.device
  const { device, name, software } = options.device
    ? { device: options.device, ...describeAdapter(options.device.adapterInfo) }
    : await requestGpuDevice(options)

  try {
    const { texture, unit, bytes } = await uploadVolume(device, volume, options, precision)
    const { size, spacing, origin, direction } = volume
    const grid = { size, spacing, origin, direction }
    const buffers = createBufferPool(device)
    const budget = budgetOf(device, size, software)
    const submitter = createSubmitter(
      { device, name, grid, unit, volume: texture.createView(), budget },
      createPipelines(device),
      buffers
    )
    let disposed = false
    const assertUsable = () => {
      if (disposed)
        throw new BackendError('The renderer was disposed of', 'Create another one for the volume.')
    }

    /** Planes of each camera, one after the other in an array; `onDone` as they are complete. */
    const renderPlanes = async (
      cameras: readonly Camera[],
      centre: Vec3 | undefined,
      { signal, onDone }: { signal?: AbortSignal; onDone?: (done: number) => void } = {}
    ): Promise<Float32Array[]> => {
      assertUsable()
      for (const camera of cameras) assertCamera(camera)
      const planes = centre ? 7 : 1
      const results = cameras.map(c => new Float32Array(c.detector.size[0] * c.detector.size[1] * planes))
      const rowsLeft = cameras.map(c => c.detector.size[1])
      let done = 0
      const finish = (jobs: readonly Job[]) => {
        for (const job of jobs) if ((rowsLeft[job.index] -= job.rows) === 0) done++
        onDone?.(done)
      }
      const underWay: Promise<void>[] = []
      try {
        for (const jobs of planSubmissions(cameras, planes, budget)) {
          if (underWay.length === SUBMISSIONS_UNDER_WAY) await underWay.shift()
          if (signal?.aborted) throw new CancelledError()
          assertUsable()
          const turn = submitter.submit(jobs, centre, results).then(() => finish(jobs))
          underWay.push(turn)
        }
        await Promise.all(underWay)
      } finally {
        // What was begun comes to rest before the call ends.
        await Promise.allSettled(underWay)
      }
      return results
    }
    const image = (camera: Camera, data: Float32Array): Image => ({
      width: camera.detector.size[0],
      height: camera.detector.size[1],
      data
    })

    return {
      backend: 'webgpu',
      device: name,
      errorBound: WEBGPU_ERROR_BOUND[precision],
      bytes,
      async render(camera) {
        const [data] = await renderPlanes([camera], undefined)
        return image(camera, data)
      },
      async renderBatch(cameras, { signal, onProgress } = {}) {
        if (signal?.aborted) throw new CancelledError()
        const data = await renderPlanes(cameras, undefined, {
          signal,
          onDone: done => onProgress?.(done, cameras.length)
        })
        return cameras.map((camera, n) => image(camera, data[n]))
      },
      async renderWithDerivatives(camera, centre) {
        assertCentre(centre)
        const [data] = await renderPlanes([camera], centre)
        return withDerivatives(camera, data)
      },
      dispose() {
        if (disposed) return
        disposed = true
        submitter.close()
        buffers.destroy()
        texture.destroy()
        if (own) device.destroy()
      }
    }
  } catch (error) {
    if (own) device.destroy()
    throw error
  }
}

function budgetOf(device: GPUDevice, size: Vec3, software: boolean): Budget {
  // The most cells that a ray can cross.
  const cells = size[0] + size[1] + size[2]
  const { maxStorageBufferBindingSize, maxBufferSize } = device.limits
  // A submission is a fraction of a second's work: on slow hardware too, and on software for the sake of `signal`.
  return {
    values: Math.min(OUTPUT_BYTES, maxStorageBufferBindingSize, maxBufferSize) / 4,
    pixelsPerDispatch: Math.ceil((software ? 2 ** 25 : 2 ** 28) / cells),
    pixelsPerSubmission: Math.ceil((software ? 2 ** 27 : 2 ** 31) / cells)
  }
}
