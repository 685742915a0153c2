/** Eigenvalues (ascending) and eigenvectors of a symmetric matrix. */
export interface SymmetricEigen {
  readonly values: Float64Array
  /** Row k (n numbers from k·n) is the unit eigenvector of `values[k]`. */
  readonly vectors: Float64Array
}

/**
 * Cyclic Jacobi: slower than tridiagonal QR above n ≈ 20, but short, and accurate to the last digits for the
 * small eigenvalues that a null space is made of (Golub & Van Loan, Matrix Computations, 8.5).
 * @param a symmetric n×n, row-major; not changed
 */
export function symmetricEigen(a: ArrayLike<number>, n: number): SymmetricEigen {
  const m = Float64Array.from(a)
  const v = new Float64Array(n * n)
  for (let i = 0; i < n; i++) v[i * n + i] = 1
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0
    let diagonal = 0
    for (let p = 0; p < n; p++) {
      diagonal += m[p * n + p] ** 2
      for (let q = p + 1; q < n; q++) off += m[p * n + q] ** 2
    }
    if (off <= 1e-34 * diagonal) break
    for (let p = 0; p < n - 1; p++) for (let q = p + 1; q < n; q++) rotate(m, v, n, p, q)
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => m[i * n + i] - m[j * n + j])
  const values = new Float64Array(n)
  const vectors = new Float64Array(n * n)
  order.forEach((from, to) => {
    values[to] = m[from * n + from]
    vectors.set(v.subarray(from * n, from * n + n), to * n)
  })
  return { values, vectors }
}

/** One Jacobi rotation that zeroes m[p][q]; rows of `v` gather the eigenvectors. */
function rotate(m: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const apq = m[p * n + q]
  if (apq === 0) return
  const theta = (m[q * n + q] - m[p * n + p]) / (2 * apq)
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1))
  const c = 1 / Math.sqrt(t * t + 1)
  const s = t * c
  const app = m[p * n + p]
  const aqq = m[q * n + q]
  for (let k = 0; k < n; k++) {
    if (k !== p && k !== q) {
      const akp = m[k * n + p]
      const akq = m[k * n + q]
      m[k * n + p] = m[p * n + k] = c * akp - s * akq
      m[k * n + q] = m[q * n + k] = s * akp + c * akq
    }
    const vp = v[p * n + k]
    const vq = v[q * n + k]
    v[p * n + k] = c * vp - s * vq
    v[q * n + k] = s * vp + c * vq
  }
  m[p * n + p] = app - t * apq
  m[q * n + q] = aqq + t * apq
  m[p * n + q] = m[q * n + p] = 0
}
