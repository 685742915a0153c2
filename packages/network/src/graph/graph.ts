import { ArgumentError, ModelError } from '@raypose/core'
import {
  type AttributeValue,
  type ElementType,
  type OnnxInitializer,
  type OnnxNode,
  type OnnxValue,
  writeOnnx
} from './onnx.js'

/** A value of the graph under construction: a name with a static shape, no data. */
export interface Tensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly type: ElementType
  readonly graph: Graph
  /** True when a variable is among its ancestors, so that a gradient can flow through it. */
  readonly variable: boolean
}

/** How the gradient of one value turns into those of its inputs (null: none needed). */
export interface TapeEntry {
  readonly output: Tensor
  readonly inputs: readonly Tensor[]
  backward(gradient: Tensor): readonly (Tensor | null)[]
}

/** One node of the graph with its values' shapes, for counting what it costs. */
export interface Operation {
  readonly operator: string
  readonly inputs: readonly (Tensor | null)[]
  readonly output: Tensor
}

export interface NodeOptions {
  readonly type?: ElementType
  readonly domain?: '' | 'com.microsoft'
}

/** Collects nodes, constants, inputs and outputs, and the tape that reverse-mode differentiation walks. */
export interface Graph {
  input(name: string, shape: readonly number[]): Tensor
  /** An input that gradients are wanted for. */
  variable(name: string, shape: readonly number[]): Tensor
  constant(shape: readonly number[], data: Float32Array): Tensor
  scalar(value: number): Tensor
  /** A one-dimensional int64 constant (shapes, axes, pads); equal lists share one. */
  integers(values: readonly number[]): Tensor
  /** Appends one ONNX node with one output. An input of `null` is an omitted optional input. */
  node(
    operator: string,
    inputs: readonly (Tensor | null)[],
    attributes: Readonly<Record<string, AttributeValue>>,
    shape: readonly number[],
    options?: NodeOptions
  ): Tensor
  /** Registers how to differentiate `output`; ignored while a backward pass is being appended. */
  record(entry: TapeEntry): void
  output(name: string, value: Tensor): void
  readonly tape: readonly TapeEntry[]
  /** All nodes so far, in their order. */
  readonly operations: readonly Operation[]
  /** Runs `work` without recording: a backward pass is not differentiated again. */
  withoutTape<T>(work: () => T): T
  toOnnx(metadata?: Readonly<Record<string, string>>): Uint8Array
}

export const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)

export function createGraph(): Graph {
  const nodes: OnnxNode[] = []
  const initializers: OnnxInitializer[] = []
  const inputs: OnnxValue[] = []
  const outputs: OnnxValue[] = []
  const tape: TapeEntry[] = []
  const operations: Operation[] = []
  const shared = new Map<string, Tensor>()
  let recording = true
  let count = 0

  const make = (name: string, shape: readonly number[], type: ElementType, variable: boolean): Tensor => ({
    name,
    shape,
    type,
    variable,
    graph
  })
  const addInput = (name: string, shape: readonly number[], variable: boolean) => {
    if (inputs.some(i => i.name === name))
      throw new ModelError(`Graph input "${name}" is declared twice`, 'Give every input its own name.')
    inputs.push({ name, shape, type: 'float32' })
    return make(name, shape, 'float32', variable)
  }
  const share = (key: string, create: () => Tensor) => {
    const found = shared.get(key)
    if (found) return found
    const made = create()
    shared.set(key, made)
    return made
  }

  const graph: Graph = {
    tape,
    operations,
    input: (name, shape) => addInput(name, shape, false),
    variable: (name, shape) => addInput(name, shape, true),
    constant(shape, data) {
      if (data.length !== sizeOf(shape))
        throw new ModelError(
          `A constant of shape [${shape}] was given ${data.length} numbers`,
          `Give ${sizeOf(shape)} numbers.`
        )
      const name = `c${count++}`
      initializers.push({ name, shape, data })
      return make(name, shape, 'float32', false)
    },
    scalar: value => share(`f${value}`, () => graph.constant([], Float32Array.of(value))),
    integers: values =>
      share(`i${values}`, () => {
        const name = `c${count++}`
        initializers.push({ name, shape: [values.length], data: [...values] })
        return make(name, [values.length], 'int64', false)
      }),
    node(operator, nodeInputs, attributes, shape, options = {}) {
      if (shape.some(d => !Number.isInteger(d) || d <= 0))
        throw new ModelError(
          `${operator} would give a tensor of shape [${shape}]`,
          'The input is too small or not divisible for this network: choose another input size.'
        )
      const name = `v${count++}`
      nodes.push({
        type: operator,
        domain: options.domain ?? '',
        inputs: nodeInputs.map(i => i?.name ?? ''),
        outputs: [name],
        attributes
      })
      const variable = recording && nodeInputs.some(i => i?.variable)
      const output = make(name, shape, options.type ?? 'float32', variable)
      operations.push({ operator, inputs: nodeInputs, output })
      return output
    },
    record(entry) {
      if (recording && entry.output.variable) tape.push(entry)
    },
    output(name, value) {
      nodes.push({ type: 'Identity', domain: '', inputs: [value.name], outputs: [name], attributes: {} })
      outputs.push({ name, shape: value.shape, type: value.type })
    },
    withoutTape(work) {
      const before = recording
      recording = false
      try {
        return work()
      } finally {
        recording = before
      }
    },
    toOnnx: (metadata = {}) => writeOnnx({ nodes, initializers, inputs, outputs, metadata })
  }
  return graph
}

/** @throws ArgumentError unless the condition holds; shapes are checked when the graph is built, not when run. */
export function requireShape(condition: boolean, message: string): asserts condition {
  if (!condition) throw new ArgumentError(message, 'Check the shapes of the tensors that meet there.')
}
