import type { Tensor } from '../graph/graph.js'
import { spaceToDepth, upsampleNearest } from '../graph/image-ops.js'
import { add, concat, globalMean, relu, reshape } from '../graph/ops.js'
import type { LayerOptions, Layers } from './layers.js'
import { type CompactSpec, mapSize } from './spec.js'

/**
 * Encoder-decoder: pixels folded 2×2 into channels, three halvings, two or three doublings with additive skips.
 * The maps say where a landmark is; an extra bin per landmark, from the mean of the deepest features, says that it
 * lies outside the image, so that one softmax weighs both.
 * @param x normalised images [N, 1, inputHeight, inputWidth]
 * @returns logits [N, landmarks, cells + 1]
 */
export function compactForward(spec: CompactSpec, x: Tensor, layers: Layers): Tensor {
  const [c2, c4, c8, c16] = spec.channels
  const [d8, d4, d2] = spec.decoder
  const { width, height } = mapSize(spec)
  const { normalisation } = spec
  const block = (name: string, input: Tensor, channels: number, options: LayerOptions = {}) =>
    relu(layers.convolution(name, input, channels, 3, { normalisation, ...options }))
  const halve = (name: string, input: Tensor, channels: number) => block(name, input, channels, { stride: 2 })

  const half = block('encoder2', spaceToDepth(x), c2)
  const quarter = block('encoder4b', halve('encoder4a', half, c4), c4)
  let eighth = halve('encoder8a', quarter, c8)
  eighth = block('encoder8c', block('encoder8b', eighth, c8), c8)
  let deep = halve('encoder16a', eighth, c16)
  for (const [i, dilation] of (spec.dilations ?? [1, 2, 1]).entries())
    deep = block(`encoder16${String.fromCharCode(98 + i)}`, deep, c16, { dilation })
  /** Closed by a convolution that starts at zero, so that the block starts as the identity (Zhang et al., Fixup, 2019). */
  const residual = (name: string, input: Tensor, channels: number, dilation: number) =>
    relu(
      add(
        input,
        layers.convolution(
          `${name}.close`,
          block(`${name}.open`, input, channels, { dilation }),
          channels,
          3,
          { normalisation, gain: 0 }
        )
      )
    )
  const [deepBlocks, middleBlocks] = spec.residuals ?? [0, 0]
  for (let i = 0; i < deepBlocks; i++) deep = residual(`deep${i}`, deep, c16, i % 2 === 0 ? 2 : 1)

  const lifted = upsampleNearest(layers.convolution('lift8', deep, c8, 1))
  let middle = block('decoder8', add(lifted, eighth), d8)
  for (let i = 0; i < middleBlocks; i++) middle = residual(`middle${i}`, middle, d8, 1)
  /** Doubles the maps and adds the encoder's of that size. */
  const refine = (level: number, coarse: Tensor, skipped: Tensor, channels: number) => {
    const skip = layers.convolution(`skip${level}`, skipped, channels, 1, { normalisation })
    const raised = upsampleNearest(layers.convolution(`lift${level}`, coarse, channels, 1))
    return block(`decoder${level}`, relu(add(raised, skip)), channels)
  }
  let features = refine(4, middle, quarter, d4)
  if (d2 !== undefined) features = refine(2, features, half, d2)
  const maps = layers.convolution('maps', features, spec.landmarks, 1, { gain: 0.1, head: true })

  const cells = width * height
  // At the start a landmark is absent with probability about 1/4, as in views that cut the pelvis.
  const absent = layers.linear('absent', globalMean(deep), spec.landmarks, {
    gain: 0.1,
    head: true,
    bias: Math.log(cells / 3)
  })
  const n = x.shape[0]
  return concat([reshape(maps, [n, spec.landmarks, cells]), reshape(absent, [n, spec.landmarks, 1])], 2)
}
