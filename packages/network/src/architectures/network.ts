import { createGraph, type Graph, type Tensor } from '../graph/graph.js'
import { meanSquaredError, softmaxCrossEntropy } from '../graph/losses.js'
import { add, reshape, scale, slice } from '../graph/ops.js'
import { compactForward } from './compact.js'
import { cpmForward } from './cpm.js'
import { createLayers, type ParameterDeclaration, type ParameterSource, type Tap } from './layers.js'
import { binsPerLandmark, type NetworkSpec } from './spec.js'

/** Version of the training and inference graphs; stored in each graph's metadata. */
export const graphVersion = '1'

/** A parameter's place in the flat vector. */
export interface ParameterEntry extends ParameterDeclaration {
  readonly offset: number
  readonly size: number
}

export interface ParameterLayout {
  readonly entries: readonly ParameterEntry[]
  /** Length of the flat vector. */
  readonly total: number
}

export interface Forward {
  /** [N, landmarks, bins]: logits for `compact`, mean of the stages' maps for `cpm`. */
  readonly scores: Tensor
  /** Maps that the loss compares with the targets. */
  readonly stages: readonly Tensor[]
}

/** Appends the network to the graph of `x` [N, 1, inputHeight, inputWidth]. */
export function forward(
  spec: NetworkSpec,
  x: Tensor,
  parameter: ParameterSource,
  tap?: (t: Tap) => void
): Forward {
  const layers = createLayers(parameter, tap)
  if (spec.kind === 'compact') {
    const scores = compactForward(spec, x, layers)
    return { scores, stages: [scores] }
  }
  const stages = cpmForward(spec, x, layers)
  return { scores: scale(stages.reduce(add), 1 / stages.length), stages }
}

/**
 * Scalar loss against targets [N, landmarks, bins]. `compact`: softmax cross-entropy over the cells and the absent
 * bin. `cpm`: squared differences summed over stages and cells, averaged over batch and landmarks.
 */
export function lossOf(spec: NetworkSpec, result: Forward, targets: Tensor): Tensor {
  if (spec.kind === 'compact') return softmaxCrossEntropy(result.scores, targets)
  const total = result.stages.map(s => meanSquaredError(s, targets)).reduce(add)
  return scale(total, binsPerLandmark(spec))
}

/** Names, shapes and places of all parameters, in the order the network declares them. */
export function parameterLayout(spec: NetworkSpec): ParameterLayout {
  const graph = createGraph()
  const entries: ParameterEntry[] = []
  let total = 0
  forward(spec, graph.input('x', inputShape(spec, 1)), declaration => {
    const size = declaration.shape.reduce((a, b) => a * b, 1)
    entries.push({ ...declaration, offset: total, size })
    total += size
    return graph.input(declaration.name, declaration.shape)
  })
  return { entries, total }
}

export const inputShape = (spec: NetworkSpec, batch: number): number[] => [
  batch,
  1,
  spec.inputHeight,
  spec.inputWidth
]

export const targetShape = (spec: NetworkSpec, batch: number): number[] => [
  batch,
  spec.landmarks,
  binsPerLandmark(spec)
]

/**
 * Parameters cut out of one flat vector. Each is a variable of its own, collected in `variables`, because the adjoint
 * of cutting would pad every gradient to the whole vector.
 */
export function parametersFromVector(vector: Tensor, variables: Tensor[]): ParameterSource {
  let at = 0
  return ({ shape }) => {
    const from = at
    at += shape.reduce((a, b) => a * b, 1)
    const part = vector.graph.withoutTape(() => reshape(slice(vector, 0, from, at), shape))
    variables.push({ ...part, variable: true })
    return variables[variables.length - 1]
  }
}

/** Parameters as constants, for inference: onnxruntime can then fold and re-order them. */
export function parametersAsConstants(graph: Graph, values: Float32Array): ParameterSource {
  let at = 0
  return ({ shape }) => {
    const from = at
    at += shape.reduce((a, b) => a * b, 1)
    return graph.constant(shape, values.slice(from, at))
  }
}
