import type { Vec3 } from '../geometry/linear.js'

/** Beyond any volume, in squared grid steps. */
const FAR = 1e12

/**
 * Euclidean distance of each point of a regular grid to the nearest one that is marked, in grid steps; i fastest. Exact: lower envelopes
 * of parabolas, one axis after the other (Felzenszwalb & Huttenlocher, Theory of Computing 2012). 10⁶ where nothing is marked.
 */
export function distanceTransform(marked: ArrayLike<number>, size: Vec3): Float32Array {
  const [ni, nj, nk] = size
  const out = new Float32Array(ni * nj * nk)
  for (let o = 0; o < out.length; o++) out[o] = marked[o] ? 0 : FAR
  const most = Math.max(ni, nj, nk)
  const f = new Float64Array(most)
  const sites = new Int32Array(most)
  const starts = new Float64Array(most + 1)
  const line = (first: number, step: number, n: number) => {
    for (let q = 0; q < n; q++) f[q] = out[first + q * step]
    let k = -1
    for (let q = 0; q < n; q++) {
      if (f[q] >= FAR) continue
      let from = -Infinity
      while (k >= 0) {
        const p = sites[k]
        from = (f[q] - f[p] + q * q - p * p) / (2 * (q - p))
        if (from > starts[k]) break
        k--
        from = -Infinity
      }
      k++
      sites[k] = q
      starts[k] = from
    }
    if (k < 0) return
    starts[k + 1] = Infinity
    for (let q = 0, s = 0; q < n; q++) {
      while (starts[s + 1] < q) s++
      out[first + q * step] = (q - sites[s]) ** 2 + f[sites[s]]
    }
  }
  for (let r = 0; r < nj * nk; r++) line(r * ni, 1, ni)
  for (let k = 0; k < nk; k++) for (let i = 0; i < ni; i++) line(k * nj * ni + i, ni, nj)
  for (let r = 0; r < ni * nj; r++) line(r, ni * nj, nk)
  for (let o = 0; o < out.length; o++) out[o] = Math.sqrt(out[o])
  return out
}
