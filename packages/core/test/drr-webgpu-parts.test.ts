import { describe, expect, test } from 'vitest'
import { asAsyncRenderer } from '../src/drr/async-renderer.js'
import { createReferenceRenderer } from '../src/drr/reference-renderer.js'
import { describeAdapter } from '../src/drr/webgpu/device.js'
import { halfBits } from '../src/drr/webgpu/half.js'
import { dispatchRanges, planSubmissions } from '../src/drr/webgpu/submissions.js'
import { BackendError, CancelledError, GeometryError } from '../src/errors.js'
import { type Camera, centredDetector } from '../src/geometry/camera.js'
import { IDENTITY4 } from '../src/geometry/linear.js'
import { poseFromView } from '../src/geometry/view.js'
import { createRandom } from '../src/random/random.js'
import { sampledVolume } from './drr-volumes.js'

/** What bits mean, by the definition of IEEE 754 binary16, for numbers that are not negative. */
const halfValue = (b: number): number =>
  b < 1024 ? b * 2 ** -24 : (1 + (b % 1024) / 1024) * 2 ** (Math.floor(b / 1024) - 15)

describe('half precision', () => {
  test('every half is itself, and numbers between two go to the nearer one, halfway to the even one', () => {
    for (let b = 0; b < 0x7bff; b++) {
      const low = halfValue(b)
      const high = halfValue(b + 1)
      expect(halfBits(low)).toBe(b)
      expect(halfBits(low + 0.49 * (high - low))).toBe(b)
      expect(halfBits(low + 0.51 * (high - low))).toBe(b + 1)
      expect(halfBits((low + high) / 2)).toBe(b % 2 === 0 ? b : b + 1)
    }
  })

  test('rounds by at most 2⁻¹¹', () => {
    const random = createRandom(1)
    for (let n = 0; n < 20_000; n++) {
      const x = 2 ** random.uniform(-14, 15.9)
      expect(Math.abs(halfValue(halfBits(x)) / x - 1)).toBeLessThanOrEqual(2 ** -11)
    }
  })
})

describe('submissions', () => {
  const camera = (width: number, height: number): Camera => ({
    detector: centredDetector(1000, [1, 1], [width, height]),
    cameraFromLps: IDENTITY4
  })
  const budget = { values: 4000, pixelsPerDispatch: 500, pixelsPerSubmission: 2000 }

  test('hold every row once, in order, within the budget', () => {
    const cameras = [camera(20, 10), camera(20, 10), camera(30, 200), camera(7, 3), camera(900, 2)]
    for (const planes of [1, 7]) {
      const submissions = planSubmissions(cameras, planes, budget)
      const rows = submissions
        .flat()
        .flatMap(j => Array.from({ length: j.rows }, (_, r) => `${j.index}:${j.firstRow + r}`))
      expect(rows).toEqual(
        cameras.flatMap((c, n) => Array.from({ length: c.detector.size[1] }, (_, r) => `${n}:${r}`))
      )
      for (const jobs of submissions) {
        const pixels = jobs.reduce((s, j) => s + j.rows * j.camera.detector.size[0], 0)
        // A single row is the least there is.
        if (jobs.length > 1) {
          expect(pixels).toBeLessThanOrEqual(budget.pixelsPerSubmission)
          expect(pixels * planes).toBeLessThanOrEqual(budget.values)
        }
      }
    }
  })

  test('dispatch neighbours of one shape together', () => {
    const cameras = [camera(20, 10), camera(20, 10), camera(20, 10), camera(10, 20), camera(10, 20)]
    const [jobs] = planSubmissions(cameras, 1, budget)
    expect(dispatchRanges(jobs, budget)).toEqual([
      [0, 2],
      [2, 3],
      [3, 5]
    ])
  })
})

test('adapters are named, and known for software where they are', () => {
  const info = { vendor: '', architecture: '', device: '', description: '', isFallbackAdapter: false }
  const describe = (more: object) => describeAdapter({ ...info, ...more } as unknown as GPUAdapterInfo)
  expect(describe({})).toEqual({ name: 'unnamed adapter', software: false })
  expect(describe({ vendor: 'nvidia', architecture: 'hopper' })).toEqual({
    name: 'nvidia hopper',
    software: false
  })
  expect(describe({ description: 'llvmpipe (LLVM 15)' }).software).toBe(true)
  expect(describe({ vendor: 'x', isFallbackAdapter: true }).software).toBe(true)
})

describe('a synchronous renderer behind the asynchronous interface', () => {
  const volume = sampledVolume([10, 10, 10], [9, 9, 9], () => 0)
  const cameras = [0, 0.5, 1].map(gamma => ({
    detector: centredDetector(1200, [9, 9], [20, 20]),
    cameraFromLps: poseFromView({ alpha: 0, beta: 0, gamma, translation: [0, 0, 0] }, [0, 0, 0])
  }))

  test('renders the same, and stops when told to', async () => {
    const renderer = createReferenceRenderer(volume)
    const later = asAsyncRenderer(renderer)
    expect([later.backend, later.device, later.bytes]).toEqual(['reference', 'CPU', renderer.bytes])
    const images = await later.renderBatch(cameras)
    images.forEach((image, n) => {
      expect(image.data).toEqual(renderer.render(cameras[n]).data)
    })
    expect((await later.render(cameras[1])).data).toEqual(images[1].data)
    const stop = new AbortController()
    await expect(
      later.renderBatch(cameras, { signal: stop.signal, onProgress: done => done === 2 && stop.abort() })
    ).rejects.toThrow(CancelledError)
    await expect(
      later.renderBatch([cameras[0], { ...cameras[0], cameraFromLps: cameras[0].cameraFromLps.slice(1) }])
    ).rejects.toThrow(GeometryError)
    later.dispose()
    await expect(later.render(cameras[0])).rejects.toThrow(BackendError)
  })
})
