import type { NetworkSpec } from '../architectures/spec.js'
import { nodeRuntime } from '../runtime/onnxruntime-node.js'
import { type Detector, type DetectorOptions, detectorOn } from './detector.js'

/**
 * Detection of landmarks with trained parameters.
 * @throws ModelError when parameters and spec do not fit
 * @throws BackendError when the runtime cannot be loaded
 */
export async function createDetector(
  network: { readonly spec: NetworkSpec; readonly parameters: Float32Array },
  options: DetectorOptions = {}
): Promise<Detector> {
  return detectorOn(options.runtime ?? (await nodeRuntime()), network, options)
}
