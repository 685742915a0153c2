import { expect, test } from 'vitest'
import { createGraph } from '../src/graph/graph.js'
import { readOnnxSummary } from '../src/graph/onnx.js'
import { createWriter, readFields } from '../src/graph/protobuf.js'
import { compactSpec, inferenceGraph, nodeRuntime, parameterLayout } from '../src/index.js'

test('protobuf: the examples of its encoding guide', () => {
  expect([...createWriter().integer(1, 150).finish()]).toEqual([0x08, 0x96, 0x01])
  expect([...createWriter().string(2, 'testing').finish()]).toEqual([0x12, 7, ...Buffer.from('testing')])
  const nested = createWriter().message(3, createWriter().integer(1, 150))
  expect([...nested.finish()]).toEqual([0x1a, 0x03, 0x08, 0x96, 0x01])
  expect([...createWriter().integer(1, -2).finish()]).toEqual([0x08, 0xfe, ...new Array(8).fill(0xff), 0x01])
})

test.each([0, 1, 127, 128, 2 ** 31, 2 ** 40, -1, -300])(
  'protobuf: %d survives writing and reading',
  value => {
    expect(readFields(createWriter().integer(5, value).finish())).toEqual([
      { field: 5, kind: 'integer', value }
    ])
  }
)

test('a stored graph tells its version, inputs and outputs', () => {
  const spec = compactSpec(3, { imageWidth: 32, imageHeight: 30, channels: [4, 4, 8, 8], decoder: [8, 4] })
  const bytes = inferenceGraph(spec, new Float32Array(parameterLayout(spec).total), 2)
  const summary = readOnnxSummary(bytes)
  expect(summary).toMatchObject({
    opsets: { '': 17, 'com.microsoft': 1 },
    metadata: { kind: 'raypose-inference', version: '1', spec: JSON.stringify(spec) },
    inputs: [{ name: 'images', type: 'float32', shape: [2, 1, 32, 32] }],
    outputs: [{ name: 'scores', type: 'float32', shape: [2, 3, 65] }]
  })
  // Twelve blocks, two lifts, a skip and the maps.
  expect(summary.operators.Conv).toBe(16)
})

test('a truncated graph and bytes that are none are refused by type', () => {
  const graph = createGraph()
  graph.output('y', graph.node('Relu', [graph.input('x', [3])], {}, [3]))
  const bytes = graph.toOnnx()
  for (const bad of [bytes.subarray(0, bytes.length - 5), new Uint8Array(0), Uint8Array.of(7, 7, 7)])
    expect(() => readOnnxSummary(bad)).toThrowError(expect.objectContaining({ code: 'model' }))
})

test('a graph that onnxruntime rejects is a ModelError', async () => {
  const runtime = await nodeRuntime()
  await expect(runtime.createSession(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({ code: 'model' })
})

test('shapes that do not fit are refused while the graph is built', () => {
  const graph = createGraph()
  expect(() => graph.constant([2, 2], new Float32Array(3))).toThrowError(
    expect.objectContaining({ code: 'model' })
  )
  graph.input('x', [1])
  expect(() => graph.input('x', [1])).toThrowError(expect.objectContaining({ code: 'model' }))
})
