import { type Mat4, mulMat3Vec3, sub, type Vec3 } from '../geometry/linear.js'
import { rigid } from '../geometry/rigid.js'
import { nearestRotation } from './svd3.js'

/**
 * The rigid transform that takes `from` to `to` with the least weighted squared distance (Arun, Huang & Blostein
 * 1987; the reflection case after Umeyama 1991).
 * @param from,to corresponding points, same length ≥ 3, mm
 * @param weights per point, default 1
 */
export function absoluteOrientation(
  from: readonly Vec3[],
  to: readonly Vec3[],
  weights?: ArrayLike<number>
): Mat4 {
  const a = weightedCentroid(from, weights)
  const b = weightedCentroid(to, weights)
  const h = new Array<number>(9).fill(0)
  for (let i = 0; i < from.length; i++) {
    const w = weights ? weights[i] : 1
    const p = sub(from[i], a)
    const q = sub(to[i], b)
    for (let r = 0; r < 3; r++) for (let c = 0; c < 3; c++) h[r * 3 + c] += w * q[r] * p[c]
  }
  const r = nearestRotation(h)
  return rigid(r, sub(b, mulMat3Vec3(r, a)))
}

/** Centroid of points under weights (not all zero). */
export function weightedCentroid(points: readonly Vec3[], weights?: ArrayLike<number>): Vec3 {
  let x = 0
  let y = 0
  let z = 0
  let sum = 0
  for (let i = 0; i < points.length; i++) {
    const w = weights ? weights[i] : 1
    x += w * points[i][0]
    y += w * points[i][1]
    z += w * points[i][2]
    sum += w
  }
  return [x / sum, y / sum, z / sum]
}
