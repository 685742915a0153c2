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
 * Weight gradient: for every kernel offset the product of the output gradient with the shifted input, summed over
 * batch and pixels. k² matrix products with the batch in the inner dimension; with few input channels one product
 * with all offsets side by side (im2col), since k² products of a few columns each would starve the GEMM.
 *
 * The maps are laid out [channel, row, batch, column]: a shift by rows then copies one long run of memory, and only
 * the k shifts by columns copy line by line.
 */
function weightGradient(g: Tensor, x: Tensor, weight: Tensor, geometry: Geometry): Tensor {
  const { kernel, padding, dilation, stride } = geometry
  const [co, ci] = weight.shape
  const [n, , ho, wo] = g.shape
  const flat = reshape(transpose(g, [1, 2, 0, 3]), [co, ho * n * wo])
  const padded = pad(transpose(x, [1, 2, 0, 3]), [0, padding, 0, padding], [0, padding, 0, padding])
  const shift = (t: Tensor, axis: number, offset: number, count: number) => {
    const end = offset + (count - 1) * stride + 1
    return t.shape[axis] === count ? t : slice(t, axis, offset, end, stride)
  }
  const columns = Array.from({ length: kernel }, (_, j) => shift(padded, 3, j * dilation, wo))
  const shifted: Tensor[] = []
  for (let i = 0; i < kernel; i++)
    for (const column of columns) shifted.push(reshape(shift(column, 1, i * dilation, ho), [ci, ho * n * wo]))
  if (kernel === 1) return reshape(matmul(flat, shifted[0], true), weight.shape)
  if (ci < 8) {
    const all = matmul(flat, concat(shifted, 0), true)
    return reshape(transpose(reshape(all, [co, kernel * kernel, ci]), [0, 2, 1]), weight.shape)
  }
  const products = shifted.map(s => reshape(matmul(flat, s, true), [1, co, ci]))
  return reshape(transpose(concat(products, 0), [1, 2, 0]), weight.shape)
}
