import { GeometryError } from '../errors.js'
import { cross, dot, type Mat4, mulMat3Vec3, norm, normalize, scale, sub, type Vec3 } from './linear.js'
import { rigid } from './rigid.js'

/** What the frame of the pelvis is made of, LPS mm. */
export interface PelvisFramePoints {
  /** Right and left anterior superior iliac spine. */
  readonly asisRight: Vec3
  readonly asisLeft: Vec3
  /** Midpoint of the pubic tubercles, or the inferior symphysis. */
  readonly pubis: Vec3
}

const midpoint = (a: Vec3, b: Vec3): Vec3 => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2, (a[2] + b[2]) / 2]

/**
 * Anterior pelvic plane frame: origin midway between the two ASIS; x from the right to the left ASIS; y from the
 * pubis towards the origin, made orthogonal to x; z = x × y (out of the front of the pelvis).
 *
 * @returns app_from_lps, rigid: `p_app = result · p_lps`
 * @throws GeometryError if the three points coincide or lie on one line, or are not finite.
 */
export function pelvisFrame({ asisRight, asisLeft, pubis }: PelvisFramePoints): Mat4 {
  const origin = midpoint(asisRight, asisLeft)
  const right = sub(asisLeft, asisRight)
  const x = normalize(right)
  const towards = sub(origin, pubis)
  const up = sub(towards, scale(x, dot(towards, x)))
  if (!(norm(right) > 1e-6 && norm(up) > 1e-6 && Number.isFinite(norm(right) + norm(up))))
    throw new GeometryError(
      'The iliac spines and the pubis do not span a plane: they coincide, lie on one line or are not finite',
      'Check the landmarks that the frame is made of.'
    )
  const y = normalize(up)
  const rotation = [...x, ...y, ...cross(x, y)]
  const t = mulMat3Vec3(rotation, origin)
  return rigid(rotation, [-t[0], -t[1], -t[2]])
}
