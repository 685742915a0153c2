import type { Random } from '../random/random.js'

/**
 * A smooth field over an image: standard normal draws on a `columns` × `rows` lattice with a cosine blend between
 * them, one value a pixel.
 */
export function smoothField(
  random: Random,
  width: number,
  height: number,
  columns: number,
  rows: number
): Float32Array {
  const lattice = Float64Array.from({ length: columns * rows }, () => random.normal())
  const xs = blend(width, columns)
  const ys = blend(height, rows)
  const out = new Float32Array(width * height)
  const line = new Float64Array(columns)
  for (let y = 0; y < height; y++) {
    const k = ys.cell[y] * columns
    const f = ys.share[y]
    for (let c = 0; c < columns; c++) line[c] = lattice[k + c] * (1 - f) + lattice[k + columns + c] * f
    const o = y * width
    for (let x = 0; x < width; x++) {
      const i = xs.cell[x]
      const from = line[i]
      out[o + x] = from + (line[i + 1] - from) * xs.share[x]
    }
  }
  return out
}

/** For each of n pixels the lattice cell that it lies in, and the cosine blend towards the next lattice point. */
function blend(n: number, points: number): { cell: Int32Array; share: Float64Array } {
  const cell = new Int32Array(n)
  const share = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    const p = (i / Math.max(1, n - 1)) * (points - 1)
    cell[i] = Math.min(points - 2, Math.floor(p))
    share[i] = (1 - Math.cos((p - cell[i]) * Math.PI)) / 2
  }
  return { cell, share }
}

/** Mean over a (2·radius+1)² window, the edge repeated; two running sums. */
export function boxBlur(data: Float32Array, width: number, height: number, radius: number): Float32Array {
  const across = new Float32Array(data.length)
  const out = new Float32Array(data.length)
  const n = 1 / (2 * radius + 1)
  const clamp = (i: number, size: number) => (i < 0 ? 0 : i >= size ? size - 1 : i)
  for (let y = 0; y < height; y++) {
    const o = y * width
    let s = 0
    for (let k = -radius; k <= radius; k++) s += data[o + clamp(k, width)]
    for (let x = 0; x < width; x++) {
      across[o + x] = s * n
      s += data[o + clamp(x + radius + 1, width)] - data[o + clamp(x - radius, width)]
    }
  }
  // A running sum for each column, row by row, as the memory lies.
  const sums = new Float64Array(width)
  for (let k = -radius; k <= radius; k++) {
    const row = clamp(k, height) * width
    for (let x = 0; x < width; x++) sums[x] += across[row + x]
  }
  for (let y = 0; y < height; y++) {
    const o = y * width
    const next = clamp(y + radius + 1, height) * width
    const last = clamp(y - radius, height) * width
    for (let x = 0; x < width; x++) {
      out[o + x] = sums[x] * n
      sums[x] += across[next + x] - across[last + x]
    }
  }
  return out
}

/** Gaussian blur of standard deviation `sigma` pixels, separable, the edge repeated. */
export function gaussianBlur(data: Float32Array, width: number, height: number, sigma: number): Float32Array {
  if (!(sigma > 0)) return data.slice()
  const radius = Math.max(1, Math.ceil(3 * sigma))
  const kernel = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma * sigma))
  )
  const sum = kernel.reduce((a, b) => a + b, 0)
  for (let i = 0; i < kernel.length; i++) kernel[i] /= sum
  const across = new Float32Array(data.length)
  const out = new Float32Array(data.length)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      let s = 0
      for (let k = -radius; k <= radius; k++)
        s += kernel[k + radius] * data[y * width + Math.min(width - 1, Math.max(0, x + k))]
      across[y * width + x] = s
    }
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      let s = 0
      for (let k = -radius; k <= radius; k++)
        s += kernel[k + radius] * across[Math.min(height - 1, Math.max(0, y + k)) * width + x]
      out[y * width + x] = s
    }
  return out
}

/**
 * Gaussian blur for large `sigma` (pixels): block means, a blur of those, and bilinear interpolation back; the edge
 * repeated. Close to {@link gaussianBlur} at a cost that does not grow with sigma.
 */
export function broadBlur(data: Float32Array, width: number, height: number, sigma: number): Float32Array {
  const factor = Math.floor(sigma / 3)
  if (factor < 2) return gaussianBlur(data, width, height, sigma)
  const columns = Math.ceil(width / factor)
  const rows = Math.ceil(height / factor)
  const coarse = new Float32Array(columns * rows)
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < columns; x++) {
      const x1 = Math.min(width, (x + 1) * factor)
      const y1 = Math.min(height, (y + 1) * factor)
      let sum = 0
      for (let v = y * factor; v < y1; v++) for (let u = x * factor; u < x1; u++) sum += data[v * width + u]
      coarse[y * columns + x] = sum / ((x1 - x * factor) * (y1 - y * factor))
    }
  // Blocks and interpolation blur too: a variance of 1/12 and 1/6 block.
  const blurred = gaussianBlur(coarse, columns, rows, Math.sqrt((sigma / factor) ** 2 - 1 / 4))
  const out = new Float32Array(data.length)
  const axis = (i: number, n: number): [number, number, number] => {
    const p = Math.min(n - 1, Math.max(0, (i + 0.5) / factor - 0.5))
    const low = Math.min(Math.floor(p), Math.max(0, n - 2))
    return [low, Math.min(low + 1, n - 1), p - low]
  }
  const across = Array.from({ length: width }, (_, x) => axis(x, columns))
  for (let y = 0; y < height; y++) {
    const [r0, r1, fy] = axis(y, rows)
    for (let x = 0; x < width; x++) {
      const [c0, c1, fx] = across[x]
      const a = blurred[r0 * columns + c0] * (1 - fx) + blurred[r0 * columns + c1] * fx
      const b = blurred[r1 * columns + c0] * (1 - fx) + blurred[r1 * columns + c1] * fx
      out[y * width + x] = a * (1 - fy) + b * fy
    }
  }
  return out
}
