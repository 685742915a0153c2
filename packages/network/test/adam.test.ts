import { expect, test } from 'vitest'
import { type AdamHyper, adamUpdate, hyperLength, hyperVector } from '../src/graph/adam.js'
import { createGraph } from '../src/graph/graph.js'
import { nodeRuntime } from '../src/runtime/onnxruntime-node.js'
import { normals } from './support.js'

const size = 40
const names = ['parameters', 'first', 'second', 'average'] as const

/** AdamW after Loshchilov & Hutter, algorithm 2, in float64. */
function reference(start: Float32Array, gradients: Float32Array[], decayed: Float32Array, h: AdamHyper) {
  const p = Float64Array.from(start)
  const average = Float64Array.from(start)
  const m = new Float64Array(size)
  const v = new Float64Array(size)
  gradients.forEach((gradient, index) => {
    const t = index + 1
    const factor = Math.min(1, h.clipNorm / Math.hypot(...gradient))
    const kept = Math.min(h.averageDecay, t / (t + 9))
    for (let i = 0; i < size; i++) {
      const g = gradient[i] * factor
      m[i] = h.beta1 * m[i] + (1 - h.beta1) * g
      v[i] = h.beta2 * v[i] + (1 - h.beta2) * g * g
      const mHat = m[i] / (1 - h.beta1 ** t)
      const vHat = v[i] / (1 - h.beta2 ** t)
      p[i] -= h.lr * (mHat / (Math.sqrt(vHat) + h.epsilon) + h.weightDecay * decayed[i] * p[i])
      average[i] = kept * average[i] + (1 - kept) * p[i]
    }
  })
  return { parameters: p, average }
}

test.each([Number.POSITIVE_INFINITY, 2])(
  'AdamW in the graph follows the algorithm, clipped at %d',
  async clipNorm => {
    const graph = createGraph()
    const input = (name: string) => graph.input(name, [size])
    const decayed = Float32Array.from({ length: size }, (_, i) => i % 2)
    const state = {
      parameters: input('parameters'),
      first: input('first'),
      second: input('second'),
      average: input('average')
    }
    const hyperInput = graph.input('hyper', [hyperLength])
    const { next, gradientNorm } = adamUpdate(
      state,
      input('gradient'),
      graph.constant([size], decayed),
      hyperInput
    )
    for (const n of names) graph.output(`next.${n}`, next[n])
    graph.output('norm', gradientNorm)
    const runtime = await nodeRuntime()
    const session = await runtime.createSession(graph.toOnnx())

    const h = {
      lr: 0.03,
      beta1: 0.9,
      beta2: 0.99,
      epsilon: 1e-6,
      weightDecay: 0.1,
      clipNorm,
      averageDecay: 0.7
    }
    const start = normals([size], 1)
    const gradients = Array.from({ length: 12 }, (_, t) =>
      normals([size], 50 + t).map(x => x * (t % 3 === 0 ? 0.1 : 1))
    )
    let values = [start, new Float32Array(size), new Float32Array(size), start]
    for (let t = 0; t < gradients.length; t++) {
      const feeds = Object.fromEntries(names.map((n, i) => [n, runtime.tensor(values[i], [size])]))
      const out = await session.run({
        ...feeds,
        gradient: runtime.tensor(gradients[t], [size]),
        hyper: runtime.tensor(hyperVector(h, t + 1), [hyperLength])
      })
      expect(out.norm.data[0]).toBeCloseTo(Math.hypot(...gradients[t]), 4)
      values = names.map(n => out[`next.${n}`].data)
    }
    await session.release()
    const expected = reference(start, gradients, decayed, h)
    for (let i = 0; i < size; i++) {
      expect(values[0][i]).toBeCloseTo(expected.parameters[i], 4)
      expect(values[3][i]).toBeCloseTo(expected.average[i], 4)
    }
  }
)
