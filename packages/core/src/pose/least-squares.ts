/**
 * Least-squares solution of A·x = b by Householder QR (A is not squared, so that half the digits are not lost).
 * @param a m×n, row-major, m ≥ n; overwritten
 * @param b m numbers; overwritten
 * @returns n numbers, or null where A is of deficient rank
 */
export function leastSquares(a: Float64Array, b: Float64Array, m: number, n: number): Float64Array | null {
  let largest = 0
  for (let c = 0; c < n; c++) {
    let norm = 0
    for (let r = c; r < m; r++) norm += a[r * n + c] ** 2
    norm = Math.sqrt(norm)
    largest = Math.max(largest, norm)
    if (!(norm > 1e-13 * largest)) return null
    const alpha = a[c * n + c] > 0 ? -norm : norm
    // The Householder vector replaces the column below the diagonal; R's diagonal is alpha.
    const head = a[c * n + c] - alpha
    const beta = -1 / (alpha * head)
    for (let k = c + 1; k <= n; k++) {
      let s = head * (k < n ? a[c * n + k] : b[c])
      for (let r = c + 1; r < m; r++) s += a[r * n + c] * (k < n ? a[r * n + k] : b[r])
      s *= beta
      if (k < n) a[c * n + k] -= s * head
      else b[c] -= s * head
      for (let r = c + 1; r < m; r++)
        if (k < n) a[r * n + k] -= s * a[r * n + c]
        else b[r] -= s * a[r * n + c]
    }
    a[c * n + c] = alpha
  }
  const x = new Float64Array(n)
  for (let r = n - 1; r >= 0; r--) {
    let s = b[r]
    for (let k = r + 1; k < n; k++) s -= a[r * n + k] * x[k]
    x[r] = s / a[r * n + r]
  }
  return x
}
