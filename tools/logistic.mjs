// Ridge-regularised logistic regression by Newton's method, and what says how good its probabilities are.

/** Standardised features are cut here: a case unlike any other must not outvote everything else. */
export const LIMIT = 4

/** @param x rows of numbers */
export function standardiser(x) {
  const n = x.length
  const mean = x[0].map((_, k) => x.reduce((s, r) => s + r[k], 0) / n)
  const std = mean.map((m, k) => Math.sqrt(x.reduce((s, r) => s + (r[k] - m) ** 2, 0) / n) || 1)
  const apply = r => r.map((v, k) => Math.max(-LIMIT, Math.min(LIMIT, (v - mean[k]) / std[k])))
  return { mean, std, apply }
}

const sigmoid = z => 1 / (1 + Math.exp(-z))

/** @param x standardised rows; @param y 0 or 1. The offset is not shrunk. */
export function fitLogistic(x, y, ridge) {
  const d = x[0].length + 1
  const rows = x.map(r => [1, ...r])
  let w = new Array(d).fill(0)
  for (let step = 0; step < 60; step++) {
    const a = Array.from({ length: d }, (_, i) =>
      Array.from({ length: d + 1 }, (_, j) => (i === j && i > 0 ? ridge : 0))
    )
    for (let i = 1; i < d; i++) a[i][d] = -ridge * w[i]
    rows.forEach((r, n) => {
      const p = sigmoid(r.reduce((s, v, k) => s + v * w[k], 0))
      const h = Math.max(1e-9, p * (1 - p))
      for (let i = 0; i < d; i++) {
        a[i][d] += (y[n] - p) * r[i]
        for (let j = 0; j < d; j++) a[i][j] += h * r[i] * r[j]
      }
    })
    const delta = solve(a)
    // Newton can overshoot far from the optimum.
    const shorten = Math.min(1, 2 / Math.max(...delta.map(Math.abs)))
    w = w.map((v, k) => v + shorten * delta[k])
    if (Math.max(...delta.map(Math.abs)) < 1e-9) break
  }
  return { offset: w[0], weights: w.slice(1) }
}

export const predict = ({ offset, weights }, row) =>
  sigmoid(row.reduce((s, v, k) => s + v * weights[k], offset))

/** Gaussian elimination with pivots; @param a n × (n + 1) */
function solve(a) {
  const n = a.length
  for (let k = 0; k < n; k++) {
    const p = a.reduce((best, r, i) => (i >= k && Math.abs(r[k]) > Math.abs(a[best][k]) ? i : best), k)
    ;[a[k], a[p]] = [a[p], a[k]]
    for (let r = k + 1; r < n; r++) {
      const f = a[r][k] / a[k][k]
      for (let c = k; c <= n; c++) a[r][c] -= f * a[k][c]
    }
  }
  const x = new Array(n).fill(0)
  for (let r = n - 1; r >= 0; r--) {
    x[r] = a[r][n]
    for (let c = r + 1; c < n; c++) x[r] -= a[r][c] * x[c]
    x[r] /= a[r][r]
  }
  return x
}

export const logLoss = (p, y) =>
  p.reduce((s, q, i) => s - Math.log(Math.max(1e-12, y[i] ? q : 1 - q)), 0) / p.length
export const brier = (p, y) => p.reduce((s, q, i) => s + (q - y[i]) ** 2, 0) / p.length

/** Chance that a case with y = 1 has the higher p; ties count half. */
export function auc(p, y) {
  let [wins, pairs] = [0, 0]
  p.forEach((a, i) => {
    if (!y[i]) return
    p.forEach((b, j) => {
      if (y[j]) return
      pairs++
      wins += a > b ? 1 : a === b ? 0.5 : 0
    })
  })
  return pairs > 0 ? wins / pairs : null
}
