import { type Mat4, sub, type Vec3 } from '../geometry/linear.js'
import { applyRigid, rotationOf } from '../geometry/rigid.js'
import type { Correspondences } from '../pose/correspondences.js'
import { reprojectionJacobian } from '../pose/reprojection-jacobian.js'
import type { PoseModel } from './pose-model.js'

/**
 * The mean over landmarks of the Geman–McClure loss r²/(r² + scale²) of their reprojection distances, as a cost to be added to
 * that of the images: it holds a pose near the landmarks where the images do not, and ignores wrong detections.
 * @param scale mm on the detector at which a landmark counts half
 */
export function landmarkModel(c: Correspondences, pose: Mat4, centre: Vec3, scale: number): PoseModel {
  const gradient = new Float64Array(6)
  const normal = new Float64Array(36)
  const r = rotationOf(pose)
  const t = applyRigid(pose, centre)
  const e = new Float64Array(2)
  const j = new Float64Array(12)
  let cost = 0
  let total = 0
  for (const w of c.weights) total += w
  for (let i = 0; i < c.points.length; i++) {
    const w = c.weights[i] / total
    const z = reprojectionJacobian(
      sub(c.points[i], centre),
      r,
      t,
      c.rays[2 * i],
      c.rays[2 * i + 1],
      c.sdd,
      e,
      j
    )
    // Behind the source: as bad as can be, without a way back.
    if (!(z > 0)) {
      cost += w
      continue
    }
    const u = (e[0] * e[0] + e[1] * e[1]) / (scale * scale)
    cost += (w * u) / (1 + u)
    // Of r²/(r² + s²) the slope is 2·r·s²/(r² + s²)².
    const slope = (2 * w) / (scale * scale * (1 + u) ** 2)
    for (let a = 0; a < 6; a++) {
      gradient[a] += slope * (j[a] * e[0] + j[6 + a] * e[1])
      for (let b = 0; b < 6; b++) normal[6 * a + b] += slope * (j[a] * j[b] + j[6 + a] * j[6 + b])
    }
  }
  return { cost, gradient, normal }
}
