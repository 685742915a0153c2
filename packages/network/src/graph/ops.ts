import type { Graph, Tensor } from './graph.js'
import { requireShape, sizeOf } from './graph.js'

/**
 * Differentiable operations on symbolic tensors. Each appends its ONNX nodes and records its adjoint in terms of
 * the same operations; image tensors are [batch, channels, rows, columns]. Convolutions are in `convolution.ts`.
 */
export const fill = (graph: Graph, shape: readonly number[], value: number): Tensor =>
  expand(graph.scalar(value), shape)

function expand(x: Tensor, shape: readonly number[]): Tensor {
  if (String(x.shape) === String(shape)) return x
  if (shape.length === 0) return reshape(x, [])
  const output = x.graph.node('Expand', [x, x.graph.integers(shape)], {}, shape)
  x.graph.record({ output, inputs: [x], backward: g => [sumToShape(g, x.shape)] })
  return output
}

export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  requireShape(sizeOf(shape) === sizeOf(x.shape), `Cannot reshape [${x.shape}] to [${shape}]`)
  const output = x.graph.node('Reshape', [x, x.graph.integers(shape)], {}, shape)
  x.graph.record({ output, inputs: [x], backward: g => [reshape(g, x.shape)] })
  return output
}

/** Output axis i is input axis `order[i]`. */
export function transpose(x: Tensor, order: readonly number[]): Tensor {
  const shape = order.map(i => x.shape[i])
  const output = x.graph.node('Transpose', [x], { perm: { ints: order } }, shape)
  const inverse = order.map((_, i) => order.indexOf(i))
  x.graph.record({ output, inputs: [x], backward: g => [transpose(g, inverse)] })
  return output
}

/** Entries start, start + step, … below `end` along one axis. */
export function slice(x: Tensor, axis: number, start: number, end: number, step = 1): Tensor {
  const { graph } = x
  const size = x.shape[axis]
  requireShape(
    0 <= start && start < end && end <= size && step >= 1,
    `Cannot slice ${start}..${end} of ${size}`
  )
  const kept = Math.ceil((end - start) / step)
  const shape = x.shape.map((d, i) => (i === axis ? kept : d))
  const inputs = [[start], [end], [axis], [step]].map(v => graph.integers(v))
  const output = graph.node('Slice', [x, ...inputs], {}, shape)
  const backward = (g: Tensor) => {
    requireShape(step === 1, 'A slice with a step has no adjoint here')
    const before = x.shape.map((_, i) => (i === axis ? start : 0))
    const after = x.shape.map((_, i) => (i === axis ? size - end : 0))
    return [pad(g, before, after)]
  }
  graph.record({ output, inputs: [x], backward })
  return output
}

/** Zeros before and after along each axis. */
export function pad(x: Tensor, before: readonly number[], after: readonly number[]): Tensor {
  if (before.every(n => n === 0) && after.every(n => n === 0)) return x
  const shape = x.shape.map((d, i) => d + before[i] + after[i])
  const output = x.graph.node('Pad', [x, x.graph.integers([...before, ...after])], {}, shape)
  const backward = (g: Tensor) => {
    let part = g
    x.shape.forEach((d, i) => {
      if (part.shape[i] !== d) part = slice(part, i, before[i], before[i] + d)
    })
    return [part]
  }
  x.graph.record({ output, inputs: [x], backward })
  return output
}

export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const { graph, shape: first } = parts[0]
  for (const p of parts)
    requireShape(
      p.shape.length === first.length && p.shape.every((d, i) => i === axis || d === first[i]),
      `Cannot join [${p.shape}] to [${first}] along axis ${axis}`
    )
  const total = parts.reduce((sum, p) => sum + p.shape[axis], 0)
  const shape = first.map((d, i) => (i === axis ? total : d))
  const output = graph.node('Concat', parts, { axis: { int: axis } }, shape)
  const backward = (g: Tensor) => {
    let at = 0
    return parts.map(p => {
      const from = at
      at += p.shape[axis]
      return p.variable ? slice(g, axis, from, at) : null
    })
  }
  graph.record({ output, inputs: parts, backward })
  return output
}

function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1
    const y = b[i - rank + b.length] ?? 1
    requireShape(x === y || x === 1 || y === 1, `Shapes [${a}] and [${b}] do not broadcast`)
    return Math.max(x, y)
  })
}

/** Adjoint of broadcasting: sums over the axes that were stretched. */
function sumToShape(g: Tensor, shape: readonly number[]): Tensor {
  if (String(g.shape) === String(shape)) return g
  const lead = g.shape.length - shape.length
  const axes = g.shape.flatMap((d, i) => (i < lead || (shape[i - lead] === 1 && d !== 1) ? [i] : []))
  return reshape(axes.length > 0 ? reduceSum(g, axes) : g, shape)
}

type Binary = (a: Tensor, b: Tensor) => Tensor

function binary(
  operator: string,
  adjoint: (g: Tensor, a: Tensor, b: Tensor) => [() => Tensor, () => Tensor]
): Binary {
  return (a, b) => {
    const output = a.graph.node(operator, [a, b], {}, broadcastShape(a.shape, b.shape))
    const backward = (g: Tensor) => {
      const [ga, gb] = adjoint(g, a, b)
      return [a.variable ? sumToShape(ga(), a.shape) : null, b.variable ? sumToShape(gb(), b.shape) : null]
    }
    a.graph.record({ output, inputs: [a, b], backward })
    return output
  }
}

export const add = binary('Add', g => [() => g, () => g])
export const sub = binary('Sub', g => [() => g, () => scale(g, -1)])
export const mul = binary('Mul', (g, a, b) => [() => mul(g, b), () => mul(g, a)])
export const div = binary('Div', (g, a, b) => [() => div(g, b), () => scale(div(mul(g, a), mul(b, b)), -1)])

export function scale(x: Tensor, factor: number): Tensor {
  const output = x.graph.node('Mul', [x, x.graph.scalar(factor)], {}, x.shape)
  x.graph.record({ output, inputs: [x], backward: g => [scale(g, factor)] })
  return output
}

export const addScalar = (x: Tensor, value: number): Tensor => add(x, x.graph.scalar(value))

export function sqrt(x: Tensor): Tensor {
  const output = x.graph.node('Sqrt', [x], {}, x.shape)
  x.graph.record({ output, inputs: [x], backward: g => [scale(div(g, output), 0.5)] })
  return output
}

export function relu(x: Tensor): Tensor {
  const { graph } = x
  const output = graph.node('Relu', [x], {}, x.shape)
  // Of the result, not of x: onnxruntime can then fuse the activation into the convolution before it. 0 or 1 by a steep hard sigmoid, which runs
  // in vectors and threads; Sign, or Greater and Where, take four times as long.
  const backward = (g: Tensor) => {
    const steep = { alpha: { float: 1e30 }, beta: { float: 0 } }
    return [graph.withoutTape(() => mul(g, graph.node('HardSigmoid', [output], steep, x.shape)))]
  }
  graph.record({ output, inputs: [x], backward })
  return output
}

/** Sum over `axes`; the axes vanish unless `keep`. All axes (the default) give a scalar. */
export function reduceSum(
  x: Tensor,
  axes: readonly number[] = x.shape.map((_, i) => i),
  keep = false
): Tensor {
  if (x.shape.length === 0) return x
  const shape = x.shape.flatMap((d, i) => (axes.includes(i) ? (keep ? [1] : []) : [d]))
  const kept = x.shape.map((d, i) => (axes.includes(i) ? 1 : d))
  const output = x.graph.node(
    'ReduceSum',
    [x, x.graph.integers(axes)],
    { keepdims: { int: keep ? 1 : 0 } },
    shape
  )
  x.graph.record({ output, inputs: [x], backward: g => [expand(reshape(g, kept), x.shape)] })
  return output
}

export function reduceMean(
  x: Tensor,
  axes: readonly number[] = x.shape.map((_, i) => i),
  keep = false
): Tensor {
  return scale(reduceSum(x, axes, keep), 1 / sizeOf(axes.map(a => x.shape[a])))
}

/** [N, C, H, W] to [N, C]: the mean of every channel. */
export const globalMean = (x: Tensor): Tensor => reduceMean(x, [2, 3])

/** The last two axes exchanged. */
export const swapLast = (x: Tensor): Tensor => {
  const order = x.shape.map((_, i) => i)
  const r = order.length
  return transpose(x, [...order.slice(0, r - 2), r - 1, r - 2])
}

/**
 * a · b over the last two axes, leading axes (batches) equal. `transposeB` reads b's last two axes swapped without a
 * copy (FusedMatMul), which is what weight gradients need.
 */
export function matmul(a: Tensor, b: Tensor, transposeB = false): Tensor {
  const r = a.shape.length
  const inner = transposeB ? b.shape[r - 1] : b.shape[r - 2]
  requireShape(
    r >= 2 &&
      b.shape.length === r &&
      a.shape[r - 1] === inner &&
      String(a.shape.slice(0, -2)) === String(b.shape.slice(0, -2)),
    `Cannot multiply [${a.shape}] by [${b.shape}]${transposeB ? ' transposed' : ''}`
  )
  const shape = [...a.shape.slice(0, -1), transposeB ? b.shape[r - 2] : b.shape[r - 1]]
  const output = transposeB
    ? a.graph.node('FusedMatMul', [a, b], { transB: { int: 1 } }, shape, { domain: 'com.microsoft' })
    : a.graph.node('MatMul', [a, b], {}, shape)
  const backward = (g: Tensor) => [
    a.variable ? matmul(g, b, !transposeB) : null,
    b.variable ? (transposeB ? matmul(swapLast(g), a) : matmul(swapLast(a), g)) : null
  ]
  a.graph.record({ output, inputs: [a, b], backward })
  return output
}

/** [N, I] · weightᵀ [O, I] + bias [O]. */
export const linear = (x: Tensor, weight: Tensor, bias: Tensor): Tensor => add(matmul(x, weight, true), bias)
