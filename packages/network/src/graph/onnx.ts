import { ModelError } from '@raypose/core'
import { createWriter, type ProtobufField, type ProtobufWriter, readFields } from './protobuf.js'

/**
 * ONNX models as bytes. Field numbers: onnx.proto3 of the ONNX project (IR version 8, opset 17, which every
 * onnxruntime since 1.12 reads). The `com.microsoft` domain is imported for FusedMatMul.
 */
export type ElementType = 'float32' | 'int64' | 'bool'

export type AttributeValue =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] }
  | { readonly string: string }

export interface OnnxValue {
  readonly name: string
  readonly type: ElementType
  readonly shape: readonly number[]
}

export interface OnnxInitializer {
  readonly name: string
  readonly shape: readonly number[]
  /** Whole numbers are stored as int64, floats as float32. */
  readonly data: Float32Array | readonly number[]
}

export interface OnnxNode {
  readonly type: string
  readonly domain: '' | 'com.microsoft'
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, AttributeValue>>
}

export interface OnnxModel {
  readonly nodes: readonly OnnxNode[]
  readonly initializers: readonly OnnxInitializer[]
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
  readonly metadata: Readonly<Record<string, string>>
}

export const onnxOpset = 17
const irVersion = 8
const elementTypes: Record<ElementType, number> = { float32: 1, int64: 7, bool: 9 }

function writeTensor(t: OnnxInitializer): ProtobufWriter {
  const out = createWriter()
  for (const d of t.shape) out.integer(1, d)
  const isFloat = t.data instanceof Float32Array
  out.integer(2, elementTypes[isFloat ? 'float32' : 'int64']).string(8, t.name)
  if (t.data instanceof Float32Array)
    return out.bytes(9, new Uint8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength))
  return out.bytes(9, new Uint8Array(BigInt64Array.from(t.data, BigInt).buffer))
}

function writeValue(v: OnnxValue): ProtobufWriter {
  const shape = createWriter()
  for (const d of v.shape) shape.message(1, createWriter().integer(1, d))
  const tensorType = createWriter().integer(1, elementTypes[v.type]).message(2, shape)
  return createWriter().string(1, v.name).message(2, createWriter().message(1, tensorType))
}

function writeAttribute(name: string, value: AttributeValue): ProtobufWriter {
  const out = createWriter().string(1, name)
  if ('float' in value) return out.float(2, value.float).integer(20, 1)
  if ('int' in value) return out.integer(3, value.int).integer(20, 2)
  if ('string' in value) return out.string(4, value.string).integer(20, 3)
  for (const i of value.ints) out.integer(8, i)
  return out.integer(20, 7)
}

function writeNode(node: OnnxNode, index: number): ProtobufWriter {
  const out = createWriter()
  for (const i of node.inputs) out.string(1, i)
  for (const o of node.outputs) out.string(2, o)
  out.string(3, `${node.type}_${index}`).string(4, node.type)
  for (const [name, value] of Object.entries(node.attributes)) out.message(5, writeAttribute(name, value))
  if (node.domain) out.string(7, node.domain)
  return out
}

/** The model as the bytes of an `.onnx` file. */
export function writeOnnx(model: OnnxModel): Uint8Array {
  const graph = createWriter()
  model.nodes.forEach((node, i) => {
    graph.message(1, writeNode(node, i))
  })
  graph.string(2, 'raypose')
  for (const t of model.initializers) graph.message(5, writeTensor(t))
  for (const v of model.inputs) graph.message(11, writeValue(v))
  for (const v of model.outputs) graph.message(12, writeValue(v))
  const out = createWriter().integer(1, irVersion).string(2, 'raypose').message(7, graph)
  out.message(8, createWriter().string(1, '').integer(2, onnxOpset))
  out.message(8, createWriter().string(1, 'com.microsoft').integer(2, 1))
  for (const [key, value] of Object.entries(model.metadata))
    out.message(14, createWriter().string(1, key).string(2, value))
  return out.finish()
}

/** What a stored graph says of itself, without its weights. */
export interface OnnxSummary {
  readonly irVersion: number
  readonly producer: string
  /** Version by operator domain; the standard domain is ''. */
  readonly opsets: Readonly<Record<string, number>>
  readonly metadata: Readonly<Record<string, string>>
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
  /** Number of nodes by operator type. */
  readonly operators: Readonly<Record<string, number>>
}

const decoder = new TextDecoder()
const text = (f: ProtobufField | undefined) => (f?.kind === 'bytes' ? decoder.decode(f.value) : '')
const integer = (f: ProtobufField | undefined) => (f?.kind === 'integer' ? f.value : 0)
const find = (fields: readonly ProtobufField[], field: number) => fields.find(f => f.field === field)
const nested = (fields: readonly ProtobufField[], field: number) =>
  fields.flatMap(f => (f.field === field && f.kind === 'bytes' ? [readFields(f.value)] : []))

function readValue(fields: readonly ProtobufField[]): OnnxValue {
  const tensorType = nested(nested(fields, 2)[0] ?? [], 1)[0] ?? []
  const code = integer(find(tensorType, 1))
  const type = (Object.keys(elementTypes) as ElementType[]).find(t => elementTypes[t] === code)
  const name = text(find(fields, 1))
  if (!type)
    throw new ModelError(
      `Graph value "${name}" has ONNX element type ${code}`,
      'Raypose reads float32, int64 and bool values: export the graph with those.'
    )
  const dims = nested(nested(tensorType, 2)[0] ?? [], 1)
  return { name, type, shape: dims.map(d => integer(find(d, 1))) }
}

/**
 * Reads versions, metadata, inputs and outputs of an ONNX file; a dimension without a fixed size reads as 0.
 * @throws ModelError when the bytes are truncated or hold no graph
 */
export function readOnnxSummary(bytes: Uint8Array): OnnxSummary {
  const model = readFields(bytes)
  const graph = nested(model, 7)[0]
  const opsets = Object.fromEntries(nested(model, 8).map(o => [text(find(o, 1)), integer(find(o, 2))]))
  if (!graph || !('' in opsets))
    throw new ModelError('The bytes hold no ONNX graph', 'Give an .onnx file, or write it again.')
  const operators: Record<string, number> = {}
  for (const node of nested(graph, 1)) {
    const type = text(find(node, 4))
    operators[type] = (operators[type] ?? 0) + 1
  }
  return {
    irVersion: integer(find(model, 1)),
    producer: text(find(model, 2)),
    opsets,
    metadata: Object.fromEntries(nested(model, 14).map(m => [text(find(m, 1)), text(find(m, 2))])),
    inputs: nested(graph, 11).map(readValue),
    outputs: nested(graph, 12).map(readValue),
    operators
  }
}
