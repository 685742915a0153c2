import { BackendError } from '../errors.js'
import { ownMemoryWasm, sharedMemoryWasm } from './generated/drr-kernels.js'

/** Exports of assembly/drr.ts, which says what the arguments are; addresses and strides in bytes. */
export interface DrrKernels {
  slab(
    parameters: number,
    entries: number,
    count: number,
    ranges: number,
    columns: number,
    rows: number,
    cells: number,
    depths: number,
    tables: number
  ): void
  warp(
    cells: number,
    columns: number,
    rows: number,
    parameters: number,
    working: number,
    width: number,
    height: number,
    out: number
  ): void
  warpDerivatives(
    cells: number,
    depths: number,
    columns: number,
    rows: number,
    parameters: number,
    working: number,
    width: number,
    height: number,
    out: number,
    stride: number
  ): void
  joseph(parameters: number, rays: number, width: number, height: number, out: number): void
}

// Compiled once for each kind of memory; instances are cheap.
const compiled = new Map<boolean, WebAssembly.Module>()

/** @throws BackendError where this machine's JavaScript engine has no wasm SIMD (or threads, for a shared memory) */
export function instantiateKernels(memory: WebAssembly.Memory, shared: boolean): DrrKernels {
  try {
    let module = compiled.get(shared)
    if (!module) {
      module = new WebAssembly.Module(decodeBase64(shared ? sharedMemoryWasm : ownMemoryWasm))
      compiled.set(shared, module)
    }
    return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as DrrKernels
  } catch (cause) {
    throw new BackendError(
      'The wasm renderer cannot run here: the engine does not take its SIMD module',
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
