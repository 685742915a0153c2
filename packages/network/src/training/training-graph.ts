import {
  forward,
  graphVersion,
  inputShape,
  lossOf,
  type ParameterEntry,
  parameterLayout,
  parametersFromVector,
  targetShape
} from '../architectures/network.js'
import type { NetworkSpec } from '../architectures/spec.js'
import { adamUpdate, hyperLength } from '../graph/adam.js'
import { gradients } from '../graph/autodiff.js'
import { createGraph, type Graph, type Tensor } from '../graph/graph.js'
import type { MatrixPlace } from '../graph/muon.js'
import { concat, fill, reshape } from '../graph/ops.js'

const flatten = (t: Tensor) => reshape(t, [t.shape.reduce((a, b) => a * b, 1)])

function lossAndGradient(spec: NetworkSpec, batch: number, graph: Graph) {
  const { entries, total } = parameterLayout(spec)
  const vector = graph.input('parameters', [total])
  const variables: Tensor[] = []
  const x = graph.input('images', inputShape(spec, batch))
  const result = forward(spec, x, parametersFromVector(vector, variables))
  const loss = lossOf(spec, result, graph.input('targets', targetShape(spec, batch)))
  const gradient = graph.withoutTape(() => concat(gradients(loss, variables).map(flatten), 0))
  return { entries, total, vector, loss, gradient }
}

/**
 * What takes the steps: `adam` (AdamW), or `muon` for the convolutions within the network and AdamW for biases, gains and
 * the layers that give the output.
 */
export type Optimiser = 'adam' | 'muon'

/** Convolutions within the network, as matrices of outputs by inputs and cells. */
const muonPlaces = (entries: readonly ParameterEntry[]): MatrixPlace[] =>
  entries
    .filter(e => e.shape.length === 4 && !e.head)
    .map(({ offset, shape: [rows], size }) => ({ offset, rows, columns: size / rows }))

/**
 * One training step as a graph: forward, backward, clipping, optimiser, weight average.
 * Inputs `images`, `targets`, `parameters`, `first`, `second`, `average`, `hyper`; outputs `next.parameters`,
 * `next.first`, `next.second`, `next.average`, `loss`, `gradientNorm`.
 */
export function trainingGraph(spec: NetworkSpec, batch: number, optimiser: Optimiser = 'adam'): Uint8Array {
  const graph = createGraph()
  const { entries, total, vector, loss, gradient } = lossAndGradient(spec, batch, graph)
  const state = {
    parameters: vector,
    first: graph.input('first', [total]),
    second: graph.input('second', [total]),
    average: graph.input('average', [total])
  }
  // Weight decay would pull biases and gains away from where the data put them.
  const decayed = concat(
    entries.map(e => fill(graph, [e.size], e.shape.length > 1 ? 1 : 0)),
    0
  )
  const { next, gradientNorm } = adamUpdate(
    state,
    gradient,
    decayed,
    graph.input('hyper', [hyperLength]),
    optimiser === 'muon' ? muonPlaces(entries) : []
  )
  for (const [name, value] of Object.entries(next)) graph.output(`next.${name}`, value)
  graph.output('loss', loss)
  graph.output('gradientNorm', gradientNorm)
  return graph.toOnnx({ kind: 'raypose-training', version: graphVersion })
}

/** Loss and flat gradient only: inputs `images`, `targets`, `parameters`; outputs `loss`, `gradient`. */
export function gradientGraph(spec: NetworkSpec, batch: number): Uint8Array {
  const graph = createGraph()
  const { loss, gradient } = lossAndGradient(spec, batch, graph)
  graph.output('loss', loss)
  graph.output('gradient', gradient)
  return graph.toOnnx({ kind: 'raypose-gradient', version: graphVersion })
}
