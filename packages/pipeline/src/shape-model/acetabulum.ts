import type { Points } from './align.js'

/**
 * Sphere fitted to the hollow of the acetabulum: the vertices around `guess` whose outward normals point at the centre.
 * @returns [x, y, z, radius], mm
 */
export function fitAcetabulum(vertices: Points, normals: Points, guess: readonly number[]): number[] {
  let c = [...guess]
  let radius = 25
  for (let round = 0; round < 25; round++) {
    // |p|² = 2 c·p + (r² − |c|²): linear least squares, 4 unknowns.
    const a = new Float64Array(16)
    const b = new Float64Array(4)
    let count = 0
    for (let i = 0; i < vertices.length; i += 3) {
      const d = [c[0] - vertices[i], c[1] - vertices[i + 1], c[2] - vertices[i + 2]]
      const l = Math.hypot(...d)
      if (l < radius - 7 || l > radius + (round < 8 ? 9 : 4)) continue
      if ((d[0] * normals[i] + d[1] * normals[i + 1] + d[2] * normals[i + 2]) / l < 0.75) continue
      const row = [2 * vertices[i], 2 * vertices[i + 1], 2 * vertices[i + 2], 1]
      const y = vertices[i] ** 2 + vertices[i + 1] ** 2 + vertices[i + 2] ** 2
      for (let r = 0; r < 4; r++) {
        b[r] += row[r] * y
        for (let k = 0; k < 4; k++) a[r * 4 + k] += row[r] * row[k]
      }
      count++
    }
    if (count < 30) return [...c, radius]
    const x = gauss(a, b)
    c = [x[0], x[1], x[2]]
    radius = Math.min(32, Math.max(19, Math.sqrt(Math.max(1, x[3] + x[0] ** 2 + x[1] ** 2 + x[2] ** 2))))
  }
  return [...c, radius]
}

function gauss(a: Float64Array, b: Float64Array): number[] {
  const n = b.length
  const m = Array.from({ length: n }, (_, r) => [...a.subarray(r * n, r * n + n), b[r]])
  for (let p = 0; p < n; p++) {
    let best = p
    for (let r = p + 1; r < n; r++) if (Math.abs(m[r][p]) > Math.abs(m[best][p])) best = r
    ;[m[p], m[best]] = [m[best], m[p]]
    for (let r = 0; r < n; r++) {
      if (r === p) continue
      const f = m[r][p] / m[p][p]
      for (let k = p; k <= n; k++) m[r][k] -= f * m[p][k]
    }
  }
  return m.map((row, i) => row[n] / row[i])
}
