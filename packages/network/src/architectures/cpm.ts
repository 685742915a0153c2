import type { Tensor } from '../graph/graph.js'
import { maxPool3 } from '../graph/image-ops.js'
import { concat, relu, reshape } from '../graph/ops.js'
import type { Layers } from './layers.js'
import { type CpmSpec, mapSize } from './spec.js'

/**
 * Convolutional pose machine (Wei, Ramakrishna, Kanade, Sheikh 2016), the paper's network N: a first stage of local
 * evidence, then stages that see the image features beside the previous stage's maps over a growing field.
 * @param x normalised images [N, 1, inputHeight, inputWidth]
 * @returns the maps of every stage, each [N, landmarks, cells]
 */
export function cpmForward(spec: CpmSpec, x: Tensor, layers: Layers): Tensor[] {
  const wide = (channels: number) => Math.max(1, Math.round(channels * spec.width))
  const block = (name: string, input: Tensor, channels: number, kernel: number) =>
    relu(layers.convolution(name, input, wide(channels), kernel))
  const trunk = (name: string) => {
    let y = x
    for (const i of [1, 2, 3]) y = maxPool3(block(`${name}${i}`, y, 128, 9))
    return block(`${name}4`, y, 32, 5)
  }
  // The maps start near zero, which is what most of every target map is.
  const mapsOf = (name: string, input: Tensor) =>
    layers.convolution(name, input, spec.landmarks, 1, { gain: 0.1, head: true })

  let y = block('stage1.5', trunk('stage1.'), 512, 9)
  y = block('stage1.6', y, 512, 1)
  const stages = [mapsOf('stage1.maps', y)]
  const features = spec.stages > 1 ? trunk('shared') : undefined
  for (let s = 2; s <= spec.stages && features; s++) {
    y = concat([features, stages[s - 2]], 1)
    for (const i of [1, 2, 3]) y = block(`stage${s}.${i}`, y, 128, 11)
    stages.push(mapsOf(`stage${s}.maps`, block(`stage${s}.4`, y, 128, 1)))
  }
  const { width, height } = mapSize(spec)
  return stages.map(m => reshape(m, [x.shape[0], spec.landmarks, width * height]))
}
