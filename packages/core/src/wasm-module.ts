import { BackendError } from './errors.js'

// Compiled once; instances are cheap.
const compiled = new Map<string, WebAssembly.Module>()

/**
 * The exports of a module of our kernels in a memory.
 * @param code the module, base64
 * @param user what wants it, for the error
 * @throws BackendError where this machine's JavaScript engine has no wasm SIMD (or threads, for a shared memory)
 */
export function instantiateWasm<Exports>(code: string, memory: WebAssembly.Memory, user: string): Exports {
  try {
    let module = compiled.get(code)
    if (!module) {
      module = new WebAssembly.Module(decodeBase64(code))
      compiled.set(code, module)
    }
    return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Exports
  } catch (cause) {
    throw new BackendError(
      `${user} cannot run here: the engine does not take its SIMD module`,
      'Use Node 20 or a browser of 2023 or later.',
      { cause }
    )
  }
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text)
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}
