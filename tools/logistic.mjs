// Ridge-regularised logistic regression with given signs, and what says how good its probabilities are.

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

/**
 * Accelerated projected gradient descent: the problem is convex, and small.
 * @param x standardised rows
 * @param y 0 or 1
 * @param ridge how weights (not the offset) are shrunk
 * @param signs for each weight −1 or 1 where only that sign is allowed, else 0
 */
export function fitLogistic(x, y, ridge, signs) {
  const d = x[0].length + 1
  const rows = x.map(r => [1, ...r])
  // An upper bound of the curvature.
  const bound = rows.reduce((s, r) => s + r.reduce((t, v) => t + v * v, 0), 0) / 4 + ridge
  const allowed = w => w.map((v, k) => (k > 0 && v * signs[k - 1] < 0 ? 0 : v))
  let w = new Array(d).fill(0)
  let ahead = w
  let t = 1
  for (let step = 0; step < 6000; step++) {
    const g = ahead.map((v, k) => (k > 0 ? ridge * v : 0))
    rows.forEach((r, n) => {
      const error = sigmoid(r.reduce((s, v, k) => s + v * ahead[k], 0)) - y[n]
      for (let k = 0; k < d; k++) g[k] += error * r[k]
    })
    const next = allowed(ahead.map((v, k) => v - g[k] / bound))
    const u = (1 + Math.sqrt(1 + 4 * t * t)) / 2
    const change = Math.max(...next.map((v, k) => Math.abs(v - w[k])))
    ahead = next.map((v, k) => v + ((t - 1) / u) * (v - w[k]))
    w = next
    t = u
    if (change < 1e-7) break
  }
  return { offset: w[0], weights: w.slice(1) }
}

export const predict = ({ offset, weights }, row) =>
  sigmoid(row.reduce((s, v, k) => s + v * weights[k], offset))

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
