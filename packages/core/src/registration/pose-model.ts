import type { Mat4, Vec3 } from '../geometry/linear.js'
import { solveSpd } from '../geometry/linear.js'
import { type PoseScale, rigidPoseVariables } from './pose-variables.js'

/** A cost near a pose: its value, slope and curvature in the unscaled variables of `rigidPoseVariables` (rad, mm) at 0. */
export interface PoseModel {
  readonly cost: number
  readonly gradient: Float64Array
  /** Gauss–Newton curvature, 6×6 row-major, positive semidefinite. */
  readonly normal: Float64Array
}

/** What an optimiser with derivatives is given. */
export interface PoseProblem {
  /** cameraFromLps. */
  readonly start: Mat4
  /** What the variables turn about, LPS mm. */
  readonly centre: Vec3
  readonly model: (pose: Mat4) => PoseModel
  readonly maxEvaluations: number
  /** Longest step in each variable. */
  readonly maxStep: PoseScale
  /** Stops at steps below it in each variable. */
  readonly precision: PoseScale
}

export interface PoseSolution {
  readonly cameraFromLps: Mat4
  readonly model: PoseModel
  readonly evaluations: number
}

/** Finds a pose of low cost. */
export type PoseSolver = (problem: PoseProblem) => PoseSolution

/** One radian and one millimetre: variables in the units of derivatives. */
export const UNIT_SCALE: PoseScale = { rotation: 1, inPlane: 1, depth: 1 }

export const asSix = ({ rotation, inPlane, depth }: PoseScale): number[] => [
  rotation,
  rotation,
  rotation,
  inPlane,
  inPlane,
  depth
]

/** Gives up after so many steps in a row that do not lower the cost. */
const MAX_REFUSALS = 5

/**
 * Levenberg–Marquardt on SE(3) with Marquardt's scaling: steps solve (N + λ·diag N)·d = −g about the best pose so far, which
 * the variables are always relative to.
 */
export const levenbergMarquardt: PoseSolver = ({
  start,
  centre,
  model,
  maxEvaluations,
  maxStep,
  precision
}) => {
  const longest = asSix(maxStep)
  const least = asSix(precision)
  let pose = start
  let here = model(start)
  let evaluations = 1
  let lambda = 1e-3
  let refusals = 0
  while (evaluations < maxEvaluations && refusals < MAX_REFUSALS) {
    const step = dampedStep(here, lambda)
    if (!step) break
    const shortened = 1 / Math.max(1, ...step.map((d, k) => Math.abs(d) / longest[k]))
    const d = step.map(x => x * shortened)
    const candidate = rigidPoseVariables(pose, centre, UNIT_SCALE).poseAt(d)
    const there = model(candidate)
    evaluations++
    if (there.cost < here.cost) {
      pose = candidate
      here = there
      lambda = Math.max(lambda / 8, 1e-7)
      refusals = 0
      if (d.every((x, k) => Math.abs(x) < least[k])) break
    } else {
      if (d.every((x, k) => Math.abs(x) < least[k])) break
      lambda = Math.max(lambda * 10, 1e-2)
      refusals++
    }
  }
  return { cameraFromLps: pose, model: here, evaluations }
}

/** −(N + λ·diag N)⁻¹·g; null where the model says nothing. */
function dampedStep({ normal, gradient }: PoseModel, lambda: number): Float64Array | null {
  const a = Float64Array.from(normal)
  let trace = 0
  for (let k = 0; k < 6; k++) trace += normal[7 * k]
  // A variable that nothing depends on stays where it is instead of making the system singular.
  for (let k = 0; k < 6; k++) a[7 * k] += lambda * a[7 * k] + 1e-12 * trace
  return solveSpd(
    a,
    gradient.map(g => -g),
    6
  )
}
