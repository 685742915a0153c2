import { PAPER_SOURCE_TO_ISOCENTER } from './camera.js'
import { type Mat3, type Mat4, mulMat3, mulMat3Vec3, sub, transpose3, type Vec3 } from './linear.js'
import { applyRigid, rigid, rotationOf } from './rigid.js'
import { viewRotation } from './rotation.js'

/** Where the C-arm stands, as people say it. Angles in radians, lengths in mm. */
export interface View {
  /** About x (medial/lateral axis): cranial/caudal tilt. */
  readonly alpha: number
  /** About y (anterior/posterior axis): roll. */
  readonly beta: number
  /** About z (cranial/caudal axis): left/right orbit. */
  readonly gamma: number
  /** Offset of the C-arm's centre from the isocentre, LPS mm. */
  readonly translation: Vec3
}

/** Camera axes at zero angles, as rows in LPS: x = +L, y = −S, z = +P. */
export const CAMERA_AXES_AT_ZERO: Mat3 = [1, 0, 0, 0, 0, -1, 0, 1, 0]

/**
 * `p_camera = A · Rᵀ · (p_lps − c − t) + (0, 0, sourceToIsocenter)` with `R = Rz(γ)·Rx(α)·Ry(β)`.
 * @param isocenter c, LPS mm
 */
export function poseFromView(
  view: View,
  isocenter: Vec3,
  sourceToIsocenter = PAPER_SOURCE_TO_ISOCENTER
): Mat4 {
  const m = mulMat3(CAMERA_AXES_AT_ZERO, transpose3(viewRotation(view.alpha, view.beta, view.gamma)))
  const t = mulMat3Vec3(m, [
    -isocenter[0] - view.translation[0],
    -isocenter[1] - view.translation[1],
    -isocenter[2] - view.translation[2]
  ])
  return rigid(m, [t[0], t[1], t[2] + sourceToIsocenter])
}

/**
 * The inverse of {@link poseFromView}, with α in [−π/2, π/2]. At α = ±π/2 only a sum of β and γ is determined;
 * β is then 0. Either way `poseFromView` gives the same pose back.
 */
export function viewFromPose(
  pose: Mat4,
  isocenter: Vec3,
  sourceToIsocenter = PAPER_SOURCE_TO_ISOCENTER
): View {
  // cameraFromLps = A·Rᵀ, hence R = (Aᵀ·M)ᵀ.
  const r = transpose3(mulMat3(transpose3(CAMERA_AXES_AT_ZERO), rotationOf(pose)))
  // R = Rz·Rx·Ry has R[2][1] = sin α, R[2][0] = −cos α sin β, R[2][2] = cos α cos β, R[0][1] = −sin γ cos α.
  const cosAlpha = Math.hypot(r[6], r[8])
  const alpha = Math.atan2(r[7], cosAlpha)
  const locked = cosAlpha < 1e-9
  const beta = locked ? 0 : Math.atan2(-r[6], r[8])
  const gamma = locked ? Math.atan2(r[3], r[0]) : Math.atan2(-r[1], r[4])
  // The C-arm's centre is the point at (0, 0, sourceToIsocenter) in camera coordinates.
  const centre = applyRigid(
    rigid(transpose3(rotationOf(pose)), [0, 0, 0]),
    sub([0, 0, sourceToIsocenter], [pose[3], pose[7], pose[11]])
  )
  return { alpha, beta, gamma, translation: sub(centre, isocenter) }
}
