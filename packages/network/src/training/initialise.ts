import { createRandom } from '@raypose/core'
import { forward, inputShape, parameterLayout, parametersFromVector } from '../architectures/network.js'
import type { NetworkSpec } from '../architectures/spec.js'
import { createGraph, type Tensor } from '../graph/graph.js'
import { concat, mul, reduceMean, reshape, sqrt, sub } from '../graph/ops.js'
import { nodeRuntime } from '../runtime/onnxruntime-node.js'

/** Random parameters by each layer's own rule (He et al. 2015); the same for the same seed. */
export function randomParameters(spec: NetworkSpec, seed: number): Float32Array {
  const { entries, total } = parameterLayout(spec)
  const random = createRandom(seed)
  const values = new Float32Array(total)
  for (const { initial, offset, size } of entries)
    for (let i = offset; i < offset + size; i++)
      values[i] = 'normal' in initial ? initial.normal * random.normal() : initial.constant
  return values
}

/**
 * Random parameters whose layers are rescaled, one after the other, until each gives unit standard deviation (times
 * its own gain) on a sample batch: layer-sequential unit-variance initialisation (Mishkin & Matas 2016).
 * @param images normalised images, a whole number of [1, inputHeight, inputWidth]
 */
export async function initialiseParameters(
  spec: NetworkSpec,
  seed: number,
  images: Float32Array
): Promise<Float32Array> {
  const values = randomParameters(spec, seed)
  const { entries, total } = parameterLayout(spec)
  const batch = Math.floor(images.length / (spec.inputWidth * spec.inputHeight))
  const graph = createGraph()
  const taps: { weight: string; gain: number; deviation: Tensor }[] = []
  const vector = graph.input('parameters', [total])
  const x = graph.input('images', inputShape(spec, batch))
  forward(spec, x, parametersFromVector(vector, []), ({ weight, gain, value }) => {
    const centred = sub(value, reduceMean(value, [0, 1, 2, 3], true))
    taps.push({ weight, gain, deviation: sqrt(reduceMean(mul(centred, centred))) })
  })
  if (taps.length === 0) return values
  graph.output(
    'deviations',
    concat(
      taps.map(t => reshape(t.deviation, [1])),
      0
    )
  )

  const runtime = await nodeRuntime()
  const session = await runtime.createSession(graph.toOnnx())
  try {
    const feeds = { images: runtime.tensor(images, inputShape(spec, batch)) }
    for (let i = 0; i < taps.length; i++) {
      const parameters = runtime.tensor(values, [total])
      const { deviations } = await session.run({ ...feeds, parameters })
      const entry = entries.find(e => e.name === taps[i].weight)
      const deviation = deviations.data[i]
      // A layer that is dead on the sample keeps its random scale.
      if (!entry || !(deviation > 1e-6)) continue
      const factor = taps[i].gain / deviation
      for (let j = entry.offset; j < entry.offset + entry.size; j++) values[j] *= factor
    }
  } finally {
    await session.release()
  }
  return values
}
