import { BackendError } from '../../errors.js'

/** A WebGPU device, and what people call it. */
export interface GpuDevice {
  readonly device: GPUDevice
  /** Name of the adapter, as far as the browser or driver tells it. */
  readonly name: string
  /** Whether the adapter is a CPU in disguise (SwiftShader, lavapipe, WARP): right, but slow. */
  readonly software: boolean
}

export interface GpuDeviceOptions {
  /** Where to ask for an adapter; default `navigator.gpu`. */
  readonly gpu?: GPU
  /** Take a software adapter where there is no other. Default true. */
  readonly allowSoftware?: boolean
}

/** Limits beyond WebGPU's defaults that large volumes and images are glad of. */
const LIMITS = ['maxTextureDimension3D', 'maxBufferSize', 'maxStorageBufferBindingSize'] as const

/**
 * Asks for the fastest adapter and a device of it with the adapter's own limits. The caller destroys the device.
 * @throws BackendError where there is no WebGPU, no adapter, or only a software one that is not allowed
 */
export async function requestGpuDevice({
  gpu = globalThis.navigator?.gpu,
  allowSoftware = true
}: GpuDeviceOptions = {}): Promise<GpuDevice> {
  if (!gpu)
    throw new BackendError(
      'There is no WebGPU here',
      'Use a browser that has it, on a secure page (https or localhost); in Node, the npm package "webgpu".'
    )
  try {
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
    if (!adapter)
      throw new BackendError(
        'WebGPU found no adapter',
        'Install a Vulkan, Metal or D3D12 driver, or use the wasm renderer.'
      )
    const { name, software } = describeAdapter(adapter.info)
    if (software && !allowSoftware)
      throw new BackendError(
        `The only WebGPU adapter is software: ${name}`,
        'Use the wasm renderer, which is faster than that.'
      )
    const device = await adapter.requestDevice({
      requiredLimits: Object.fromEntries(LIMITS.map(limit => [limit, adapter.limits[limit]]))
    })
    return { device, name, software }
  } catch (cause) {
    if (cause instanceof BackendError) throw cause
    throw new BackendError(
      `WebGPU gave no device: ${cause instanceof Error ? cause.message : String(cause)}`,
      'Update the graphics driver, or use the wasm renderer.',
      { cause }
    )
  }
}

/** What to call an adapter. Browsers tell its maker and family only, so that it does not identify the user. */
export function describeAdapter(info: GPUAdapterInfo): { name: string; software: boolean } {
  const parts = [info.vendor, info.architecture, info.device, info.description].filter(Boolean)
  const name = [...new Set(parts)].join(' ') || 'unnamed adapter'
  const software = info.isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe|basic render/i.test(name)
  return { name, software }
}
