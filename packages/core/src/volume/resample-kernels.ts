import { mulMat3, mulMat3Vec3, sub, transpose3 } from '../geometry/linear.js'
import { type Grid, type Volume, voxelCount } from './volume.js'

/** Hounsfield units of air: what lies outside a volume. */
export const AIR_HU = -1000

/** Indices within this of the outermost voxel centre count as inside, so that rounding does not peel the border. */
const TOLERANCE = 1e-6

/** How each output index along one axis is a weighted sum of `width` consecutive input values. */
interface Taps {
  readonly width: number
  /** First input index of each output index. */
  readonly first: Int32Array
  /** `width` weights for each output index. */
  readonly weights: Float32Array
  /** Output indices [from, to) lie inside the input. */
  readonly from: number
  readonly to: number
}

/**
 * @param start input index (fractional) of output index 0
 * @param step input indices per output index
 */
function axisTaps(nIn: number, nOut: number, start: number, step: number, averagingRatio: number): Taps {
  const averaged = step > averagingRatio
  const width = Math.min(nIn, averaged ? Math.ceil(step) + 1 : 2)
  const first = new Int32Array(nOut)
  const weights = new Float32Array(nOut * width)
  let from = nOut
  let to = 0
  for (let o = 0; o < nOut; o++) {
    const x = start + step * o
    if (!(x >= -TOLERANCE && x <= nIn - 1 + TOLERANCE)) continue
    from = Math.min(from, o)
    to = o + 1
    const lowest = averaged ? Math.floor(x - step / 2 + 0.5) : Math.floor(x)
    first[o] = Math.max(0, Math.min(lowest, nIn - width))
    let sum = 0
    for (let t = 0; t < width; t++) {
      const i = first[o] + t
      // The overlap of the output voxel with input voxel i, or the tent of linear interpolation.
      const w = averaged
        ? Math.min(i + 0.5, x + step / 2) - Math.max(i - 0.5, x - step / 2)
        : 1 - Math.abs(x - i)
      sum += weights[o * width + t] = Math.max(0, w)
    }
    for (let t = 0; t < width; t++) weights[o * width + t] /= sum
  }
  return { width, first, weights, from, to }
}

/**
 * Resamples to a grid with the same axes: one axis after the other, slice by slice, so that besides the result
 * only a few slices are held.
 */
export function resampleAligned(volume: Volume, grid: Grid, averagingRatio: number): Int16Array {
  const offset = mulMat3Vec3(transpose3(volume.direction), sub(grid.origin, volume.origin))
  const [tx, ty, tz] = [0, 1, 2].map(a =>
    axisTaps(
      volume.size[a],
      grid.size[a],
      offset[a] / volume.spacing[a],
      grid.spacing[a] / volume.spacing[a],
      averagingRatio
    )
  )
  const [ni, nj] = grid.size
  const out = new Int16Array(voxelCount(grid)).fill(AIR_HU)
  const columns = tx.to - tx.from
  if (!(columns > 0 && ty.from < ty.to)) return out
  const [mi, mj] = volume.size
  const lowRow = ty.first[ty.from]
  const highRow = ty.first[ty.to - 1] + ty.width
  const narrowed = new Float32Array((highRow - lowRow) * columns)
  // Resampled slices of the input, reused while consecutive output slices share them.
  const slices = Array.from({ length: tz.width }, () => new Float32Array((ty.to - ty.from) * columns))
  const held = new Int32Array(tz.width).fill(-1)
  const sum = new Float32Array((ty.to - ty.from) * columns)

  const fillSlice = (k: number, slice: Float32Array) => {
    for (let j = lowRow; j < highRow; j++) {
      const row = (k * mj + j) * mi
      const to = (j - lowRow) * columns
      for (let c = 0; c < columns; c++) {
        const o = tx.from + c
        const from = row + tx.first[o]
        let s = 0
        for (let t = 0; t < tx.width; t++) s += tx.weights[o * tx.width + t] * volume.data[from + t]
        narrowed[to + c] = s
      }
    }
    slice.fill(0)
    for (let r = ty.from; r < ty.to; r++)
      for (let t = 0; t < ty.width; t++)
        addScaled(
          slice,
          (r - ty.from) * columns,
          narrowed,
          (ty.first[r] + t - lowRow) * columns,
          columns,
          ty.weights[r * ty.width + t]
        )
  }

  for (let k = tz.from; k < tz.to; k++) {
    sum.fill(0)
    for (let t = 0; t < tz.width; t++) {
      const source = tz.first[k] + t
      const slot = source % tz.width
      if (held[slot] !== source) {
        fillSlice(source, slices[slot])
        held[slot] = source
      }
      addScaled(sum, 0, slices[slot], 0, sum.length, tz.weights[k * tz.width + t])
    }
    for (let r = ty.from; r < ty.to; r++) {
      const o = (k * nj + r) * ni + tx.from
      const p = (r - ty.from) * columns
      for (let c = 0; c < columns; c++) out[o + c] = toInt16(sum[p + c])
    }
  }
  return out
}

function addScaled(a: Float32Array, i: number, b: Float32Array, j: number, n: number, w: number): void {
  if (w === 0) return
  for (let x = 0; x < n; x++) a[i + x] += w * b[j + x]
}

/** Rounds to the nearest, at the ends of the 16-bit range to those. */
const toInt16 = (v: number): number =>
  v >= 32767 ? 32767 : v <= -32768 ? -32768 : ((v + 32768.5) | 0) - 32768

/** Resamples to any grid: a row of output voxels is a straight line through the input. */
export function resampleRotated(volume: Volume, grid: Grid): Int16Array {
  const toIndex = transpose3(volume.direction)
  const turn = mulMat3(toIndex, grid.direction)
  const offset = mulMat3Vec3(toIndex, sub(grid.origin, volume.origin))
  const [ni, nj, nk] = grid.size
  const n = volume.size
  const d = volume.data
  const out = new Int16Array(voxelCount(grid)).fill(AIR_HU)
  // An axis of one voxel has no neighbour to interpolate with.
  const strideI = n[0] > 1 ? 1 : 0
  const strideJ = n[1] > 1 ? n[0] : 0
  const strideK = n[2] > 1 ? n[0] * n[1] : 0
  const last = n.map(s => Math.max(s - 2, 0))
  const step = [0, 1, 2].map(a => (turn[3 * a] * grid.spacing[0]) / volume.spacing[a])
  const start = [0, 0, 0]
  for (let k = 0; k < nk; k++)
    for (let j = 0; j < nj; j++) {
      let from = 0
      let to = ni - 1
      for (let a = 0; a < 3; a++) {
        start[a] =
          (offset[a] + turn[3 * a + 1] * j * grid.spacing[1] + turn[3 * a + 2] * k * grid.spacing[2]) /
          volume.spacing[a]
        // The output indices i with −tolerance ≤ start + step·i ≤ n − 1 + tolerance; a step of 0 gives ±∞, all or none.
        const low = (-TOLERANCE - start[a]) / step[a]
        const high = (n[a] - 1 + TOLERANCE - start[a]) / step[a]
        from = Math.max(from, Math.ceil(Math.min(low, high)))
        to = Math.min(to, Math.floor(Math.max(low, high)))
      }
      const row = (k * nj + j) * ni
      for (let i = from; i <= to; i++) {
        const x = start[0] + step[0] * i
        const y = start[1] + step[1] * i
        const z = start[2] + step[2] * i
        const xi = Math.min(x | 0, last[0])
        const yi = Math.min(y | 0, last[1])
        const zi = Math.min(z | 0, last[2])
        const fx = x - xi
        const fy = y - yi
        const fz = z - zi
        const o = (zi * n[1] + yi) * n[0] + xi
        const p = o + strideK
        const a = d[o] + fx * (d[o + strideI] - d[o])
        const b = d[o + strideJ] + fx * (d[o + strideJ + strideI] - d[o + strideJ])
        const c = d[p] + fx * (d[p + strideI] - d[p])
        const e = d[p + strideJ] + fx * (d[p + strideJ + strideI] - d[p + strideJ])
        const ab = a + fy * (b - a)
        const ce = c + fy * (e - c)
        out[row + i] = toInt16(ab + fz * (ce - ab))
      }
    }
  return out
}
