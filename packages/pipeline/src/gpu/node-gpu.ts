import { BackendError } from '@raypose/core'

let loaded: Promise<GPU> | undefined

/**
 * WebGPU for Node: Dawn, from the optional npm package `webgpu`, loaded at the first call. The object is kept for as long
 * as the program runs: Dawn's adapters and devices must not outlive it.
 * @throws BackendError where the package is not installed or has no library for this platform, or Vulkan is missing
 */
export function nodeGpu(): Promise<GPU> {
  loaded ??= load().catch(error => {
    loaded = undefined
    throw error
  })
  return loaded
}

async function load(): Promise<GPU> {
  if (process.platform === 'linux' && !hasVulkan())
    throw new BackendError(
      'WebGPU needs Vulkan, whose loader (libvulkan.so.1) is not installed',
      'Install the graphics driver and libvulkan1, or use the wasm renderer.'
    )
  // Behind a variable, so that building does not need the optional package either.
  const name = 'webgpu'
  let dawn: { create(options: readonly string[]): GPU }
  try {
    dawn = await import(name)
  } catch (cause) {
    throw new BackendError(
      `WebGPU for Node cannot be loaded: ${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)}`,
      'Install the optional package (npm install webgpu), or use the wasm renderer.',
      { cause }
    )
  }
  return dawn.create([])
}

/**
 * Whether the dynamic linker finds Vulkan's loader. Dawn would look by itself, but it prints a warning of its own where
 * there is none. Node takes any library for a module that it then finds not to be one: how it says no tells them apart.
 */
function hasVulkan(): boolean {
  try {
    // RTLD_LAZY
    process.dlopen({ exports: {} }, 'libvulkan.so.1', 1)
    return true
  } catch (error) {
    return !(error instanceof Error && error.message.includes('cannot open shared object file'))
  }
}
