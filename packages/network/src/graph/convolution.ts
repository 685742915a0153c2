import type { Tensor } from './graph.js'
import { requireShape } from './graph.js'
import { concat, matmul, pad, reduceSum, reshape, slice, transpose } from './ops.js'

export interface ConvolutionOptions {
  /** Zeros on every side; default (kernel − 1)·dilation/2, which keeps the size at stride 1. */
  readonly padding?: number
  readonly dilation?: number
  readonly stride?: number
}

interface Geometry {
  readonly kernel: number
  readonly padding: number
  readonly dilation: number
  readonly stride: number
}

/**
 * Two-dimensional cross-correlation with a square kernel.
 * @param x [N, I, H, W]
 * @param weight [O, I, k, k]
 * @param bias [O], or none
 * @returns [N, O, H', W'] with H' = floor((H + 2·padding − (k − 1)·dilation − 1)/stride) + 1
 */
export function conv2d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvolutionOptions = {}): Tensor {
  const [n, ci, h, w] = x.shape
  const [co, wi, kernel, kernel2] = weight.shape
  requireShape(ci === wi && kernel === kernel2, `Weights [${weight.shape}] do not fit an input [${x.shape}]`)
  const dilation = options.dilation ?? 1
  const stride = options.stride ?? 1
  const padding = options.padding ?? ((kernel - 1) * dilation) / 2
  const geometry: Geometry = { kernel, padding, dilation, stride }
  const extent = (size: number) => Math.floor((size + 2 * padding - (kernel - 1) * dilation - 1) / stride) + 1
  const inputs = bias ? [x, weight, bias] : [x, weight]
  const output = x.graph.node('Conv', inputs, attributes(geometry), [n, co, extent(h), extent(w)])
  const backward = (g: Tensor) => [
    x.variable ? inputGradient(g, x, weight, geometry) : null,
    weight.variable ? weightGradient(g, x, weight, geometry) : null,
    bias?.variable ? reduceSum(g, [0, 2, 3]) : null
  ]
  x.graph.record({ output, inputs, backward })
  return output
}

const attributes = (g: Geometry) => ({
  kernel_shape: { ints: [g.kernel, g.kernel] },
  pads: { ints: [g.padding, g.padding, g.padding, g.padding] },
  dilations: { ints: [g.dilation, g.dilation] },
  strides: { ints: [g.stride, g.stride] }
})

/** Transposed convolution; at stride 1 as a convolution with flipped weights, which onnxruntime runs faster. */
function inputGradient(g: Tensor, x: Tensor, weight: Tensor, geometry: Geometry): Tensor {
  const { graph } = x
  const { kernel, padding, dilation, stride } = geometry
  if (stride > 1) {
    const reach = (size: number) => (size - 1) * stride + (kernel - 1) * dilation + 1 - 2 * padding
    const extra = [x.shape[2] - reach(g.shape[2]), x.shape[3] - reach(g.shape[3])]
    return graph.node(
      'ConvTranspose',
      [g, weight],
      { ...attributes(geometry), output_padding: { ints: extra } },
      x.shape
    )
  }
  const swapped = transpose(weight, [1, 0, 2, 3])
  let flipped = swapped
  if (kernel > 1) {
    const bounds = [
      [-1, -1],
      [-1 - kernel, -1 - kernel],
      [2, 3],
      [-1, -1]
    ].map(v => graph.integers(v))
    flipped = graph.node('Slice', [swapped, ...bounds], {}, swapped.shape)
  }
  return conv2d(g, flipped, undefined, { padding: (kernel - 1) * dilation - padding, dilation })
}

/**
 * Weight gradient: for every kernel offset the product of the output gradient with the shifted input, image by image (so that both stay in
 * the cache), summed over the batch.
 *
 * Maps have room beside each line, so that a shift by (i, j) is one by a fixed number of entries of a channel's run of memory. The input
 * is shifted by rows and the gradient, the other way, by columns: 2k copies of long runs give all k² pairs. Few input channels are
 * put side by side, or products of a few columns each would starve the GEMM. A stride is taken apart first: the input's stride²
 * phases are inputs of their own.
 */
function weightGradient(g: Tensor, x: Tensor, weight: Tensor, geometry: Geometry): Tensor {
  const { kernel, padding, dilation, stride } = geometry
  const [co, ci] = weight.shape
  const [n, , ho, wo] = g.shape
  if (kernel === 1 && stride === 1 && padding === 0) {
    const flat = (t: Tensor) => reshape(t, [n, t.shape[1], ho * wo])
    return reshape(reduceSum(matmul(flat(g), flat(x), true), [0]), weight.shape)
  }
  // An offset of the kernel: which phase of the input, and its shift there.
  const offsets = Array.from({ length: kernel }, (_, i) => ({
    phase: (i * dilation) % stride,
    shift: Math.floor((i * dilation) / stride)
  }))
  const reach = offsets[kernel - 1].shift
  const [lines, columns] = [ho + reach, wo + reach]
  const phases = splitPhases(x, padding, stride, [lines, columns])
  const rowShifted = memo((phase: number, shift: number) => {
    const moved = lines === ho ? phases[phase] : slice(phases[phase], 2, shift, shift + ho)
    return reshape(moved, [n, ci, ho * columns])
  })
  // A line of zeros before the first, so that the gradient can be moved on by columns.
  const before = reach > 0 ? 1 : 0
  const roomy = reshape(pad(g, [0, 0, before, 0], [0, 0, 0, reach]), [n, co, (ho + before) * columns])
  const columnShifted = memo((shift: number) => {
    const from = before * columns - shift
    return before === 0 ? roomy : slice(roomy, 2, from, from + ho * columns)
  })
  const together = ci < 8
  const products = offsets.flatMap(column => {
    const moved = offsets.map(row => rowShifted(row.phase * stride + column.phase, row.shift))
    const factors = together ? [concat(moved, 1)] : moved
    return factors.map(m => matmul(columnShifted(column.shift), m, true))
  })
  const stacked = concat(
    products.map(p => reshape(p, [1, ...p.shape])),
    0
  )
  const summed = reduceSum(stacked, [1])
  // [j][co][i][ci] where rows went together, [j][i][co][ci] otherwise; the weights are [co][ci][i][j].
  return together
    ? transpose(reshape(summed, [kernel, co, kernel, ci]), [1, 3, 2, 0])
    : transpose(reshape(summed, [kernel, kernel, co, ci]), [2, 3, 1, 0])
}

/**
 * The padded input's pixels (stride·r + a, stride·c + b) as maps of their own, [a·stride + b], each `size` large: cut, or filled up with
 * zeros, at the end.
 */
function splitPhases(x: Tensor, padding: number, stride: number, size: readonly [number, number]): Tensor[] {
  const [, channels, h, w] = x.shape
  const after = [h, w].map((d, axis) => stride * size[axis] - d - padding)
  const padded = pad(x, [0, 0, padding, padding], [0, 0, ...after.map(a => Math.max(0, a))])
  const cut = after.reduce((t, a, axis) => (a < 0 ? slice(t, 2 + axis, 0, stride * size[axis]) : t), padded)
  if (stride === 1) return [cut]
  const [n] = x.shape
  const blocks = x.graph.node('SpaceToDepth', [cut], { blocksize: { int: stride } }, [
    n,
    stride * stride * channels,
    size[0],
    size[1]
  ])
  return Array.from({ length: stride * stride }, (_, p) => slice(blocks, 1, p * channels, (p + 1) * channels))
}

/** The same tensor for the same arguments: what several products share is computed once. */
function memo<A extends number[]>(make: (...a: A) => Tensor): (...a: A) => Tensor {
  const made = new Map<string, Tensor>()
  return (...a) => {
    const key = a.join()
    const t = made.get(key) ?? make(...a)
    made.set(key, t)
    return t
  }
}
