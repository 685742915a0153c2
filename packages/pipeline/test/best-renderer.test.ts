import {
  BackendError,
  type Camera,
  centredDetector,
  createReferenceRenderer,
  createWasmRenderer,
  GeometryError,
  poseFromView,
  type Volume,
  VolumeError
} from '@raypose/core'
import { afterEach, describe, expect, test } from 'vitest'
import { nodeGpu as softwareGpu } from '../../core/test/software-gpu.js'
// From dist: the worker threads of batches start from a file there.
import { type BestRenderer, benchWebGpu, createBestRenderer } from '../dist/index.js'

const size = [40, 36, 32] as const
const volume: Volume = {
  size,
  spacing: [7, 7, 8],
  direction: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  origin: [-136.5, -122.5, -124],
  data: Int16Array.from({ length: 40 * 36 * 32 }, (_, n) => {
    const [x, y, z] = [n % 40, Math.floor(n / 40) % 36, Math.floor(n / 1440)]
    const r = Math.hypot((x - 20) / 17, (y - 17) / 14, (z - 16) / 14)
    return r < 1 ? 40 + 500 * Math.round(Math.sin(x / 3) ** 2 * Math.sin(z / 4) ** 2) : -1000
  })
}
const cameras: Camera[] = [0, 0.4, 1.5].map(gamma => ({
  detector: centredDetector(1200, [9, 9], [44, 34]),
  cameraFromLps: poseFromView({ alpha: 0.1, beta: 0, gamma, translation: [0, 0, 0] }, [0, 0, 0])
}))

const rms = (a: Float32Array, b: Float32Array) =>
  Math.sqrt(a.reduce((s, x, n) => s + (x - b[n]) ** 2, 0) / b.reduce((s, x) => s + x ** 2, 0))
const references = cameras.map(c => createReferenceRenderer(volume).render(c))
const wasm = createWasmRenderer(volume)

let renderer: BestRenderer | undefined
afterEach(() => {
  renderer?.dispose()
  renderer = undefined
})

/** A GPU whose device is in the test's hands. */
function captured(gpu: GPU): { gpu: GPU; device: () => GPUDevice } {
  let device: GPUDevice | undefined
  const requestAdapter: GPU['requestAdapter'] = async options => {
    const adapter = await gpu.requestAdapter(options)
    if (adapter) {
      const { requestDevice } = adapter
      Object.defineProperty(adapter, 'requestDevice', {
        value: async (d: GPUDeviceDescriptor) => (device = await requestDevice.call(adapter, d))
      })
    }
    return adapter
  }
  return { gpu: { requestAdapter } as GPU, device: () => device! }
}

const none = { requestAdapter: async () => null } as unknown as GPU

describe('the best renderer without a GPU', () => {
  test('is wasm, and says why; batches on threads are its images', async () => {
    renderer = await createBestRenderer(volume, { gpu: none, workers: 2 })
    expect(renderer.backend).toBe('wasm')
    expect(renderer.reason).toContain('no adapter')
    expect(renderer.device).toContain('CPU')
    const images = await renderer.renderBatch(cameras)
    for (const [n, camera] of cameras.entries()) {
      expect(images[n].data).toEqual(wasm.render(camera).data)
      expect((await renderer.render(camera)).data).toEqual(images[n].data)
    }
  })

  test('is an error where WebGPU was asked for, and not even looked for where wasm was', async () => {
    await expect(createBestRenderer(volume, { gpu: none, backend: 'webgpu' })).rejects.toThrow(BackendError)
    const forbidden = { requestAdapter: () => expect.unreachable() } as unknown as GPU
    renderer = await createBestRenderer(volume, { gpu: forbidden, backend: 'wasm' })
    expect(renderer.backend).toBe('wasm')
  })

  test('refuses bad input', async () => {
    await expect(createBestRenderer({ ...volume, size: [1, 2, 3] }, { gpu: none })).rejects.toThrow(
      VolumeError
    )
    await expect(createBestRenderer(volume, { backend: 'gpu' as never })).rejects.toThrow('backend')
    await expect(createBestRenderer(volume, { gpu: none, workers: 0 })).rejects.toThrow('workers')
    renderer = await createBestRenderer(volume, { gpu: none })
    const bad = { ...cameras[0], cameraFromLps: [1] }
    await expect(renderer.render(bad)).rejects.toThrow(GeometryError)
    renderer.dispose()
    await expect(renderer.render(cameras[0])).rejects.toThrow(BackendError)
    await expect(renderer.renderBatch(cameras)).rejects.toThrow(BackendError)
  })

  test('has no figures, but a reason', async () => {
    const { webgpu, reason } = await benchWebGpu(volume, cameras, { gpu: none })
    expect(webgpu).toBe(null)
    expect(reason).toContain('no adapter')
    await expect(benchWebGpu(volume, [], { gpu: none })).rejects.toThrow('nothing')
  })
})

const gpu = await softwareGpu()
if (typeof gpu === 'string') console.warn(`The best renderer is not tested with WebGPU: ${gpu}`)

describe.skipIf(typeof gpu === 'string')('the best renderer with a GPU', () => {
  const any = gpu as GPU

  test('is WebGPU, within its error of the reference', async () => {
    renderer = await createBestRenderer(volume, { gpu: any, allowSoftware: true })
    expect(renderer.backend).toBe('webgpu')
    expect(renderer.reason).toContain(renderer.device)
    const images = await renderer.renderBatch(cameras)
    images.forEach((image, n) => {
      expect(rms(image.data, references[n].data)).toBeLessThan(renderer!.errorBound)
    })
  })

  test('goes over to wasm when the device is lost, with all calls under way, and says so', async () => {
    const { gpu: own, device } = captured(any)
    const told: string[] = []
    renderer = await createBestRenderer(volume, {
      gpu: own,
      allowSoftware: true,
      workers: 1,
      onFallback: reason => told.push(reason)
    })
    expect(renderer.backend).toBe('webgpu')
    const underWay = [renderer.render(cameras[0]), renderer.render(cameras[1])]
    device().destroy()
    const images = await Promise.all(underWay)
    expect(renderer.backend).toBe('wasm')
    expect(told).toEqual([renderer.reason])
    expect(renderer.reason).toContain('was lost')
    images.forEach((image, n) => {
      expect(image.data).toEqual(wasm.render(cameras[n]).data)
    })
    expect((await renderer.renderBatch(cameras))[2].data).toEqual(wasm.render(cameras[2]).data)
    expect(told.length).toBe(1)
  })

  test('reports a lost device where WebGPU was asked for', async () => {
    const { gpu: own, device } = captured(any)
    renderer = await createBestRenderer(volume, { gpu: own, backend: 'webgpu' })
    device().destroy()
    await expect(renderer.render(cameras[0])).rejects.toThrow('was lost')
    expect(renderer.backend).toBe('webgpu')
  })

  test('falls back where the GPU cannot hold the volume', async () => {
    const long = { ...volume, size: [40 * 36 * 32, 1, 1] as const }
    renderer = await createBestRenderer(long, { gpu: any, allowSoftware: true })
    expect(renderer.backend).toBe('wasm')
    expect(renderer.reason).toContain('too large')
  })

  test('has figures', async () => {
    const { webgpu } = await benchWebGpu(volume, cameras, {
      gpu: any,
      allowSoftware: true,
      runs: 2,
      compared: 3
    })
    expect(webgpu?.adapter).not.toBe('')
    expect(webgpu?.rmsPercent).toBeGreaterThan(0)
    expect(webgpu?.rmsPercent).toBeLessThan(0.05)
    for (const key of ['msPerImage', 'msAlone', 'msWithDerivatives', 'msPrepare'] as const)
      expect(webgpu?.[key]).toBeGreaterThan(0)
  })

  test('is not software unless that is allowed', async () => {
    const adapter = await any.requestAdapter()
    if (!adapter?.info.isFallbackAdapter) return
    renderer = await createBestRenderer(volume, { gpu: any })
    expect(renderer.backend).toBe('wasm')
    expect(renderer.reason).toContain('software')
    expect((await benchWebGpu(volume, cameras, { gpu: any })).reason).toContain('software')
  })
})
