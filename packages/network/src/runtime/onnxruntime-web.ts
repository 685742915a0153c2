import { BackendError } from '@raypose/core'
import type { OnnxRuntime } from './onnxruntime.js'
import { runtimeOver } from './onnxruntime.js'
import type { Runtime } from './runtime.js'

export interface WebRuntimeOptions {
  /** 'wasm' (the default; SIMD, several threads on a cross-origin isolated page) or 'webgpu'. */
  readonly provider?: 'wasm' | 'webgpu'
  /**
   * Threads of all sessions, which share one pool of workers; more than 1 needs a cross-origin isolated page. By
   * default 1, or half the processors up to 4 on an isolated page.
   */
  readonly threads?: number
  /** Folder URL of onnxruntime's .wasm files; by default they lie beside its script. */
  readonly wasmPaths?: string
}

type OnnxRuntimeWeb = OnnxRuntime & {
  readonly env: { readonly wasm: { numThreads?: number; wasmPaths?: unknown } }
}

const loaded = new Map<string, Promise<Runtime>>()

/**
 * The runtime on onnxruntime-web, for browsers and their workers, loaded at the first call; the options of a
 * provider's first call hold. Sessions ignore `threads` of their own: the pool of workers is one for all.
 * @throws BackendError when onnxruntime-web cannot be loaded, or WebGPU is asked for where there is none
 */
export async function webRuntime(options: WebRuntimeOptions = {}): Promise<Runtime> {
  const provider = options.provider ?? 'wasm'
  if (provider === 'webgpu') await requireWebGpu()
  const found = loaded.get(provider)
  if (found) return found
  const made = load(provider, options)
  loaded.set(provider, made)
  made.catch(() => loaded.delete(provider))
  return made
}

async function load(provider: 'wasm' | 'webgpu', options: WebRuntimeOptions): Promise<Runtime> {
  let ort: OnnxRuntimeWeb
  try {
    // The build without WebGPU is half the size.
    ort =
      provider === 'webgpu' ? await import('onnxruntime-web/webgpu') : await import('onnxruntime-web/wasm')
  } catch (cause) {
    throw new BackendError(
      `onnxruntime-web cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`,
      'Install it (npm install onnxruntime-web) and let the page find it, by a bundler or an import map.',
      { cause }
    )
  }
  if (options.threads !== undefined) ort.env.wasm.numThreads = options.threads
  if (options.wasmPaths !== undefined) ort.env.wasm.wasmPaths = options.wasmPaths
  return runtimeOver(`onnxruntime-web (${provider})`, ort, session => ({
    executionProviders: [!session.provider || session.provider === 'cpu' ? provider : session.provider]
  }))
}

async function requireWebGpu(): Promise<void> {
  const gpu = (globalThis.navigator as { gpu?: { requestAdapter(): Promise<unknown> } } | undefined)?.gpu
  if (!(await gpu?.requestAdapter()))
    throw new BackendError(
      'This browser has no WebGPU adapter',
      "Use the provider 'wasm', which runs everywhere."
    )
}
