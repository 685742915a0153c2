import { afterAll, describe, expect, test } from 'vitest'
import type { AsyncRenderer } from '../src/drr/async-renderer.js'
import { MU_WATER } from '../src/drr/attenuation.js'
import { createReferenceRenderer } from '../src/drr/reference-renderer.js'
import { requestGpuDevice } from '../src/drr/webgpu/device.js'
import {
  createWebGpuRenderer,
  WEBGPU_ERROR_BOUND,
  type WebGpuRendererOptions
} from '../src/drr/webgpu/renderer.js'
import { ArgumentError, BackendError, CancelledError, GeometryError, VolumeError } from '../src/errors.js'
import { type Camera, centredDetector, type Detector, rayThrough } from '../src/geometry/camera.js'
import { type Mat3, mulMat3, type Vec3 } from '../src/geometry/linear.js'
import { DEGREE, rotationX, rotationZ } from '../src/geometry/rotation.js'
import { poseFromView } from '../src/geometry/view.js'
import { rigidPoseVariables } from '../src/registration/pose-variables.js'
import type { Volume } from '../src/volume/volume.js'
import { anatomicalVolume, relativeRms, sampledVolume } from './drr-volumes.js'
import { poseDifferences } from './pose-differences.js'
import { nodeGpu } from './software-gpu.js'

const gpu = await nodeGpu()
if (typeof gpu === 'string') console.warn(`The WebGPU renderer is not tested in Node: ${gpu}`)

const open: AsyncRenderer[] = []
async function create(volume: Volume, options: WebGpuRendererOptions = {}): Promise<AsyncRenderer> {
  const renderer = await createWebGpuRenderer(volume, { gpu: gpu as GPU, ...options })
  open.push(renderer)
  return renderer
}
afterAll(() => {
  for (const renderer of open) renderer.dispose()
})

const SMALL = centredDetector(1200, [9, 9], [44, 34])
const camera = (
  [alpha, beta, gamma]: readonly number[],
  detector: Detector = SMALL,
  translation: Vec3 = [3, -4, 5]
): Camera => ({
  detector,
  cameraFromLps: poseFromView(
    { alpha: alpha * DEGREE, beta: beta * DEGREE, gamma: gamma * DEGREE, translation },
    [0, 0, 0]
  )
})

const VIEWS = [
  [0, 0, 0],
  [0, 0, 90],
  [0, 0, 180],
  [12, 5, 30],
  [-25, 10, -45],
  [90, 0, 10]
]

/** All that a ray may be off by: the rounding of texels, and a little float32. */
function expectWithin(data: ArrayLike<number>, expected: ArrayLike<number>, relative: number): void {
  let most = 0
  for (let n = 0; n < expected.length; n++) most = Math.max(most, expected[n])
  expect(most).toBeGreaterThan(0)
  let worst = 0
  for (let n = 0; n < expected.length; n++)
    worst = Math.max(worst, Math.abs(data[n] - expected[n]) - relative * expected[n])
  expect(worst / most).toBeLessThan(1e-5)
}

/** So long that the most cells a ray can cross bound a submission to few pixels, though rays across it cross few. */
const long = anatomicalVolume([7, 8, 1200], [40, 30, 1], 3)

describe.skipIf(typeof gpu === 'string')('WebGPU renderer', () => {
  const volume = anatomicalVolume([72, 60, 54], [4.5, 4.4, 4.9], 21)

  test.each(['half', 'single'] as const)('agrees with the reference, %s precision', async precision => {
    const renderer = await create(volume, { precision })
    const reference = createReferenceRenderer(volume)
    expect(renderer.device).not.toBe('')
    expect(renderer.errorBound).toBe(WEBGPU_ERROR_BOUND[precision])
    for (const angles of VIEWS) {
      const { data, width, height } = await renderer.render(camera(angles))
      expect([width, height]).toEqual([44, 34])
      const expected = reference.render(camera(angles)).data
      expect(relativeRms(data, expected)).toBeLessThan(renderer.errorBound)
      expectWithin(data, expected, precision === 'half' ? 2 ** -11 : 0)
    }
  })

  test('a uniform box gives the length of the chord', async () => {
    const spacing: Vec3 = [3, 2.5, 4]
    const size: Vec3 = [41, 52, 34]
    const half = size.map((n, a) => ((n - 1) / 2) * spacing[a])
    // Half precision holds water exactly.
    const renderer = await create(sampledVolume(size, spacing, () => 0))
    for (const angles of VIEWS) {
      const cam = camera(angles)
      const { data } = await renderer.render(cam)
      const expected = Array.from(data, (_, n) => {
        const { origin, direction } = rayThrough(cam, n % 44, Math.floor(n / 44))
        let from = 0
        let to = Number.POSITIVE_INFINITY
        for (let a = 0; a < 3; a++) {
          const t = [(-half[a] - origin[a]) / direction[a], (half[a] - origin[a]) / direction[a]]
          from = Math.max(from, Math.min(...t))
          to = Math.min(to, Math.max(...t))
        }
        return MU_WATER * Math.max(0, to - from)
      })
      expectWithin(data, expected, 0)
    }
  })

  test('any grid and any detector', async () => {
    const turned = mulMat3(rotationZ(0.4), rotationX(-0.3))
    const flipped: Mat3 = [0, -1, 0, 0, 0, -1, -1, 0, 0]
    const detectors: Detector[] = [
      { sdd: 900, pixel: [4, 11], size: [37, 21], principalPoint: [50, -3] },
      { sdd: 160, pixel: [9, 14], size: [40, 20], principalPoint: [12, 16] }
    ]
    for (const direction of [turned, flipped]) {
      const v = anatomicalVolume([40, 50, 30], [6, 5, 7.5], 4, direction)
      const reference = createReferenceRenderer(v)
      const renderer = await create(v)
      for (const detector of detectors) {
        const cam = camera([4, -4, 6], detector, [20, 380, 40])
        expectWithin((await renderer.render(cam)).data, reference.render(cam).data, 2 ** -11)
      }
    }
  })

  test('a source within the volume, far away, and behind it', async () => {
    const reference = createReferenceRenderer(volume)
    const renderer = await create(volume)
    const inside = camera([5, 0, 10], centredDetector(300, [9, 9], [40, 30]), [10, 660, 0])
    expectWithin((await renderer.render(inside)).data, reference.render(inside).data, 2 ** -11)
    const far: Camera = {
      detector: centredDetector(100_000, [9, 9], [40, 30]),
      cameraFromLps: poseFromView(
        { alpha: 0.1, beta: 0, gamma: 0.5, translation: [0, 0, 0] },
        [0, 0, 0],
        99_500
      )
    }
    expectWithin((await renderer.render(far)).data, reference.render(far).data, 2 ** -11)
    const away = await renderer.render(camera([0, 0, 0], SMALL, [0, 1100, 0]))
    expect(away.data.every(x => x === 0)).toBe(true)
    const beside = await renderer.render(camera([0, 0, 0], SMALL, [900, 0, 0]))
    expect(beside.data.every(x => x === 0)).toBe(true)
  })

  test('thin volumes, empty ones, linear values and metal', async () => {
    const shapes: Vec3[] = [
      [2, 30, 30],
      [30, 3, 2]
    ]
    for (const size of shapes) {
      const thin = sampledVolume(size, [5, 5, 5], (x, y, z) => 0.01 + Math.abs(x + 2 * y - z) / 4000)
      const reference = createReferenceRenderer(thin, { convert: 'linear' })
      const renderer = await create(thin, { convert: 'linear' })
      const cam = camera([10, 0, 40], centredDetector(1200, [4, 4], [60, 60]), [0, 0, 0])
      expectWithin((await renderer.render(cam)).data, reference.render(cam).data, 2 ** -11)
    }
    const flat = await create(sampledVolume([30, 1, 30], [2, 2, 2], () => 0))
    expect((await flat.render(camera([10, 0, 5]))).data.every(x => x === 0)).toBe(true)
    const nothing = await create(sampledVolume([9, 9, 9], [20, 20, 20], () => -1000))
    expect((await nothing.render(camera([10, 0, 5]))).data.every(x => x === 0)).toBe(true)

    const metal: Volume = { ...volume, data: Int32Array.from(volume.data) }
    for (let k = 20; k < 24; k++)
      for (let j = 25; j < 30; j++) metal.data.fill(2e6, (k * 60 + j) * 72 + 30, (k * 60 + j) * 72 + 40)
    const expected = createReferenceRenderer(metal).render(camera([5, 0, 20])).data
    expectWithin((await (await create(metal)).render(camera([5, 0, 20]))).data, expected, 2 ** -11)
  })

  test('the derivatives are those of the reference, by finite differences', async () => {
    const centre: Vec3 = [12, -20, 9]
    const v = anatomicalVolume([50, 44, 40], [6, 6.5, 7], 5, mulMat3(rotationX(0.2), rotationZ(-0.5)))
    const reference = createReferenceRenderer(v)
    const detectors = [SMALL, { ...SMALL, pixel: [7, 11] as const, principalPoint: [30, 8] as const }]
    for (const precision of ['half', 'single'] as const)
      for (const [n, detector] of detectors.entries()) {
        const renderer = await create(v, { precision })
        const start = camera(
          [
            [-4, 3, 8],
            [10, -6, 65]
          ][n],
          detector
        )
        const { image, derivatives } = await renderer.renderWithDerivatives(start, centre)
        expectWithin(image.data, reference.render(start).data, precision === 'half' ? 2 ** -11 : 0)
        expect(derivatives.length).toBe(6)
        poseDifferences(reference, start, centre).forEach((expected, a) => {
          // 2⁻¹¹ of μ is more than that of its differences.
          expect(relativeRms(derivatives[a], expected)).toBeLessThan(precision === 'half' ? 5e-3 : 1e-3)
        })
      }
  })

  test('the derivatives are those of the reference', async () => {
    const centre: Vec3 = [12, -20, 9]
    const v = anatomicalVolume([60, 50, 46], [5, 5.5, 6], 9, mulMat3(rotationX(0.2), rotationZ(-0.5)))
    const reference = createReferenceRenderer(v)
    const renderer = await create(v, { precision: 'single' })
    const inside = camera([5, 0, 10], centredDetector(300, [9, 9], [40, 30]), [10, 660, 0])
    for (const start of [...VIEWS.map(angles => camera(angles)), inside]) {
      const { derivatives } = await renderer.renderWithDerivatives(start, centre)
      reference.renderWithDerivatives(start, centre).derivatives.forEach((expected, a) => {
        expect(relativeRms(derivatives[a], expected)).toBeLessThan(1e-4)
      })
    }
  })

  test('labels restrict and weigh what is rendered', async () => {
    const labels = Uint8Array.from(volume.data, (hu, n) => (hu < -300 ? 0 : hu < 200 ? 1 : 2 + (n % 2)))
    for (const options of [{ labels }, { labels, labelWeights: [0, 0.5, 0, 3] }]) {
      const expected = createReferenceRenderer(volume, options).render(camera([9, 2, 30])).data
      expectWithin(
        (await (await create(volume, options)).render(camera([9, 2, 30]))).data,
        expected,
        2 ** -11
      )
    }
    await expect(create(volume, { labels: labels.subarray(1) })).rejects.toThrow(ArgumentError)
  })

  test('the derivatives know the sides of the volume', async () => {
    // A uniform box, whose gradient is nothing but its sides. Rays that pass its edges have no derivative: the detector
    // sees one side and the side opposite only.
    const size: Vec3 = [60, 20, 60]
    const box = sampledVolume(size, [5, 5, 5], () => 0)
    const detector = centredDetector(1200, [5, 5], [20, 16])
    const start = camera([7, -4, 12], detector, [0, 0, 0])
    const centre: Vec3 = [30, 10, -20]
    const { derivatives } = await (await create(box)).renderWithDerivatives(start, centre)
    const variables = rigidPoseVariables(start.cameraFromLps, centre, { rotation: 1, inPlane: 1, depth: 1 })
    const chords = (x: readonly number[]) => {
      const cam = { detector, cameraFromLps: variables.poseAt(x) }
      return Array.from({ length: 20 * 16 }, (_, n) => {
        const { direction } = rayThrough(cam, n % 20, Math.floor(n / 20))
        return (MU_WATER * 19 * 5) / Math.abs(direction[1])
      })
    }
    for (let a = 0; a < 6; a++) {
      const unit = (h: number) => Array.from({ length: 6 }, (_, b) => (b === a ? h : 0))
      const [ahead, behind] = [chords(unit(1e-4)), chords(unit(-1e-4))]
      for (let n = 0; n < 320; n++) {
        const expected = (ahead[n] - behind[n]) / 2e-4
        // A shift of the box changes no chord.
        expect(Math.abs(derivatives[a][n] - expected)).toBeLessThan(a < 3 ? 2e-4 : 2e-6)
      }
    }
  })

  test('a batch is its images, in order, whatever the detectors', async () => {
    const renderer = await create(volume)
    const other = centredDetector(1000, [12, 8], [31, 40])
    const cameras = VIEWS.flatMap(angles => [
      camera(angles),
      camera(angles, other),
      camera(angles, other, [9, 9, 9])
    ])
    const progress: number[] = []
    const images = await renderer.renderBatch(cameras, { onProgress: done => progress.push(done) })
    expect(progress.at(-1)).toBe(cameras.length)
    const again = await Promise.all(cameras.map(c => renderer.render(c)))
    images.forEach((image, n) => {
      expect([image.width, image.height]).toEqual(cameras[n].detector.size)
      expect(image.data).toEqual(again[n].data)
    })
    expect(await renderer.renderBatch([])).toEqual([])
  })

  test('large images are put together from parts', async () => {
    const renderer = await create(long)
    const detector = centredDetector(1200, [1, 1], [400, 300])
    const cam = camera([4, 3, 20], detector)
    const { image, derivatives } = await renderer.renderWithDerivatives(cam, [0, 0, 0])
    const step = 10
    const coarse = {
      ...detector,
      pixel: [10, 10] as const,
      size: [40, 30] as const,
      principalPoint: [19.95, 14.95] as const
    }
    const thinned = (data: Float32Array) =>
      Array.from({ length: 40 * 30 }, (_, n) => data[Math.floor(n / 40) * step * 400 + (n % 40) * step])
    const few = await renderer.renderWithDerivatives({ ...cam, detector: coarse }, [0, 0, 0])
    expect(relativeRms(thinned(image.data), few.image.data)).toBeLessThan(1e-5)
    derivatives.forEach((d, a) => {
      expect(relativeRms(thinned(d), few.derivatives[a])).toBeLessThan(1e-4)
    })
    expect(relativeRms((await renderer.render(cam)).data, image.data)).toBeLessThan(1e-5)
  })

  test('cancelling ends a batch', async () => {
    const renderer = await create(volume)
    const stop = new AbortController()
    stop.abort()
    await expect(renderer.renderBatch([camera([0, 0, 0])], { signal: stop.signal })).rejects.toThrow(
      CancelledError
    )
    const renderLong = await create(long)
    const later = new AbortController()
    let seen = 0
    const cameras = Array.from({ length: 12 }, (_, n) =>
      camera([n / 4, 0, 0], centredDetector(1200, [1, 1], [300, 250]))
    )
    await expect(
      renderLong.renderBatch(cameras, {
        signal: later.signal,
        onProgress: done => {
          seen = done
          later.abort()
        }
      })
    ).rejects.toThrow(CancelledError)
    expect(seen).toBeLessThan(cameras.length)
    // The renderer goes on.
    expect((await renderLong.render(camera([0, 0, 0]))).data.some(x => x > 0)).toBe(true)
  })

  test('refuses what is not a camera, a volume, or a renderer any more', async () => {
    const small = sampledVolume([8, 8, 8], [5, 5, 5], () => 0)
    const renderer = await create(small)
    const good = camera([0, 0, 0])
    const bad: Camera[] = [
      { ...good, cameraFromLps: good.cameraFromLps.map((x, n) => (n === 3 ? Number.NaN : x)) },
      { ...good, cameraFromLps: good.cameraFromLps.map((x, n) => (n === 0 ? x + 1 : x)) },
      { ...good, detector: { ...SMALL, sdd: -1 } },
      { ...good, detector: { ...SMALL, pixel: [0, 1] } },
      { ...good, detector: { ...SMALL, size: [0, 10] } }
    ]
    for (const cam of bad) {
      await expect(renderer.render(cam)).rejects.toThrow(GeometryError)
      await expect(renderer.renderBatch([good, cam])).rejects.toThrow(GeometryError)
      await expect(renderer.renderWithDerivatives(cam, [0, 0, 0])).rejects.toThrow(GeometryError)
    }
    await expect(renderer.renderWithDerivatives(good, [0, Number.NaN, 0])).rejects.toThrow(GeometryError)
    await expect(create({ ...small, size: [8, 8, 9] })).rejects.toThrow(VolumeError)
    const nan = { ...small, data: small.data.map((x, n) => (n === 9 ? Number.NaN : x)) }
    await expect(create(nan)).rejects.toThrow(VolumeError)
    await expect(create(small, { precision: 'double' as never })).rejects.toThrow('precision')
    const { device } = await requestGpuDevice({ gpu: gpu as GPU })
    const long = sampledVolume([device.limits.maxTextureDimension3D + 1, 2, 2], [1, 1, 1], () => 0)
    await expect(create(long, { device })).rejects.toThrow(VolumeError)
    device.destroy()
    renderer.dispose()
    renderer.dispose()
    await expect(renderer.render(good)).rejects.toThrow(BackendError)
  })

  test('a lost device is an error that says so, and so is none at all', async () => {
    const { device, name } = await requestGpuDevice({ gpu: gpu as GPU })
    const renderer = await create(volume, { device })
    expect(renderer.device).toBe(name)
    const underWay = renderer.render(camera([0, 0, 0]))
    device.destroy()
    await expect(underWay).rejects.toThrow(BackendError)
    await expect(renderer.render(camera([0, 0, 0]))).rejects.toThrow('was lost')

    await expect(createWebGpuRenderer(volume)).rejects.toThrow('no WebGPU')
    const empty = { requestAdapter: async () => null } as unknown as GPU
    await expect(create(volume, { gpu: empty })).rejects.toThrow('no adapter')
    const broken = { requestAdapter: () => Promise.reject(new TypeError('driver')) } as unknown as GPU
    await expect(create(volume, { gpu: broken })).rejects.toThrow(BackendError)
    const { software } = await requestGpuDevice({ gpu: gpu as GPU })
    if (software)
      await expect(create(volume, { gpu: gpu as GPU, allowSoftware: false })).rejects.toThrow('software')
  })

  test('says what it holds', async () => {
    const voxels = 72 * 60 * 54
    expect((await create(volume)).bytes).toBe(voxels * 2)
    expect((await create(volume, { precision: 'single' })).bytes).toBe(voxels * 4)
  })
})
