import { createRandom } from '@raypose/core'
import { expect } from 'vitest'
import { gradients } from '../src/graph/autodiff.js'
import { createGraph, type Graph, sizeOf, type Tensor } from '../src/graph/graph.js'
import { mul, reduceSum } from '../src/graph/ops.js'
import { nodeRuntime } from '../src/runtime/onnxruntime-node.js'

export type Build = (graph: Graph, inputs: Tensor[]) => Tensor

/** Values for a [shape], standard normal. */
export function normals(shape: readonly number[], seed: number): Float32Array {
  const random = createRandom(seed)
  return Float32Array.from({ length: sizeOf(shape) }, () => random.normal())
}

/**
 * Runs `build` on `values` and returns the result, and the gradient of Σ weights∘result for every input, where the
 * weights are random: every entry of the adjoint is then seen.
 */
export async function evaluate(shapes: readonly (readonly number[])[], values: Float32Array[], build: Build) {
  const graph = createGraph()
  const variables = shapes.map((s, i) => graph.variable(`x${i}`, s))
  const result = build(graph, variables)
  const weights = normals(result.shape, 99)
  const loss =
    result.shape.length === 0 ? result : reduceSum(mul(result, graph.constant(result.shape, weights)))
  graph.output('result', result)
  gradients(loss, variables).forEach((g, i) => {
    graph.output(`g${i}`, g)
  })
  const runtime = await nodeRuntime()
  const session = await runtime.createSession(graph.toOnnx())
  const run = async (at: Float32Array[]) =>
    session.run(Object.fromEntries(at.map((v, i) => [`x${i}`, runtime.tensor(v, shapes[i])])))
  const weighted = (data: Float32Array) =>
    result.shape.length === 0 ? data[0] : data.reduce((sum, y, i) => sum + y * weights[i], 0)
  const out = await run(values)
  return {
    result: out.result.data.slice(),
    gradients: shapes.map((_, i) => out[`g${i}`].data.slice()),
    lossAt: async (at: Float32Array[]) => weighted((await run(at)).result.data),
    release: () => session.release()
  }
}

/**
 * Compares every gradient with central differences. The tolerance is what float32 leaves at this step: rounding of
 * the loss (relative 1e-6) divided by the step, plus the curvature.
 */
export async function expectGradients(
  shapes: readonly (readonly number[])[],
  build: Build,
  values = shapes.map((s, i) => normals(s, 11 + i)),
  step = 1e-2
): Promise<void> {
  const { gradients: found, lossAt, release } = await evaluate(shapes, values, build)
  for (let i = 0; i < shapes.length; i++) {
    const numeric = new Float32Array(values[i].length)
    for (let j = 0; j < values[i].length; j++) {
      const moved = (delta: number) =>
        values.map((v, k) => (k === i ? v.map((x, l) => (l === j ? x + delta : x)) : v))
      numeric[j] = ((await lossAt(moved(step))) - (await lossAt(moved(-step)))) / (2 * step)
    }
    const norm = Math.hypot(...numeric)
    const difference = Math.hypot(...numeric.map((x, j) => x - found[i][j]))
    expect(norm, `input ${i} has an effect`).toBeGreaterThan(0)
    expect(difference / norm, `relative error of the gradient for input ${i}`).toBeLessThan(5e-3)
  }
  await release()
}
