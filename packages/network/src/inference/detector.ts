import { type Detection, ModelError } from '@raypose/core'
import {
  forward,
  graphVersion,
  inputShape,
  parameterLayout,
  parametersAsConstants
} from '../architectures/network.js'
import { binsPerLandmark, type NetworkSpec } from '../architectures/spec.js'
import { createGraph } from '../graph/graph.js'
import type { Runtime, RuntimeTensor, Session } from '../runtime/runtime.js'
import { assertWebGpuComputes } from '../runtime/webgpu-limits.js'
import { decode } from './decode.js'
import { normaliseInput } from './normalise.js'

export interface DetectorOptions {
  /** Threads inside one run; 1 by default. In a browser the runtime's, see `webRuntime`. */
  readonly threads?: number
  readonly provider?: string
  /** Images in one run; 1 (the default) has the least latency, 4 to 8 the most images a second. */
  readonly batchSize?: number
  /** onnxruntime-node in Node, onnxruntime-web on wasm in a browser, unless given. */
  readonly runtime?: Runtime
}

export interface Detector {
  readonly spec: NetworkSpec
  /**
   * Landmarks of every image, in pixels of that image.
   * @param images imageHeight × imageWidth values each, row-major, bone bright, any linear scale
   */
  detect(images: readonly Float32Array[]): Promise<Detection[][]>
  /** Raw scores [landmarks, bins] of images that are normalised already, [n, inputHeight, inputWidth]. */
  scores(inputs: Float32Array): Promise<Float32Array>
  release(): Promise<void>
}

/** The network as an ONNX graph with its weights inside: input `images`, output `scores`. */
export function inferenceGraph(spec: NetworkSpec, parameters: Float32Array, batch: number): Uint8Array {
  const { total } = parameterLayout(spec)
  if (parameters.length !== total)
    throw new ModelError(
      `${parameters.length} parameters were given to a network of ${total}`,
      'Load the weights together with the spec they were trained with.'
    )
  const graph = createGraph()
  const x = graph.input('images', inputShape(spec, batch))
  graph.output('scores', forward(spec, x, parametersAsConstants(graph, parameters)).scores)
  return graph.toOnnx({ kind: 'raypose-inference', version: graphVersion, spec: JSON.stringify(spec) })
}

/**
 * Detection of landmarks with trained parameters on a given runtime; knows no platform.
 * @throws ModelError when parameters and spec do not fit; BackendError for a network that WebGPU would compute wrongly
 */
export async function detectorOn(
  runtime: Runtime,
  network: { readonly spec: NetworkSpec; readonly parameters: Float32Array },
  options: Omit<DetectorOptions, 'runtime'> = {}
): Promise<Detector> {
  const { spec, parameters } = network
  const batch = options.batchSize ?? 1
  if (options.provider === 'webgpu' || runtime.name.includes('webgpu')) assertWebGpuComputes(spec, false)
  const session: Session = await runtime.createSession(inferenceGraph(spec, parameters, batch), {
    threads: options.threads ?? 1,
    provider: options.provider
  })
  const pixels = spec.inputWidth * spec.inputHeight
  const perImage = spec.landmarks * binsPerLandmark(spec)
  const input: RuntimeTensor = runtime.tensor(new Float32Array(batch * pixels), inputShape(spec, batch))

  const detector: Detector = {
    spec,
    async scores(inputs) {
      const count = inputs.length / pixels
      const all = new Float32Array(count * perImage)
      for (let from = 0; from < count; from += batch) {
        const n = Math.min(batch, count - from)
        input.data.set(inputs.subarray(from * pixels, (from + n) * pixels))
        const { scores } = await session.run({ images: input })
        all.set(scores.data.subarray(0, n * perImage), from * perImage)
      }
      return all
    },
    async detect(images) {
      const found: Detection[][] = []
      for (let from = 0; from < images.length; from += batch) {
        const n = Math.min(batch, images.length - from)
        for (let i = 0; i < n; i++) normaliseInput(spec, images[from + i], input.data, i * pixels)
        const { scores } = await session.run({ images: input })
        for (let i = 0; i < n; i++) found.push(decode(spec, scores.data, i * perImage))
      }
      return found
    },
    release: () => session.release()
  }
  return detector
}
