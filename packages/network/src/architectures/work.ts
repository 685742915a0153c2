import { createGraph, type Operation, sizeOf } from '../graph/graph.js'
import { matmul } from '../graph/ops.js'
import { forward, inputShape, parameterLayout } from './network.js'
import type { NetworkSpec } from './spec.js'

/** What one image costs, floating-point operations: two for every multiply-add. */
export interface NetworkWork {
  readonly parameters: number
  readonly forwardFlop: number
  /** Forward and backward pass. */
  readonly trainingFlop: number
}

/**
 * Counts the multiply-adds of convolutions and matrix products by walking the network's graph. The backward pass
 * counts one such product again for every operand that gradients are wanted for: the weights, and the input except
 * where it is the image. Everything else (activations, sums, copies, optimiser) counts nothing, so that a rate in
 * FLOP/s says how well the time is used.
 */
export function networkWork(spec: NetworkSpec): NetworkWork {
  const graph = createGraph()
  forward(spec, graph.input('images', inputShape(spec, 1)), ({ name, shape }) => graph.variable(name, shape))
  let forwardFlop = 0
  let trainingFlop = 0
  for (const operation of graph.operations) {
    const flop = 2 * multiplyAdds(operation)
    forwardFlop += flop
    trainingFlop += flop * (1 + operation.inputs.slice(0, 2).filter(i => i?.variable).length)
  }
  return { parameters: parameterLayout(spec).total, forwardFlop, trainingFlop }
}

function multiplyAdds({ operator, inputs, output }: Operation): number {
  const [a, b] = inputs
  if (!a || !b) return 0
  if (operator === 'Conv') return sizeOf(output.shape) * sizeOf(b.shape.slice(1))
  if (operator === 'MatMul' || operator === 'FusedMatMul')
    return sizeOf(output.shape) * a.shape[a.shape.length - 1]
  return 0
}

/** The product of two square matrices as a graph, to measure what the machine can do: inputs `a`, `b`; output `c`. */
export function productGraph(size: number): Uint8Array {
  const graph = createGraph()
  graph.output('c', matmul(graph.input('a', [size, size]), graph.input('b', [size, size])))
  return graph.toOnnx({ kind: 'raypose-product' })
}
