import type { Tensor } from './graph.js'
import { requireShape } from './graph.js'
import { mul, reduceMean, reduceSum, scale, sub } from './ops.js'

/**
 * Cross-entropy −Σ t·log softmax(x) over the last axis, averaged over all other axes. Targets are constants and each
 * row sums to 1 (soft targets); the adjoint softmax(x) − t is exact only then.
 */
export function softmaxCrossEntropy(logits: Tensor, targets: Tensor): Tensor {
  requireShape(
    String(logits.shape) === String(targets.shape),
    `Logits [${logits.shape}] and targets [${targets.shape}] differ in shape`
  )
  const { graph, shape } = logits
  const last = shape.length - 1
  const rows = shape.slice(0, last).reduce((a, b) => a * b, 1)
  const axis = { axis: { int: last } }
  const output = graph.withoutTape(() => {
    const logProbability = graph.node('LogSoftmax', [logits], axis, shape)
    return scale(reduceSum(mul(targets, logProbability)), -1 / rows)
  })
  // Recorded by hand: the generic adjoint would keep three more maps of the size of the logits.
  const loss: Tensor = { ...output, variable: logits.variable }
  const backward = (g: Tensor) => {
    const probability = graph.node('Softmax', [logits], axis, shape)
    return [mul(sub(probability, targets), scale(g, 1 / rows))]
  }
  graph.record({ output: loss, inputs: [logits], backward })
  return loss
}

/** Mean of the squared differences over all entries. */
export function meanSquaredError(a: Tensor, b: Tensor): Tensor {
  requireShape(String(a.shape) === String(b.shape), `[${a.shape}] and [${b.shape}] differ in shape`)
  const difference = sub(a, b)
  return reduceMean(mul(difference, difference))
}
