import {
  column3,
  cross,
  det3,
  dot,
  type Mat3,
  mulMat3,
  norm,
  scale,
  sub,
  transpose3,
  type Vec3
} from '../geometry/linear.js'

/** A = U · diag(s) · Vᵀ with U, V orthogonal and s descending, not negative. */
export interface Svd3 {
  readonly u: Mat3
  readonly s: Vec3
  readonly v: Mat3
}

const fromColumns = (a: Vec3, b: Vec3, c: Vec3): Mat3 => [
  a[0],
  b[0],
  c[0],
  a[1],
  b[1],
  c[1],
  a[2],
  b[2],
  c[2]
]

/** Singular value decomposition of a 3×3 matrix by one-sided Jacobi (Hestenes): columns of A·V made orthogonal. */
export function svd3(a: Mat3): Svd3 {
  const columns: Vec3[] = [column3(a, 0), column3(a, 1), column3(a, 2)]
  const v: Vec3[] = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1]
  ]
  const pairs = [
    [0, 1],
    [0, 2],
    [1, 2]
  ] as const
  for (let sweep = 0; sweep < 40; sweep++) {
    let turned = false
    for (const [p, q] of pairs) {
      const alpha = dot(columns[p], columns[p])
      const beta = dot(columns[q], columns[q])
      const gamma = dot(columns[p], columns[q])
      if (Math.abs(gamma) <= 1e-16 * Math.sqrt(alpha * beta) || gamma === 0) continue
      turned = true
      const zeta = (beta - alpha) / (2 * gamma)
      const t = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta))
      const c = 1 / Math.sqrt(1 + t * t)
      const s = c * t
      turn(columns, p, q, c, s)
      turn(v, p, q, c, s)
    }
    if (!turned) break
  }
  const order = [0, 1, 2].sort((i, j) => norm(columns[j]) - norm(columns[i]))
  const s = order.map(i => norm(columns[i])) as unknown as Vec3
  const [c0, c1, c2] = order.map(i => columns[i])
  // A column that vanishes with its singular value has no accurate direction of its own: what is left of it after
  // the ones before it decides, and the third is their cross product up to sign.
  const u0: Vec3 = s[0] > 0 ? scale(c0, 1 / s[0]) : [1, 0, 0]
  const rest = sub(c1, scale(u0, dot(u0, c1)))
  const u1 = norm(rest) > 1e-15 * s[0] ? scale(rest, 1 / norm(rest)) : perpendicular(u0)
  const normal = cross(u0, u1)
  const u2 = dot(normal, c2) < 0 ? scale(normal, -1) : normal
  return { u: fromColumns(u0, u1, u2), s, v: fromColumns(v[order[0]], v[order[1]], v[order[2]]) }
}

function turn(columns: Vec3[], p: number, q: number, c: number, s: number): void {
  const a = columns[p]
  const b = columns[q]
  columns[p] = [c * a[0] - s * b[0], c * a[1] - s * b[1], c * a[2] - s * b[2]]
  columns[q] = [s * a[0] + c * b[0], s * a[1] + c * b[1], s * a[2] + c * b[2]]
}

function perpendicular(a: Vec3): Vec3 {
  const k = Math.abs(a[0]) < 0.6 ? ([1, 0, 0] as const) : ([0, 1, 0] as const)
  const p = cross(a, k)
  return scale(p, 1 / norm(p))
}

/** The rotation nearest to `a` in the Frobenius norm: U · diag(1, 1, ±1) · Vᵀ. */
export function nearestRotation(a: Mat3): Mat3 {
  const { u, v } = svd3(a)
  const sign = det3(u) * det3(v) < 0 ? -1 : 1
  const signed = u.map((x, i) => (i % 3 === 2 ? sign * x : x))
  return mulMat3(signed, transpose3(v))
}
