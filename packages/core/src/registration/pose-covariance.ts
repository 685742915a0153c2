import { ArgumentError } from '../errors.js'
import {
  cross,
  IDENTITY4,
  type Mat3,
  type Mat4,
  mulMat3Vec3,
  solveSpd,
  sub,
  transpose3,
  type Vec3
} from '../geometry/linear.js'
import { applyRigid, rotationOf } from '../geometry/rigid.js'
import { DEGREE } from '../geometry/rotation.js'
import { symmetricEigen } from '../pose/symmetric-eigen.js'
import type { PatchSpread } from './similarity/patch-correlation.js'

/** Semi-axes of one standard deviation of a point, longest first. */
export interface ErrorEllipsoid {
  /** LPS mm. */
  readonly centre: Vec3
  readonly axes: readonly {
    /** Standard deviation along it, mm. */
    readonly mm: number
    /** Unit vector, LPS. */
    readonly direction: Vec3
  }[]
}

/**
 * Covariance of a pose that minimises a cost of the form σ⁻²·½·‖residuals‖²: σ²·N⁻¹.
 * @param normal Gauss–Newton curvature, 6×6 row-major, in the variables of `PoseModel` (rad, mm)
 * @param variance σ²
 * @returns 6×6 row-major (rad, mm), camera axes; null where some motion leaves the cost as it is
 */
export function poseCovariance(normal: ArrayLike<number>, variance: number): Float64Array | null {
  const out = new Float64Array(36)
  // Radians and millimetres differ in size: scaled to a unit diagonal, the Cholesky factor keeps its digits.
  const scale = Float64Array.from({ length: 6 }, (_, k) => 1 / Math.sqrt(normal[7 * k]))
  if (!scale.every(Number.isFinite)) return null
  const scaled = Float64Array.from(
    { length: 36 },
    (_, i) => normal[i] * scale[Math.floor(i / 6)] * scale[i % 6]
  )
  for (let c = 0; c < 6; c++) {
    const unit = new Float64Array(6)
    unit[c] = 1
    const column = solveSpd(scaled, unit, 6)
    if (!column?.every(Number.isFinite)) return null
    for (let r = 0; r < 6; r++) out[6 * r + c] = variance * column[r] * scale[r] * scale[c]
  }
  return out
}

/**
 * Covariance of a pose of highest similarity as the image's own parts disagree about it: N⁻¹·S·N⁻¹ (Huber 1967; White, Econometrica
 * 1982). It holds whatever the residuals come from, noise or what the CT lacks, as long as distant parts do not err together.
 * @param views spread of the similarity of each X-ray at the pose (rad, mm; its own camera axes), and its camera from the first one's
 * @returns 6×6 row-major (rad, mm), axes of the first camera; null where some motion leaves the similarity as it is
 */
export function sandwichCovariance(
  views: readonly (PatchSpread & { readonly cameraFromFirst?: Mat4 })[]
): Float64Array | null {
  const normal = new Float64Array(36)
  const scatter = new Float64Array(36)
  for (const view of views) {
    const turn = bothTurned(transpose3(rotationOf(view.cameraFromFirst ?? IDENTITY4)))
    const back = bothTurned(rotationOf(view.cameraFromFirst ?? IDENTITY4))
    // In the first camera's axes: B·M·Bᵀ.
    const n = product(product(turn, view.normal), back)
    const s = product(product(turn, view.scatter), back)
    for (let i = 0; i < 36; i++) {
      normal[i] += n[i]
      scatter[i] += s[i]
    }
  }
  const inverse = poseCovariance(normal, 1)
  return inverse && product(product(inverse, scatter), inverse)
}

/** A rotation of turns and of shifts alike, 6×6 row-major. */
const bothTurned = (r: Mat3): Float64Array =>
  Float64Array.from({ length: 36 }, (_, i) => {
    const [row, column] = [Math.floor(i / 6), i % 6]
    return row < 3 === column < 3 ? r[3 * (row % 3) + (column % 3)] : 0
  })

const product = (a: Float64Array, b: Float64Array): Float64Array =>
  a.map((_, i) => {
    let sum = 0
    for (let k = 0; k < 6; k++) sum += a[6 * Math.floor(i / 6) + k] * b[6 * k + (i % 6)]
    return sum
  })

/** A covariance (rad, mm) in degrees and mm, as files and people have it. */
export const covarianceInDegrees = (covariance: ArrayLike<number>): number[] =>
  Array.from(
    { length: 36 },
    (_, i) => covariance[i] / ((Math.floor(i / 6) < 3 ? DEGREE : 1) * (i % 6 < 3 ? DEGREE : 1))
  )

/**
 * How a covariance spreads the point that the pose turns about: what is left is its shift.
 * @param covariance 6×6 (rad, mm), camera axes
 * @param centre LPS mm
 */
export function errorEllipsoid(
  covariance: ArrayLike<number>,
  cameraFromLps: Mat4,
  centre: Vec3
): ErrorEllipsoid {
  const block = Float64Array.from(
    { length: 9 },
    (_, i) => covariance[6 * (3 + Math.floor(i / 3)) + 3 + (i % 3)]
  )
  const { values, vectors } = symmetricEigen(block, 3)
  const toLps = transpose3(rotationOf(cameraFromLps))
  return {
    centre,
    axes: [2, 1, 0].map(k => ({
      mm: Math.sqrt(Math.max(0, values[k])),
      direction: mulMat3Vec3(toLps, [vectors[3 * k], vectors[3 * k + 1], vectors[3 * k + 2]])
    }))
  }
}

/**
 * The target registration error that a covariance leads to expect: root mean square over the targets, mm.
 * @param covariance 6×6 (rad, mm) about `centre`, camera axes
 * @throws ArgumentError without a target
 */
export function expectedTre(
  covariance: ArrayLike<number>,
  cameraFromLps: Mat4,
  centre: Vec3,
  targets: readonly Vec3[]
): number {
  const shifts = targetShifts(cameraFromLps, centre, targets)
  const sum = shifts.reduce(
    (s, rows) => s + rows.reduce((t, row) => t + varianceAlong(row, covariance), 0),
    0
  )
  return Math.sqrt(sum / shifts.length)
}

/**
 * The distance between a target's projection and where it should be that a covariance leads to expect: root mean square over the targets, mm on
 * a detector `sdd` from the source. A shift along a target's own ray does not count. Infinite where a target
 * lies at or behind the source.
 * @param covariance 6×6 (rad, mm) about `centre`, camera axes
 * @throws ArgumentError without a target
 */
export function expectedProjectionDistance(
  covariance: ArrayLike<number>,
  cameraFromLps: Mat4,
  centre: Vec3,
  targets: readonly Vec3[],
  sdd: number
): number {
  const shifts = targetShifts(cameraFromLps, centre, targets)
  let sum = 0
  shifts.forEach(([alongX, alongY, alongZ], i) => {
    const [x, y, z] = applyRigid(cameraFromLps, targets[i])
    if (!(z > 0)) {
      sum = Number.POSITIVE_INFINITY
      return
    }
    for (const [along, slope] of [
      [alongX, x / z],
      [alongY, y / z]
    ] as const)
      sum +=
        (sdd / z) ** 2 *
        varianceAlong(
          along.map((d, k) => d - slope * alongZ[k]),
          covariance
        )
  })
  return Math.sqrt(sum / shifts.length)
}

/** For each target how x, y and z of its place in the camera change with turns about `centre` and shifts. */
function targetShifts(cameraFromLps: Mat4, centre: Vec3, targets: readonly Vec3[]): number[][][] {
  if (targets.length === 0)
    throw new ArgumentError('There is no target to expect an error at', 'Give landmarks or surface points.')
  const r = rotationOf(cameraFromLps)
  return targets.map(target => {
    const p = mulMat3Vec3(r, sub(target, centre))
    // A turn about axis k moves the target by e_k × p.
    const turns = [cross([1, 0, 0], p), cross([0, 1, 0], p), cross([0, 0, 1], p)]
    return [0, 1, 2].map(a => [turns[0][a], turns[1][a], turns[2][a], +(a === 0), +(a === 1), +(a === 2)])
  })
}

/** Variance of a linear function of the six errors. */
function varianceAlong(row: readonly number[], covariance: ArrayLike<number>): number {
  let sum = 0
  for (let k = 0; k < 6; k++) for (let l = 0; l < 6; l++) sum += row[k] * covariance[6 * k + l] * row[l]
  return Math.max(0, sum)
}
