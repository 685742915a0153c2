import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** Debian's chromium brings SwiftShader, a Vulkan for CPUs, and the loader that Dawn looks for. */
const CHROMIUM = ['/usr/lib/chromium', '/usr/lib/chromium-browser', '/opt/google/chrome'].find(folder =>
  existsSync(resolve(folder, 'vk_swiftshader_icd.json'))
)

/** Kept for as long as the program: Dawn's objects crash it when they are collected in the wrong order. */
const keep: unknown[] = []

/**
 * A WebGPU for Node: a GPU where there is one, else SwiftShader; or the reason why there is none.
 * Needs the npm package "webgpu" (Dawn).
 */
export async function nodeGpu(): Promise<GPU | string> {
  let dawn: { create(options: string[]): GPU }
  try {
    dawn = await import('webgpu' as string)
  } catch {
    return 'the npm package "webgpu" is not installed'
  }
  if (!process.env.VK_ICD_FILENAMES && !process.env.VK_DRIVER_FILES && CHROMIUM) {
    const hardware = existsSync('/usr/share/vulkan/icd.d') || existsSync('/etc/vulkan/icd.d')
    if (!hardware) process.env.VK_ICD_FILENAMES = resolve(CHROMIUM, 'vk_swiftshader_icd.json')
    loadVulkan(resolve(CHROMIUM, 'libvulkan.so.1'))
  }
  const gpu = dawn.create([])
  keep.push(gpu)
  const adapter = await gpu.requestAdapter()
  keep.push(adapter)
  return adapter ? gpu : 'no Vulkan driver, nor Chromium’s SwiftShader'
}

/**
 * Loads the Vulkan loader under its own name, where the system has none, so that Dawn finds it loaded. Node takes the
 * library for a module that does not register itself and says so; RTLD_NODELETE keeps it in memory all the same.
 */
function loadVulkan(path: string): void {
  if (process.platform !== 'linux' || !existsSync(path) || !existsSync(dirname(path))) return
  try {
    process.dlopen({ exports: {} }, path, 0x1002)
  } catch {
    // As expected.
  }
}
