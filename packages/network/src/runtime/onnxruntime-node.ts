import { BackendError } from '@raypose/core'
import { runtimeOver } from './onnxruntime.js'
import type { Runtime } from './runtime.js'

let loaded: Promise<Runtime> | undefined

/**
 * The runtime on onnxruntime-node, loaded at the first call.
 * @throws BackendError when the native library cannot be loaded on this machine
 */
export function nodeRuntime(): Promise<Runtime> {
  loaded ??= import('onnxruntime-node').then(
    ort =>
      runtimeOver('onnxruntime-node', ort, options => ({
        executionProviders: [options.provider ?? 'cpu'],
        intraOpNumThreads: options.threads ?? 1,
        // Waiting threads sleep instead of burning the cores that render the next batch.
        extra: { session: { intra_op: { allow_spinning: '0' } } }
      })),
    (cause: unknown) => {
      loaded = undefined
      throw new BackendError(
        `onnxruntime-node cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`,
        'Install it for this platform (npm install --ignore-scripts onnxruntime-node).',
        { cause }
      )
    }
  )
  return loaded
}
