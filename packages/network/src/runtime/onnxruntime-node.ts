import { BackendError, ModelError } from '@raypose/core'
import type * as Ort from 'onnxruntime-node'
import type { Runtime, RuntimeTensor } from './runtime.js'

let loaded: Promise<Runtime> | undefined

/**
 * The runtime on onnxruntime-node, loaded at the first call.
 * @throws BackendError when the native library cannot be loaded on this machine
 */
export function nodeRuntime(): Promise<Runtime> {
  loaded ??= import('onnxruntime-node').then(
    module => createRuntime(module),
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

function createRuntime(ort: typeof Ort): Runtime {
  const asTensor = (t: RuntimeTensor): Ort.Tensor =>
    t instanceof ort.Tensor ? t : new ort.Tensor('float32', t.data, t.dims)
  const wrap = <T>(what: string, work: Promise<T>): Promise<T> =>
    work.catch((cause: unknown) => {
      const message = cause instanceof Error ? cause.message : String(cause)
      throw new ModelError(
        `onnxruntime could not ${what}: ${message}`,
        'Check that graph and inputs fit together.',
        {
          cause
        }
      )
    })
  return {
    name: 'onnxruntime-node',
    tensor: (data, dims) => new ort.Tensor('float32', data, dims) as unknown as RuntimeTensor,
    async createSession(model, options = {}) {
      const session = await wrap(
        'load the graph',
        ort.InferenceSession.create(model, {
          executionProviders: [options.provider ?? 'cpu'],
          intraOpNumThreads: options.threads ?? 1,
          interOpNumThreads: 1,
          executionMode: 'sequential',
          graphOptimizationLevel: 'all',
          logSeverityLevel: 3,
          // Waiting threads sleep instead of burning the cores that render the next batch.
          extra: { session: { intra_op: { allow_spinning: '0' } } }
        })
      )
      return {
        async run(inputs, outputs) {
          const feeds = Object.fromEntries(Object.entries(inputs).map(([k, t]) => [k, asTensor(t)]))
          const fetches =
            outputs && Object.fromEntries(Object.entries(outputs).map(([k, t]) => [k, asTensor(t)]))
          const run = fetches ? session.run(feeds, fetches) : session.run(feeds)
          return (await wrap('run the graph', run)) as unknown as Record<string, RuntimeTensor>
        },
        release: () => session.release()
      }
    }
  }
}
