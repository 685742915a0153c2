import { GeometryError } from '../errors.js'
import {
  det3,
  type Mat3,
  type Mat4,
  mulMat3,
  mulMat3Vec3,
  orthogonalityError,
  transpose3,
  type Vec3
} from './linear.js'

/** Rigid 4×4 (row-major) from a rotation and a translation: p ↦ R·p + t. */
export const rigid = (r: Mat3, t: Vec3): Mat4 => [
  r[0],
  r[1],
  r[2],
  t[0],
  r[3],
  r[4],
  r[5],
  t[1],
  r[6],
  r[7],
  r[8],
  t[2],
  0,
  0,
  0,
  1
]

export const rotationOf = (m: Mat4): Mat3 => [m[0], m[1], m[2], m[4], m[5], m[6], m[8], m[9], m[10]]
export const translationOf = (m: Mat4): Vec3 => [m[3], m[7], m[11]]

export const applyRigid = (m: Mat4, p: Vec3): Vec3 => [
  m[0] * p[0] + m[1] * p[1] + m[2] * p[2] + m[3],
  m[4] * p[0] + m[5] * p[1] + m[6] * p[2] + m[7],
  m[8] * p[0] + m[9] * p[1] + m[10] * p[2] + m[11]
]

/** a·b: first b, then a. */
export function composeRigid(a: Mat4, b: Mat4): Mat4 {
  const ra = rotationOf(a)
  return rigid(mulMat3(ra, rotationOf(b)), applyRigid(a, translationOf(b)))
}

export function invertRigid(m: Mat4): Mat4 {
  const rt = transpose3(rotationOf(m))
  const t = mulMat3Vec3(rt, translationOf(m))
  return rigid(rt, [-t[0], -t[1], -t[2]])
}

/**
 * Checks that 16 numbers are a rigid transform and returns them.
 * @throws GeometryError if any is NaN, the matrix is not a rotation to 1e-4, or the last row is not 0 0 0 1.
 */
export function assertRigid(m: ArrayLike<number>, name: string): Mat4 {
  const hint = 'Give 16 numbers, row-major: a rotation, a translation in mm, and a last row of 0 0 0 1.'
  if (m.length !== 16) throw new GeometryError(`${name} has ${m.length} numbers, not 16`, hint)
  const a = Array.from(m)
  if (!a.every(Number.isFinite))
    throw new GeometryError(`${name} holds a value that is not a finite number`, hint)
  if (Math.abs(a[12]) + Math.abs(a[13]) + Math.abs(a[14]) + Math.abs(a[15] - 1) > 1e-6)
    throw new GeometryError(`${name} has the last row ${a.slice(12).join(' ')}, not 0 0 0 1`, hint)
  const r = rotationOf(a)
  if (orthogonalityError(r) > 1e-4 || det3(r) < 0)
    throw new GeometryError(
      `${name} is not rigid: its 3×3 part is not a rotation (determinant ${det3(r).toFixed(4)})`,
      hint
    )
  return a
}
