import { instantiateWasm } from '../wasm-module.js'
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

/** @throws BackendError where this machine's JavaScript engine has no wasm SIMD (or threads, for a shared memory) */
export const instantiateKernels = (memory: WebAssembly.Memory, shared: boolean): DrrKernels =>
  instantiateWasm(shared ? sharedMemoryWasm : ownMemoryWasm, memory, 'The wasm renderer')
