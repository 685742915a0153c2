import { BackendError } from '../../errors.js'
import type { Vec3 } from '../../geometry/linear.js'
import type { Grid } from '../../volume/volume.js'
import type { BufferPool } from './buffers.js'
import type { Pipelines } from './pipelines.js'
import { VIEW_BYTES, WORKGROUP } from './shader.js'
import { type Budget, dispatchRanges } from './submissions.js'
import { type Job, writeView } from './view.js'

/** What all submissions of a renderer share. */
export interface Scene {
  readonly device: GPUDevice
  /** For messages. */
  readonly name: string
  readonly grid: Grid
  /** Attenuation of texel value 1, 1/mm. */
  readonly unit: number
  readonly volume: GPUTextureView
  readonly budget: Budget
}

export interface Submitter {
  /**
   * Renders jobs in one submission and copies their rows to where they belong in `results`, by camera: W·H values, and
   * with a `centre` seven such planes.
   * @throws BackendError for a lost device, no memory, or after `close`
   */
  submit(jobs: readonly Job[], centre: Vec3 | undefined, results: readonly Float32Array[]): Promise<void>
  /** To be called before the buffers go. */
  close(): void
}

// GPUBufferUsage and GPUMapMode by value: as globals not every WebGPU outside browsers has them.
const MAP_READ = 0x01
const COPY_SRC = 0x04
const COPY_DST = 0x08
const STORAGE = 0x80
const READ = 0x01

export function createSubmitter(scene: Scene, pipelines: Pipelines, buffers: BufferPool): Submitter {
  const { device, name, grid, unit, volume, budget } = scene
  let closed = false
  let lost: GPUDeviceLostInfo | undefined
  device.lost.then(info => {
    lost = info
  })

  /** The error to report when a submission failed for `cause`. */
  const failure = async (cause?: unknown): Promise<BackendError> => {
    if (closed)
      return new BackendError('The renderer was disposed of while it rendered', 'Await its images first.')
    // That the device is lost may be told a little later than that its buffers are.
    const wait = new Promise<void>(resolve => setTimeout(resolve, 200))
    await Promise.race([device.lost, wait])
    if (lost) return lostError(lost, cause)
    if (cause instanceof BackendError) return cause
    return new BackendError(
      `The GPU ${name} failed: ${cause instanceof Error ? cause.message : String(cause)}`,
      'Render smaller images or fewer at a time, or use the wasm renderer.',
      { cause }
    )
  }
  const lostError = (info: GPUDeviceLostInfo, cause?: unknown) =>
    new BackendError(
      `The GPU ${name} was lost (${info.reason})${info.message ? `: ${info.message}` : ''}`,
      'Create another renderer, or use the wasm one.',
      { cause }
    )

  return {
    async submit(jobs, centre, results) {
      if (lost) throw lostError(lost)
      const planes = centre ? 7 : 1
      const taken: GPUBuffer[] = []
      const take = (bytes: number, usage: GPUBufferUsageFlags) => {
        const buffer = buffers.take(bytes, usage)
        taken.push(buffer)
        return buffer
      }
      try {
        const pipeline = await pipelines.get(centre !== undefined)
        if (closed) throw await failure()
        const offsets: number[] = []
        let values = 0
        for (const { camera, rows } of jobs) {
          offsets.push(values)
          values += camera.detector.size[0] * rows * planes
        }
        const views = new ArrayBuffer(jobs.length * VIEW_BYTES)
        jobs.forEach((job, n) => writeView(views, n, job, grid, unit, centre, offsets[n]))

        device.pushErrorScope('out-of-memory')
        device.pushErrorScope('validation')
        const viewBuffer = take(views.byteLength, STORAGE | COPY_DST)
        const output = take(values * 4, STORAGE | COPY_SRC)
        const staging = take(values * 4, MAP_READ | COPY_DST)
        device.queue.writeBuffer(viewBuffer, 0, views)
        const encoder = device.createCommandEncoder()
        const pass = encoder.beginComputePass()
        pass.setPipeline(pipeline)
        for (const [from, to] of dispatchRanges(jobs, budget)) {
          const { camera, rows } = jobs[from]
          pass.setBindGroup(
            0,
            device.createBindGroup({
              layout: pipeline.getBindGroupLayout(0),
              entries: [
                {
                  binding: 0,
                  resource: { buffer: viewBuffer, offset: from * VIEW_BYTES, size: (to - from) * VIEW_BYTES }
                },
                { binding: 1, resource: { buffer: output, size: values * 4 } },
                { binding: 2, resource: volume }
              ]
            })
          )
          pass.dispatchWorkgroups(
            Math.ceil(camera.detector.size[0] / WORKGROUP),
            Math.ceil(rows / WORKGROUP),
            to - from
          )
        }
        pass.end()
        encoder.copyBufferToBuffer(output, 0, staging, 0, values * 4)
        device.queue.submit([encoder.finish()])
        const scopes = Promise.all([device.popErrorScope(), device.popErrorScope()])
        const mapped = staging.mapAsync(READ, 0, values * 4)
        // Whichever says more is awaited first; the other must not go unheard.
        mapped.catch(() => {})
        const error = (await scopes).find(e => e !== null)
        if (error) throw error
        await mapped

        const data = new Float32Array(staging.getMappedRange(0, values * 4))
        jobs.forEach((job, n) => copyRows(data, offsets[n], job, planes, results[job.index]))
        staging.unmap()
      } catch (cause) {
        for (const buffer of taken) buffers.discard(buffer)
        throw await failure(cause)
      }
      if (!closed) for (const buffer of taken) buffers.giveBack(buffer)
    },
    close() {
      closed = true
    }
  }
}

function copyRows(data: Float32Array, offset: number, job: Job, planes: number, result: Float32Array): void {
  const [width, height] = job.camera.detector.size
  const count = width * job.rows
  for (let p = 0; p < planes; p++) {
    const from = offset + p * count
    result.set(data.subarray(from, from + count), p * width * height + job.firstRow * width)
  }
}
