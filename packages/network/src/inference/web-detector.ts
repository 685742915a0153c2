import type { NetworkSpec } from '../architectures/spec.js'
import { webRuntime } from '../runtime/onnxruntime-web.js'
import { type Detector, type DetectorOptions, detectorOn } from './detector.js'

/**
 * Detection of landmarks with trained parameters, in a browser.
 * @throws ModelError when parameters and spec do not fit
 * @throws BackendError when the runtime cannot be loaded
 */
export async function createDetector(
  network: { readonly spec: NetworkSpec; readonly parameters: Float32Array },
  options: DetectorOptions = {}
): Promise<Detector> {
  return detectorOn(options.runtime ?? (await webRuntime()), network, options)
}
