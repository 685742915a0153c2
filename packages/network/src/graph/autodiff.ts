import { ModelError } from '@raypose/core'
import type { Tensor } from './graph.js'
import { add, fill } from './ops.js'

/**
 * Appends the backward pass of a scalar `loss` to its graph (reverse-mode differentiation over the tape).
 * @returns the gradient of the loss for each of `variables`, of the same shape; zeros where nothing depends on it
 * @throws ModelError when the loss is not a scalar
 */
export function gradients(loss: Tensor, variables: readonly Tensor[]): Tensor[] {
  if (loss.shape.length !== 0)
    throw new ModelError(
      `Gradients were asked of a tensor of shape [${loss.shape}]`,
      'Reduce it to a scalar.'
    )
  const { graph } = loss
  return graph.withoutTape(() => {
    const found = new Map<string, Tensor>([[loss.name, graph.scalar(1)]])
    for (let i = graph.tape.length - 1; i >= 0; i--) {
      const entry = graph.tape[i]
      const gradient = found.get(entry.output.name)
      if (!gradient) continue
      entry.backward(gradient).forEach((part, j) => {
        const input = entry.inputs[j]
        if (!part || !input.variable) return
        const before = found.get(input.name)
        found.set(input.name, before ? add(before, part) : part)
      })
    }
    return variables.map(v => found.get(v.name) ?? fill(graph, v.shape, 0))
  })
}
