/** Small fixed-size linear algebra. Matrices are row-major arrays of 9 (3×3) or 16 (4×4) numbers. */

export type Vec2 = readonly [number, number]
export type Vec3 = readonly [number, number, number]
/** 3×3, row-major. */
export type Mat3 = readonly number[]
/** 4×4, row-major. */
export type Mat4 = readonly number[]

export const IDENTITY3: Mat3 = [1, 0, 0, 0, 1, 0, 0, 0, 1]
export const IDENTITY4: Mat4 = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]

export const add = (a: Vec3, b: Vec3): Vec3 => [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
export const sub = (a: Vec3, b: Vec3): Vec3 => [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
export const scale = (a: Vec3, s: number): Vec3 => [a[0] * s, a[1] * s, a[2] * s]
export const dot = (a: Vec3, b: Vec3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
export const cross = (a: Vec3, b: Vec3): Vec3 => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0]
]
export const norm = (a: Vec3): number => Math.hypot(a[0], a[1], a[2])
export const distance = (a: Vec3, b: Vec3): number => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])
export const normalize = (a: Vec3): Vec3 => scale(a, 1 / norm(a))

/** Centroid of points. */
export function centroid(points: readonly Vec3[]): Vec3 {
  let x = 0
  let y = 0
  let z = 0
  for (const p of points) {
    x += p[0]
    y += p[1]
    z += p[2]
  }
  const n = points.length
  return [x / n, y / n, z / n]
}

export const mulMat3Vec3 = (m: Mat3, v: Vec3): Vec3 => [
  m[0] * v[0] + m[1] * v[1] + m[2] * v[2],
  m[3] * v[0] + m[4] * v[1] + m[5] * v[2],
  m[6] * v[0] + m[7] * v[1] + m[8] * v[2]
]

export function mulMat3(a: Mat3, b: Mat3): Mat3 {
  const out = new Array<number>(9)
  for (let r = 0; r < 3; r++)
    for (let c = 0; c < 3; c++)
      out[r * 3 + c] = a[r * 3] * b[c] + a[r * 3 + 1] * b[3 + c] + a[r * 3 + 2] * b[6 + c]
  return out
}

export const transpose3 = (m: Mat3): Mat3 => [m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]]

export const det3 = (m: Mat3): number =>
  m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6])

export const diag3 = (v: Vec3): Mat3 => [v[0], 0, 0, 0, v[1], 0, 0, 0, v[2]]

/** Column c of a 3×3 matrix. */
export const column3 = (m: Mat3, c: 0 | 1 | 2): Vec3 => [m[c], m[3 + c], m[6 + c]]

/** Largest |MᵀM − I|: 0 for an orthogonal matrix. */
export function orthogonalityError(m: Mat3): number {
  const p = mulMat3(transpose3(m), m)
  let worst = 0
  for (let i = 0; i < 9; i++) worst = Math.max(worst, Math.abs(p[i] - IDENTITY3[i]))
  return worst
}

/** Solves A·x = b for a symmetric positive definite n×n matrix (row-major) by Cholesky; null if it is not. */
export function solveSpd(a: ArrayLike<number>, b: ArrayLike<number>, n: number): Float64Array | null {
  const l = new Float64Array(n * n)
  for (let r = 0; r < n; r++) {
    for (let c = 0; c <= r; c++) {
      let s = a[r * n + c]
      for (let k = 0; k < c; k++) s -= l[r * n + k] * l[c * n + k]
      if (r === c) {
        if (!(s > 0)) return null
        l[r * n + r] = Math.sqrt(s)
      } else l[r * n + c] = s / l[c * n + c]
    }
  }
  const x = Float64Array.from({ length: n }, (_, i) => b[i])
  for (let r = 0; r < n; r++) {
    for (let k = 0; k < r; k++) x[r] -= l[r * n + k] * x[k]
    x[r] /= l[r * n + r]
  }
  for (let r = n - 1; r >= 0; r--) {
    for (let k = r + 1; k < n; k++) x[r] -= l[k * n + r] * x[k]
    x[r] /= l[r * n + r]
  }
  return x
}
