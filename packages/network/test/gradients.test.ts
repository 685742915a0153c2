import { describe, expect, test } from 'vitest'
import { gradients } from '../src/graph/autodiff.js'
import { conv2d } from '../src/graph/convolution.js'
import { createGraph } from '../src/graph/graph.js'
import {
  averagePool,
  depthToSpace,
  groupNorm,
  maximum,
  maxPool,
  maxPool3,
  spaceToDepth,
  upsampleNearest
} from '../src/graph/image-ops.js'
import { meanSquaredError, softmaxCrossEntropy } from '../src/graph/losses.js'
import * as ops from '../src/graph/ops.js'
import { type Build, evaluate, expectGradients, normals } from './support.js'

/** Distinct values at least 0.05 apart, so that no step of the finite differences crosses a kink or a tie. */
const spread = (shape: readonly number[], seed: number) => {
  const order = normals(shape, seed)
  const ranked = [...order.keys()].sort((a, b) => order[a] - order[b])
  const out = new Float32Array(order.length)
  ranked.forEach((index, rank) => {
    out[index] = (rank - order.length / 2 + 0.25) * 0.05
  })
  return out
}

const cases: [string, number[][], Build, Float32Array[]?][] = [
  [
    'add, broadcast',
    [
      [2, 3, 4],
      [3, 1]
    ],
    (_, [a, b]) => ops.add(a, b)
  ],
  [
    'sub, broadcast',
    [
      [3, 1],
      [2, 3, 4]
    ],
    (_, [a, b]) => ops.sub(a, b)
  ],
  ['mul, broadcast', [[2, 3], [3]], (_, [a, b]) => ops.mul(a, b)],
  [
    'div',
    [
      [2, 3],
      [2, 1]
    ],
    (_, [a, b]) => ops.div(a, ops.addScalar(ops.mul(b, b), 1))
  ],
  ['sqrt', [[5]], (_, [a]) => ops.sqrt(ops.addScalar(ops.mul(a, a), 1))],
  ['scale', [[4]], (_, [a]) => ops.scale(a, -2.5)],
  ['relu', [[3, 5]], (_, [a]) => ops.relu(a), [spread([3, 5], 1)]],
  ['reshape and transpose', [[2, 3, 4]], (_, [a]) => ops.transpose(ops.reshape(a, [3, 2, 4]), [2, 0, 1])],
  ['slice', [[3, 5]], (_, [a]) => ops.slice(a, 1, 1, 4)],
  ['pad', [[2, 3]], (_, [a]) => ops.pad(a, [1, 0], [0, 2])],
  [
    'concat',
    [
      [2, 3],
      [2, 1],
      [2, 2]
    ],
    (_, parts) => ops.concat(parts, 1)
  ],
  ['sum over axes', [[2, 3, 4]], (_, [a]) => ops.reduceSum(a, [0, 2])],
  ['mean, kept axes', [[2, 3, 4]], (_, [a]) => ops.reduceMean(a, [1], true)],
  ['global mean', [[2, 3, 4, 2]], (_, [a]) => ops.globalMean(a)],
  [
    'matmul',
    [
      [2, 3, 4],
      [2, 4, 5]
    ],
    (_, [a, b]) => ops.matmul(a, b)
  ],
  [
    'matmul, second transposed',
    [
      [3, 4],
      [5, 4]
    ],
    (_, [a, b]) => ops.matmul(a, b, true)
  ],
  ['linear', [[3, 4], [5, 4], [5]], (_, [x, w, b]) => ops.linear(x, w, b)],
  ['space to depth', [[2, 3, 4, 6]], (_, [a]) => spaceToDepth(a)],
  ['depth to space', [[2, 8, 2, 3]], (_, [a]) => depthToSpace(a)],
  ['nearest upsampling', [[2, 3, 2, 3]], (_, [a]) => upsampleNearest(a)],
  ['average pool', [[2, 3, 4, 6]], (_, [a]) => averagePool(a)],
  ['max pool', [[2, 2, 4, 6]], (_, [a]) => maxPool(a), [spread([2, 2, 4, 6], 2)]],
  ['max pool 3×3', [[1, 2, 4, 6]], (_, [a]) => maxPool3(ops.relu(a)), [spread([1, 2, 4, 6], 3)]],
  [
    'maximum',
    [[2, 3, 4]],
    (_, [a]) => maximum(ops.slice(a, 0, 0, 1), ops.slice(a, 0, 1, 2)),
    [spread([2, 3, 4], 4)]
  ],
  ['group norm', [[2, 4, 3, 2], [4], [4]], (_, [x, g, s]) => groupNorm(x, 2, g, s)],
  ['conv 3×3 with bias', [[2, 3, 4, 5], [2, 3, 3, 3], [2]], (_, [x, w, b]) => conv2d(x, w, b)],
  [
    'conv 3×3, many channels',
    [
      [2, 8, 3, 4],
      [3, 8, 3, 3]
    ],
    (_, [x, w]) => conv2d(x, w)
  ],
  [
    'conv 3×3, dilation 2',
    [
      [2, 8, 5, 6],
      [2, 8, 3, 3]
    ],
    (_, [x, w]) => conv2d(x, w, undefined, { dilation: 2 })
  ],
  [
    'conv 3×3, stride 2, even',
    [
      [2, 8, 4, 6],
      [2, 8, 3, 3]
    ],
    (_, [x, w]) => conv2d(x, w, undefined, { stride: 2 })
  ],
  [
    'conv 3×3, stride 2, odd',
    [
      [2, 2, 5, 7],
      [3, 2, 3, 3]
    ],
    (_, [x, w]) => conv2d(x, w, undefined, { stride: 2 })
  ],
  [
    'conv 3×3, no padding',
    [
      [1, 2, 5, 4],
      [3, 2, 3, 3]
    ],
    (_, [x, w]) => conv2d(x, w, undefined, { padding: 0 })
  ],
  [
    'conv 2×2, stride 2',
    [
      [2, 8, 4, 4],
      [3, 8, 2, 2]
    ],
    (_, [x, w]) => conv2d(x, w, undefined, { padding: 0, stride: 2 })
  ],
  ['conv 1×1', [[2, 8, 3, 4], [3, 8, 1, 1], [3]], (_, [x, w, b]) => conv2d(x, w, b)],
  [
    'conv 5×5',
    [
      [1, 2, 6, 5],
      [2, 2, 5, 5]
    ],
    (_, [x, w]) => conv2d(x, w)
  ],
  [
    'squared error',
    [
      [2, 5],
      [2, 5]
    ],
    (_, [a, b]) => meanSquaredError(a, b)
  ],
  [
    'softmax cross-entropy',
    [[2, 3, 4]],
    (graph, [a]) => {
      const targets = normals([2, 3, 4], 5).map(Math.exp)
      for (let r = 0; r < 6; r++) {
        const sum = targets.slice(4 * r, 4 * r + 4).reduce((x, y) => x + y)
        for (let i = 4 * r; i < 4 * r + 4; i++) targets[i] /= sum
      }
      return softmaxCrossEntropy(a, graph.constant([2, 3, 4], targets))
    }
  ],
  ['a value used twice', [[3, 4]], (_, [a]) => ops.add(ops.mul(a, a), ops.relu(ops.addScalar(a, 10)))]
]

describe('gradients agree with central differences', () => {
  test.each(cases)('%s', async (_, shapes, build, values) => {
    await expectGradients(shapes, build, values)
  })
})

describe('values', () => {
  const run = async (shape: number[], values: number[], build: Build) => {
    const { result, release } = await evaluate([shape], [Float32Array.from(values)], build)
    await release()
    return [...result]
  }

  test('a 3×3 convolution of an impulse is the flipped kernel', async () => {
    const kernel = Float32Array.from({ length: 9 }, (_, i) => i + 1)
    const impulse = [0, 0, 0, 0, 1, 0, 0, 0, 0]
    const out = await run([1, 1, 3, 3], impulse, (g, [x]) => conv2d(x, g.constant([1, 1, 3, 3], kernel)))
    expect(out).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1])
  })

  test('space to depth orders channels by row, then column within the block', async () => {
    expect(await run([1, 1, 2, 4], [1, 2, 3, 4, 5, 6, 7, 8], (_, [x]) => spaceToDepth(x))).toEqual([
      1, 3, 2, 4, 5, 7, 6, 8
    ])
  })

  test('3×3 max pooling starts its windows at even pixels', async () => {
    const row = [1, 0, 5, 0, 2, 7]
    expect(await run([1, 1, 2, 6], [...row, 0, 0, 0, 0, 0, 9], (_, [x]) => maxPool3(x))).toEqual([5, 5, 9])
  })

  test('cross-entropy of equal logits is the logarithm of the number of bins', async () => {
    const targets = Float32Array.of(0.5, 0.25, 0.25, 0, 0, 0, 1, 0)
    const out = await run([2, 4], new Array(8).fill(3), (g, [x]) =>
      softmaxCrossEntropy(x, g.constant([2, 4], targets))
    )
    expect(out[0]).toBeCloseTo(Math.log(4), 6)
  })

  test('group normalisation leaves zero mean and unit variance in every group', async () => {
    const values = [...normals([1, 4, 3, 2], 8)].map(x => 3 * x + 7)
    const ones = new Float32Array(4).fill(1)
    const out = await run([1, 4, 3, 2], values, (g, [x]) =>
      groupNorm(x, 2, g.constant([4], ones), g.constant([4], new Float32Array(4)))
    )
    for (const group of [out.slice(0, 12), out.slice(12)]) {
      const mean = group.reduce((a, b) => a + b) / 12
      expect(mean).toBeCloseTo(0, 5)
      expect(group.reduce((a, b) => a + (b - mean) ** 2, 0) / 12).toBeCloseTo(1, 4)
    }
  })
})

test('gradients of a tensor that is not a scalar are refused', () => {
  const graph = createGraph()
  const x = graph.variable('x', [2])
  expect(() => gradients(ops.scale(x, 2), [x])).toThrowError(expect.objectContaining({ code: 'model' }))
})

test('an input that the loss does not depend on has a zero gradient', async () => {
  const { gradients: found, release } = await evaluate(
    [[2], [3]],
    [Float32Array.of(1, 2), new Float32Array(3)],
    (_, [a]) => ops.reduceSum(a)
  )
  await release()
  expect([...found[0]]).toEqual([1, 1])
  expect([...found[1]]).toEqual([0, 0, 0])
})
