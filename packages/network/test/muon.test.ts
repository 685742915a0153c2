import { expect, test } from 'vitest'
import { type AdamHyper, adamUpdate, hyperLength, hyperVector } from '../src/graph/adam.js'
import { createGraph } from '../src/graph/graph.js'
import { orthogonalised } from '../src/graph/muon.js'
import { fill } from '../src/graph/ops.js'
import { nodeRuntime } from '../src/runtime/onnxruntime-node.js'
import { normals } from './support.js'

type Matrix = number[][]

const product = (a: Matrix, b: Matrix): Matrix =>
  a.map(row => b[0].map((_, j) => row.reduce((sum, x, k) => sum + x * b[k][j], 0)))
const transposed = (a: Matrix): Matrix => a[0].map((_, j) => a.map(row => row[j]))
const norm = (a: Matrix) => Math.hypot(...a.flat())

/** `count` orthonormal rows of length `size`, by Gram and Schmidt, twice. */
function orthonormal(count: number, size: number, seed: number): Matrix {
  const values = normals([count, size], seed)
  const rows: Matrix = []
  for (let i = 0; i < count; i++) {
    let row = [...values.subarray(i * size, (i + 1) * size)]
    for (const before of [...rows, ...rows]) {
      const dot = row.reduce((sum, x, k) => sum + x * before[k], 0)
      row = row.map((x, k) => x - dot * before[k])
    }
    const length = Math.hypot(...row)
    rows.push(row.map(x => x / length))
  }
  return rows
}

/** Five rounds of Jordan et al.'s polynomial on one singular value. */
function moved(s: number): number {
  let x = s
  for (let i = 0; i < 5; i++) x = 3.4445 * x - 4.775 * x ** 3 + 2.0315 * x ** 5
  return x
}

async function inGraph(rows: number, columns: number, x: Matrix): Promise<Matrix> {
  const graph = createGraph()
  graph.output('y', orthogonalised(graph.input('x', [rows, columns])))
  const runtime = await nodeRuntime()
  const session = await runtime.createSession(graph.toOnnx())
  const { y } = await session.run({ x: runtime.tensor(Float32Array.from(x.flat()), [rows, columns]) })
  await session.release()
  return x.map((_, i) => [...y.data.subarray(i * columns, (i + 1) * columns)])
}

test.each([
  [6, 40],
  [40, 6],
  [12, 12]
])(
  '%d by %d: the singular vectors stay, and the singular values go where five rounds take them',
  async (rows, columns) => {
    const n = Math.min(rows, columns)
    const singular = Array.from({ length: n }, (_, i) => 3 * 0.4 ** i)
    const [u, v] = [orthonormal(n, rows, 1), orthonormal(n, columns, 2)]
    const from = (s: readonly number[]) =>
      product(
        transposed(u),
        v.map((row, k) => row.map(x => s[k] * x))
      )
    const length = Math.hypot(...singular)
    const expected = from(singular.map(s => moved(s / length)))
    const found = await inGraph(rows, columns, from(singular))
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) expect(found[i][j]).toBeCloseTo(expected[i][j], 3)
  }
)

test('singular values over a range of 300 come out about equal; nothing stays nothing', async () => {
  const n = 24
  const [u, v] = [orthonormal(n, n, 3), orthonormal(n, 90, 4)]
  const x = product(
    transposed(u),
    v.map((row, k) => row.map(value => value * 300 ** (-k / (n - 1))))
  )
  const y = await inGraph(n, 90, x)
  const gains = product(product(u, y), transposed(v)).map((row, k) => row[k])
  for (const g of gains) {
    expect(g).toBeGreaterThan(0.6)
    expect(g).toBeLessThan(1.25)
  }
  const zero = Array.from({ length: 3 }, () => new Array<number>(5).fill(0))
  expect(await inGraph(3, 5, zero)).toEqual(zero)
})

test('a matrix in the vector takes the steps of Muon, what is beside it those of AdamW', async () => {
  const [before, rows, columns, after] = [3, 4, 10, 2]
  const size = before + rows * columns + after
  const runtime = await nodeRuntime()
  const graph = createGraph()
  const input = (name: string) => graph.input(name, [size])
  const names = ['parameters', 'first', 'second', 'average'] as const
  const [parameters, first, second, average] = names.map(input)
  const hyper = graph.input('hyper', [hyperLength])
  const { next } = adamUpdate(
    { parameters, first, second, average },
    input('gradient'),
    fill(graph, [size], 1),
    hyper,
    [{ offset: before, rows, columns }]
  )
  for (const n of names) graph.output(`next.${n}`, next[n])
  const session = await runtime.createSession(graph.toOnnx())
  const h: AdamHyper = {
    lr: 0.02,
    beta1: 0.9,
    beta2: 0.99,
    epsilon: 1e-6,
    weightDecay: 0.1,
    clipNorm: Number.POSITIVE_INFINITY,
    averageDecay: 0
  }
  const start = normals([size], 1)
  let values = [start, new Float32Array(size), new Float32Array(size), start]
  const p = Float64Array.from(start)
  const m = new Float64Array(size)
  const s = new Float64Array(size)
  for (let t = 1; t <= 4; t++) {
    const gradient = normals([size], 20 + t)
    const feeds = Object.fromEntries(names.map((n, i) => [n, runtime.tensor(values[i], [size])]))
    const out = await session.run({
      ...feeds,
      gradient: runtime.tensor(gradient, [size]),
      hyper: runtime.tensor(hyperVector(h, t), [hyperLength])
    })
    values = names.map(n => out[`next.${n}`].data.slice())

    gradient.forEach((g, i) => {
      m[i] = h.beta1 * m[i] + (1 - h.beta1) * g
      s[i] = h.beta2 * s[i] + (1 - h.beta2) * g * g
    })
    // As Jordan et al. write it, on the matrix itself.
    const at = (i: number, j: number) => before + i * columns + j
    let x: Matrix = Array.from({ length: rows }, (_, i) =>
      Array.from({ length: columns }, (_, j) => 0.9 * m[at(i, j)] + 0.1 * gradient[at(i, j)])
    )
    const length = norm(x)
    x = x.map(row => row.map(value => value / length))
    for (let round = 0; round < 5; round++) {
      const a = product(x, transposed(x))
      const aa = product(a, a)
      const b = a.map((row, i) => row.map((value, j) => -4.775 * value + 2.0315 * aa[i][j]))
      x = product(b, x).map((row, i) => row.map((value, j) => value + 3.4445 * x[i][j]))
    }
    for (let i = 0; i < size; i++) {
      const inside = i >= before && i < before + rows * columns
      const direction = inside
        ? 0.2 * Math.sqrt(columns) * x[Math.floor((i - before) / columns)][(i - before) % columns]
        : m[i] / (1 - h.beta1 ** t) / (Math.sqrt(s[i] / (1 - h.beta2 ** t)) + h.epsilon)
      p[i] -= h.lr * (direction + h.weightDecay * p[i])
      expect(values[0][i]).toBeCloseTo(p[i], 4)
      expect(values[1][i]).toBeCloseTo(m[i], 5)
    }
  }
  await session.release()
})
