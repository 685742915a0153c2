/**
 * Eigen-decomposition of a symmetric n×n matrix (row-major) by cyclic Jacobi rotations.
 * @returns eigenvalues in descending order and the eigenvectors as rows, in the same order
 */
export function symmetricEigen(
  matrix: ArrayLike<number>,
  n: number
): { values: number[]; vectors: number[][] } {
  const a = Float64Array.from(matrix)
  const v = new Float64Array(n * n)
  for (let i = 0; i < n; i++) v[i * n + i] = 1
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off += a[p * n + q] ** 2
    if (off < 1e-22) break
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        const apq = a[p * n + q]
        if (apq === 0) continue
        const theta = (a[q * n + q] - a[p * n + p]) / (2 * apq)
        const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1))
        const c = 1 / Math.sqrt(t * t + 1)
        const s = t * c
        for (let k = 0; k < n; k++) {
          const x = a[k * n + p]
          const y = a[k * n + q]
          a[k * n + p] = c * x - s * y
          a[k * n + q] = s * x + c * y
        }
        for (let k = 0; k < n; k++) {
          const x = a[p * n + k]
          const y = a[q * n + k]
          a[p * n + k] = c * x - s * y
          a[q * n + k] = s * x + c * y
          const vx = v[p * n + k]
          const vy = v[q * n + k]
          v[p * n + k] = c * vx - s * vy
          v[q * n + k] = s * vx + c * vy
        }
      }
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[j * n + j] - a[i * n + i])
  return {
    values: order.map(i => a[i * n + i]),
    vectors: order.map(i => Array.from(v.subarray(i * n, (i + 1) * n)))
  }
}
