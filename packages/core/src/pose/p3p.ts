import { det3, distance, dot, type Mat3, type Mat4, norm, scale, type Vec3 } from '../geometry/linear.js'
import { absoluteOrientation } from './absolute-orientation.js'
import { symmetricEigen } from './symmetric-eigen.js'

/**
 * The poses (at most four) under which three points lie on three rays: Lambda Twist (Persson & Nordberg, ECCV
 * 2018). The distances λ along the rays satisfy λᵀMλ = |xi − xj|² for each pair; two homogeneous combinations of
 * these are made degenerate, which splits one of them into two planes through the origin of λ-space.
 * @param points three, LPS mm
 * @param rays x/z, y/z of each, 6 numbers
 * @returns cameraFromLps for each solution in front of the source; empty for degenerate points
 */
export function p3p(points: readonly Vec3[], rays: ArrayLike<number>): Mat4[] {
  const y = [0, 1, 2].map((i): Vec3 => {
    const d: Vec3 = [rays[2 * i], rays[2 * i + 1], 1]
    return scale(d, 1 / norm(d))
  })
  const c12 = dot(y[0], y[1])
  const c13 = dot(y[0], y[2])
  const c23 = dot(y[1], y[2])
  const a12 = distance(points[0], points[1]) ** 2
  const a13 = distance(points[0], points[2]) ** 2
  const a23 = distance(points[1], points[2]) ** 2
  const d1: Mat3 = [a23, -a23 * c12, 0, -a23 * c12, a23 - a12, a12 * c23, 0, a12 * c23, -a12]
  const d2: Mat3 = [a23, 0, -a23 * c13, 0, -a13, a13 * c23, -a23 * c13, a13 * c23, a23 - a13]
  const gamma = realRootOfDeterminant(d1, d2)
  if (gamma === null) return []
  const { values, vectors } = symmetricEigen(
    d1.map((x, i) => x + gamma * d2[i]),
    3
  )
  if (!(values[0] < 0 && values[2] > 0)) return []
  const s = Math.sqrt(-values[0] / values[2])
  const poses: Mat4[] = []
  for (const sign of [1, -1]) {
    const plane = [0, 1, 2].map(k => vectors[6 + k] + sign * s * vectors[k])
    for (const ratio of positiveDirections(plane, d2)) {
      const q = ratio[1] ** 2 + ratio[2] ** 2 - 2 * c23 * ratio[1] * ratio[2]
      const length = Math.sqrt(a23 / q)
      if (!Number.isFinite(length)) continue
      poses.push(
        absoluteOrientation(
          points,
          y.map((d, i) => scale(d, length * ratio[i]))
        )
      )
    }
  }
  return poses
}

/** λ (up to scale, all positive) in the plane n·λ = 0 with λᵀDλ = 0. */
function positiveDirections(n: readonly number[], d: Mat3): Vec3[] {
  // The coordinate with the largest coefficient is eliminated; of the others one is 1 and one is t.
  const k = [0, 1, 2].reduce((a, b) => (Math.abs(n[b]) > Math.abs(n[a]) ? b : a))
  const i = (k + 1) % 3
  const j = (k + 2) % 3
  const p = [0, 0, 0]
  const q = [0, 0, 0]
  p[i] = 1
  p[k] = -n[i] / n[k]
  q[j] = 1
  q[k] = -n[j] / n[k]
  const form = (a: readonly number[], b: readonly number[]) => {
    let s = 0
    for (let r = 0; r < 3; r++) for (let c = 0; c < 3; c++) s += a[r] * d[r * 3 + c] * b[c]
    return s
  }
  const out: Vec3[] = []
  for (const t of quadraticRoots(form(q, q), 2 * form(p, q), form(p, p))) {
    const l: Vec3 = [p[0] + t * q[0], p[1] + t * q[1], p[2] + t * q[2]]
    if (l[0] > 0 && l[1] > 0 && l[2] > 0) out.push(l)
  }
  return out
}

/** Real roots of ax² + bx + c, without cancellation. */
function quadraticRoots(a: number, b: number, c: number): number[] {
  const discriminant = b * b - 4 * a * c
  // Noise can push a double root just off the axis: it is still the best answer there.
  if (discriminant < -1e-12 * b * b) return []
  const q = -0.5 * (b + (b < 0 ? -1 : 1) * Math.sqrt(Math.max(discriminant, 0)))
  return [q / a, c / q].filter(Number.isFinite)
}

/** A real γ with det(D1 + γ·D2) = 0; null where the determinant hardly depends on γ. */
function realRootOfDeterminant(d1: Mat3, d2: Mat3): number | null {
  const mixed = (first: Mat3, second: Mat3) => {
    let s = 0
    for (let c = 0; c < 3; c++) {
      const m = [...first]
      for (let r = 0; r < 3; r++) m[r * 3 + c] = second[r * 3 + c]
      s += det3(m)
    }
    return s
  }
  const c0 = det3(d1)
  const c1 = mixed(d1, d2)
  const c2 = mixed(d2, d1)
  const c3 = det3(d2)
  if (!(Math.abs(c3) > 1e-12 * (Math.abs(c0) + Math.abs(c1) + Math.abs(c2)))) return null
  return cubicRoot(c2 / c3, c1 / c3, c0 / c3)
}

/** One real root of x³ + bx² + cx + d: the one of largest size, polished by Newton steps. */
function cubicRoot(b: number, c: number, d: number): number {
  const q = (b * b - 3 * c) / 9
  const r = (b * (2 * b * b - 9 * c) + 27 * d) / 54
  let x: number
  if (r * r < q * q * q) {
    const theta = Math.acos(r / Math.sqrt(q * q * q))
    const roots = [0, 1, 2].map(k => -2 * Math.sqrt(q) * Math.cos((theta + 2 * Math.PI * k) / 3) - b / 3)
    x = roots.reduce((m, t) => (Math.abs(t) > Math.abs(m) ? t : m))
  } else {
    const a = -Math.sign(r || 1) * Math.cbrt(Math.abs(r) + Math.sqrt(r * r - q * q * q))
    x = a + (a === 0 ? 0 : q / a) - b / 3
  }
  for (let i = 0; i < 3; i++) {
    const slope = (3 * x + 2 * b) * x + c
    const step = slope === 0 ? 0 : (((x + b) * x + c) * x + d) / slope
    if (Number.isFinite(step)) x -= step
  }
  return x
}
