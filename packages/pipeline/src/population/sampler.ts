import { type Mat3, transpose3, type Volume } from '@raypose/core'

/** LPS mm → fractional index of a grid, as a 3×4 matrix, row-major. */
export function indexFromLps(v: Pick<Volume, 'direction' | 'spacing' | 'origin'>): Float64Array {
  const t: Mat3 = transpose3(v.direction)
  const out = new Float64Array(12)
  for (let r = 0; r < 3; r++) {
    for (let c = 0; c < 3; c++) {
      out[r * 4 + c] = t[r * 3 + c] / v.spacing[r]
      out[r * 4 + 3] -= (t[r * 3 + c] * v.origin[c]) / v.spacing[r]
    }
  }
  return out
}

/** Trilinear values of a volume at LPS points, without an allocation a point; NaN outside its voxel centres. */
export function createSampler(v: Volume): (x: number, y: number, z: number) => number {
  const m = indexFromLps(v)
  const [ni, nj, nk] = v.size
  const d = v.data
  const di = ni > 1 ? 1 : 0
  const dj = nj > 1 ? ni : 0
  const dk = nk > 1 ? ni * nj : 0
  return (x, y, z) => {
    const a = m[0] * x + m[1] * y + m[2] * z + m[3]
    const b = m[4] * x + m[5] * y + m[6] * z + m[7]
    const c = m[8] * x + m[9] * y + m[10] * z + m[11]
    if (!(a >= 0 && b >= 0 && c >= 0 && a <= ni - 1 && b <= nj - 1 && c <= nk - 1)) return Number.NaN
    const i = Math.max(0, Math.min(a | 0, ni - 2))
    const j = Math.max(0, Math.min(b | 0, nj - 2))
    const k = Math.max(0, Math.min(c | 0, nk - 2))
    const fx = a - i
    const fy = b - j
    const fz = c - k
    const o = (k * nj + j) * ni + i
    const p = o + dk
    const e = d[o] + fx * (d[o + di] - d[o])
    const f = d[o + dj] + fx * (d[o + dj + di] - d[o + dj])
    const g = d[p] + fx * (d[p + di] - d[p])
    const h = d[p + dj] + fx * (d[p + dj + di] - d[p + dj])
    const ef = e + fy * (f - e)
    return ef + fz * (g + fy * (h - g) - ef)
  }
}
