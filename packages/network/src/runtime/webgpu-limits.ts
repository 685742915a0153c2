import { BackendError } from '@raypose/core'
import { parameterLayout } from '../architectures/network.js'
import type { NetworkSpec } from '../architectures/spec.js'

/**
 * onnxruntime's WebGPU (1.30) computes convolutions wrongly whose input channels 3 divides but not 4, and whose output channels 4
 * divides: its tiles of three lose terms. Found by comparison with its CPU kernels, of which all others agree to rounding.
 */
const wrong = (from: number, to: number): boolean =>
  from > 3 && from % 3 === 0 && from % 4 !== 0 && to % 4 === 0

/**
 * Checks that WebGPU computes a network rightly.
 * @param training with its gradients, which are convolutions the other way round
 * @throws BackendError naming the layer that it would not
 */
export function assertWebGpuComputes(spec: NetworkSpec, training: boolean): void {
  for (const { name, shape } of parameterLayout(spec).entries) {
    const [to, from, kernel] = shape
    if (shape.length !== 4 || kernel === 1) continue
    if (wrong(from, to) || (training && wrong(to, from)))
      throw new BackendError(
        `onnxruntime's WebGPU computes convolutions of ${from} to ${to} channels wrongly, and ${name} is one`,
        'Choose another width or numbers of channels that 4 divides, or the provider cpu.'
      )
  }
}
