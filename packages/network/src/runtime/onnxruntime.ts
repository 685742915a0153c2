import { BackendError, ModelError } from '@raypose/core'
import type * as Ort from 'onnxruntime-node'
import type { Runtime, RuntimeTensor, SessionOptions } from './runtime.js'

/** What the onnxruntime packages for Node and for browsers have in common. */
export type OnnxRuntime = Pick<typeof Ort, 'InferenceSession' | 'Tensor'>

/** The seam over either onnxruntime package. */
export function runtimeOver(
  name: string,
  ort: OnnxRuntime,
  sessionOptions: (options: SessionOptions) => Ort.InferenceSession.SessionOptions
): Runtime {
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
    name,
    tensor: (data, dims) => new ort.Tensor('float32', data, dims) as unknown as RuntimeTensor,
    async createSession(model, options = {}) {
      const session = await wrap(
        'load the graph',
        ort.InferenceSession.create(model, {
          interOpNumThreads: 1,
          executionMode: 'sequential',
          graphOptimizationLevel: 'all',
          logSeverityLevel: 3,
          ...(options.keep
            ? { preferredOutputLocation: Object.fromEntries(options.keep.map(k => [k, 'gpu-buffer'])) }
            : {}),
          ...sessionOptions(options)
        })
      ).catch((error: ModelError) => {
        if (!/adapter|\bEP\b|execution provider|backend/i.test(error.message)) throw error
        throw new BackendError(
          `The provider ${options.provider ?? 'asked for'} cannot be used here: ${error.message}`,
          "WebGPU needs a GPU with its driver (Vulkan, Metal or Direct3D 12); the provider 'cpu' runs everywhere.",
          { cause: error }
        )
      })
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
