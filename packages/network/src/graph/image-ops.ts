import type { Tensor } from './graph.js'
import { requireShape } from './graph.js'
import { add, div, mul, pad, reduceMean, reshape, scale, slice, sqrt, sub } from './ops.js'

const even = (x: Tensor) =>
  requireShape(
    x.shape[2] % 2 === 0 && x.shape[3] % 2 === 0,
    `[${x.shape}] has an odd number of rows or columns`
  )

/** [N, C, H, W] to [N, 4C, H/2, W/2]; channel (2·dy + dx)·C + c is pixel (2i + dy, 2j + dx) of channel c. */
export function spaceToDepth(x: Tensor): Tensor {
  even(x)
  const [n, c, h, w] = x.shape
  const output = x.graph.node('SpaceToDepth', [x], { blocksize: { int: 2 } }, [n, 4 * c, h / 2, w / 2])
  x.graph.record({ output, inputs: [x], backward: g => [depthToSpace(g)] })
  return output
}

/** Inverse of `spaceToDepth`. */
export function depthToSpace(x: Tensor): Tensor {
  const [n, c, h, w] = x.shape
  requireShape(c % 4 === 0, `[${x.shape}] has a number of channels that 4 does not divide`)
  const output = x.graph.node('DepthToSpace', [x], { blocksize: { int: 2 }, mode: { string: 'DCR' } }, [
    n,
    c / 4,
    2 * h,
    2 * w
  ])
  x.graph.record({ output, inputs: [x], backward: g => [spaceToDepth(g)] })
  return output
}

/** Every pixel becomes a 2×2 block of itself. */
export function upsampleNearest(x: Tensor): Tensor {
  const { graph } = x
  const [n, c, h, w] = x.shape
  const output = graph.node(
    'Resize',
    [x, null, graph.constant([4], Float32Array.of(1, 1, 2, 2))],
    {
      mode: { string: 'nearest' },
      nearest_mode: { string: 'floor' },
      coordinate_transformation_mode: { string: 'asymmetric' }
    },
    [n, c, 2 * h, 2 * w]
  )
  graph.record({ output, inputs: [x], backward: g => [scale(averagePool(g), 4)] })
  return output
}

/** Mean of 2×2 blocks, stride 2. */
export function averagePool(x: Tensor): Tensor {
  even(x)
  const [n, c, h, w] = x.shape
  const output = x.graph.node(
    'AveragePool',
    [x],
    { kernel_shape: { ints: [2, 2] }, strides: { ints: [2, 2] } },
    [n, c, h / 2, w / 2]
  )
  x.graph.record({ output, inputs: [x], backward: g => [scale(upsampleNearest(g), 0.25)] })
  return output
}

/**
 * Largest of 2×2 blocks, stride 2. The adjoint finds the winners by comparison with the upsampled result, because
 * index outputs of MaxPool are not available on every backend; equal winners in one block all receive the gradient.
 */
export function maxPool(x: Tensor): Tensor {
  even(x)
  const { graph } = x
  const [n, c, h, w] = x.shape
  const output = graph.node('MaxPool', [x], { kernel_shape: { ints: [2, 2] }, strides: { ints: [2, 2] } }, [
    n,
    c,
    h / 2,
    w / 2
  ])
  const backward = (g: Tensor) => {
    const winner = graph.node('Equal', [x, upsampleNearest(output)], {}, x.shape, { type: 'bool' })
    return [graph.node('Where', [winner, upsampleNearest(g), graph.scalar(0)], {}, x.shape)]
  }
  graph.record({ output, inputs: [x], backward })
  return output
}

/** Elementwise maximum; where both are equal the gradient goes to `b`. */
export function maximum(a: Tensor, b: Tensor): Tensor {
  const { graph, shape } = a
  const output = graph.node('Max', [a, b], {}, shape)
  const backward = (g: Tensor) => {
    const first = graph.node('Greater', [a, b], {}, shape, { type: 'bool' })
    const zero = graph.scalar(0)
    return [
      a.variable ? graph.node('Where', [first, g, zero], {}, shape) : null,
      b.variable ? graph.node('Where', [first, zero, g], {}, shape) : null
    ]
  }
  graph.record({ output, inputs: [a, b], backward })
  return output
}

/**
 * Largest of 3×3 blocks, stride 2, windows starting at even pixels; values must not be negative (zeros pad the end).
 * Axis by axis as the maximum of even, odd and next even entries, so that ties pass the gradient on only once.
 */
export function maxPool3(x: Tensor): Tensor {
  even(x)
  const along = (y: Tensor, axis: number) => {
    const half = y.shape[axis] / 2
    const split = [...y.shape.slice(0, axis), half, 2, ...y.shape.slice(axis + 1)]
    const pooled = y.shape.map((d, i) => (i === axis ? half : d))
    const pairs = reshape(y, split)
    const [first, second] = [0, 1].map(k => reshape(slice(pairs, axis + 1, k, k + 1), pooled))
    const after = pooled.map((_, i) => (i === axis ? 1 : 0))
    const next = slice(pad(first, [0, 0, 0, 0], after), axis, 1, half + 1)
    return maximum(maximum(first, second), next)
  }
  return along(along(x, 2), 3)
}

/** Group normalisation (Wu & He 2018) with a scale and a shift per channel, both [C]. */
export function groupNorm(x: Tensor, groups: number, gain: Tensor, shift: Tensor, epsilon = 1e-5): Tensor {
  const [n, c, h, w] = x.shape
  requireShape(c % groups === 0, `${groups} groups do not divide ${c} channels`)
  const grouped = reshape(x, [n, groups, (c / groups) * h * w])
  const centred = sub(grouped, reduceMean(grouped, [2], true))
  const variance = reduceMean(mul(centred, centred), [2], true)
  const deviation = sqrt(add(variance, x.graph.scalar(epsilon)))
  const unit = reshape(div(centred, deviation), x.shape)
  return add(mul(unit, reshape(gain, [1, c, 1, 1])), reshape(shift, [1, c, 1, 1]))
}
