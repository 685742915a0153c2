import {
  ArgumentError,
  type AttenuationOptions,
  assertCamera,
  assertVolume,
  BackendError,
  type Camera,
  createReferenceRenderer,
  createWebGpuRenderer,
  type Image,
  type TexelPrecision,
  type Volume,
  VolumeError
} from '@raypose/core'
import { nodeGpu } from './node-gpu.js'

export interface WebGpuFigures {
  /** Name of the adapter. */
  readonly adapter: string
  /** Median over the runs of the time of the batch divided by its images, images on the CPU. */
  readonly msPerImage: number
  /** Median time of one image asked for by itself. */
  readonly msAlone: number
  /** Median time of one image with its six derivatives. */
  readonly msWithDerivatives: number
  /** From volume to renderer, conversion and upload included. */
  readonly msPrepare: number
  /** Relative RMS error to the reference over the compared images together, per cent. */
  readonly rmsPercent: number
}

/** The figures, or why there are none. */
export type WebGpuBench =
  | { readonly webgpu: WebGpuFigures; readonly reason: null }
  | { readonly webgpu: null; readonly reason: string }

export interface WebGpuBenchOptions extends AttenuationOptions {
  /** Times the batch is rendered, after one that does not count. Default 5. */
  readonly runs?: number
  /** Reference images of the first cameras, if they are there already. */
  readonly references?: readonly Image[]
  /** Cameras that are compared with the reference renderer where no images are given. Default 3. */
  readonly compared?: number
  readonly precision?: TexelPrecision
  /** Measure a software GPU too. Default false: its figures say nothing. */
  readonly allowSoftware?: boolean
  /** Default Dawn ({@link nodeGpu}). */
  readonly gpu?: GPU
}

/**
 * Measures the WebGPU renderer on a volume and cameras: speed in batches and alone, and the error to the reference.
 * @throws GeometryError for a degenerate camera, VolumeError for a volume that is not one, ArgumentError for none to render; a machine without a GPU, or with
 * one that fails, is no error but a `reason`
 */
export async function benchWebGpu(
  volume: Volume,
  cameras: readonly Camera[],
  options: WebGpuBenchOptions = {}
): Promise<WebGpuBench> {
  const { runs = 5, compared = 3, allowSoftware = false } = options
  if (!(cameras.length > 0 && runs > 0 && (options.references?.length ?? compared) > 0))
    throw new ArgumentError(
      'There is nothing to measure or compare',
      'Give a camera, a run and a comparison at least.'
    )
  assertVolume(volume)
  for (const camera of cameras) assertCamera(camera)
  try {
    const gpu = options.gpu ?? (await nodeGpu())
    const start = performance.now()
    const renderer = await createWebGpuRenderer(volume, { ...options, gpu, allowSoftware })
    try {
      // The first image waits for the shader and the upload.
      await renderer.render(cameras[0])
      const msPrepare = performance.now() - start
      const images = await renderer.renderBatch(cameras)
      const centre = volume.origin
      await renderer.renderWithDerivatives(cameras[0], centre)
      const median = async (work: () => Promise<unknown>) => {
        const times: number[] = []
        for (let n = 0; n < runs; n++) {
          const from = performance.now()
          await work()
          times.push(performance.now() - from)
        }
        return times.sort((a, b) => a - b)[Math.floor(runs / 2)]
      }
      const batch = await median(() => renderer.renderBatch(cameras))
      const msAlone = await median(() => renderer.render(cameras[0]))
      const msWithDerivatives = await median(() => renderer.renderWithDerivatives(cameras[0], centre))
      const references = options.references ?? renderReferences(volume, cameras.slice(0, compared), options)
      return {
        webgpu: {
          adapter: renderer.device,
          msPerImage: batch / cameras.length,
          msAlone,
          msWithDerivatives,
          msPrepare,
          rmsPercent: 100 * relativeRms(images, references)
        },
        reason: null
      }
    } finally {
      renderer.dispose()
    }
  } catch (error) {
    // The volume is one: it is the GPU that cannot hold it.
    if (error instanceof BackendError || error instanceof VolumeError)
      return { webgpu: null, reason: error.message }
    throw error
  }
}

function renderReferences(volume: Volume, cameras: readonly Camera[], options: AttenuationOptions): Image[] {
  const reference = createReferenceRenderer(volume, options)
  const images = cameras.map(c => reference.render(c))
  reference.dispose()
  return images
}

function relativeRms(images: readonly Image[], references: readonly Image[]): number {
  let difference = 0
  let power = 0
  references.forEach(({ data }, n) => {
    for (let i = 0; i < data.length; i++) {
      difference += (images[n].data[i] - data[i]) ** 2
      power += data[i] ** 2
    }
  })
  return Math.sqrt(difference / power)
}
