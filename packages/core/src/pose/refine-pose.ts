import { PoseError } from '../errors.js'
import { type Mat3, type Mat4, mulMat3, mulMat3Vec3, solveSpd, sub, type Vec3 } from '../geometry/linear.js'
import { applyRigid, rigid, rotationOf } from '../geometry/rigid.js'
import { expSO3 } from '../geometry/rotation.js'
import { weightedCentroid } from './absolute-orientation.js'
import type { Correspondences } from './correspondences.js'
import { type DepthPrior, type PriorTerm, priorResidual, priorTerm } from './depth-prior.js'
import { poseCovariance } from './pose-covariance.js'
import { reprojectionJacobian } from './reprojection-jacobian.js'

/** Default scale of the loss at the start, mm on the detector. */
export const ROBUST_SCALE_START = 19.2

export interface RefineOptions {
  readonly depthPrior?: DepthPrior
  /** Scale of the Cauchy loss at the start, mm on the detector: large, so that a poor start is not taken for outliers. */
  readonly scaleStart?: number
  /** Scale at the end, mm on the detector: a few times the detections' noise. Infinity: plain least squares. */
  readonly scaleEnd?: number
  /** Steps over which the scale falls; as many again are allowed to converge. */
  readonly annealing?: number
  /** Ends at steps below it, mm; default 10⁻⁷. */
  readonly tolerance?: number
}

export interface RefinedPose {
  readonly cameraFromLps: Mat4
  /** Σ w·c²·log(1 + r²/c²) at the final scale c, mm² on the detector. */
  readonly cost: number
  /**
   * 6×6, row-major: of (rotation vector in radians, translation in mm) of a perturbation applied after the pose, about
   * `centre`, in camera axes.
   */
  readonly covariance: Float64Array
  /** The points' centroid about which the perturbation turns, LPS mm. */
  readonly centre: Vec3
}

/** Normal equations in six unknowns: rotation about the centroid and translation, both in camera axes. */
interface Linearisation {
  /** JᵀWJ with the robust weights, 6×6. */
  readonly normal: Float64Array
  /** JᵀWr. */
  readonly gradient: Float64Array
  readonly cost: number
}

/**
 * Weighted robust Levenberg–Marquardt on SE(3) from a start: minimises the Cauchy loss of the reprojection
 * distances while its scale falls geometrically from `scaleStart` to `scaleEnd`, so that outliers are first
 * tolerated and at the end ignored. Rotations turn about the points' centroid: about the source they would be
 * nearly the same as translations.
 * @param start cameraFromLps
 * @throws PoseError where the start puts a point at or behind the source, or the points are degenerate
 */
export function refinePose(c: Correspondences, start: Mat4, options: RefineOptions = {}): RefinedPose {
  const { scaleEnd = 4, annealing = 15, tolerance = 1e-7 } = options
  const scaleStart = Math.max(options.scaleStart ?? ROBUST_SCALE_START, scaleEnd)
  const centre = weightedCentroid(c.points, c.weights)
  const arms = c.points.map(p => sub(p, centre))
  const prior = options.depthPrior && priorTerm(options.depthPrior, centre)
  let r: Mat3 = rotationOf(start)
  let t: Vec3 = applyRigid(start, centre)
  let lambda = 1e-3
  for (let step = 0; step < 2 * annealing + 20; step++) {
    const f = annealing > 0 ? Math.min(1, step / annealing) : 1
    const scale = Number.isFinite(scaleEnd) ? scaleStart * (scaleEnd / scaleStart) ** f : scaleEnd
    const here = linearise(c, arms, r, t, scale, prior)
    if (!here)
      throw new PoseError(
        'The start of the refinement puts a point at or behind the X-ray source',
        'Start from a pose with all points in front of the source.'
      )
    let moved = 0
    for (let attempt = 0; attempt < 10; attempt++) {
      const d = dampedStep(here, lambda)
      const r2 = d && mulMat3(expSO3([d[0], d[1], d[2]]), r)
      const t2: Vec3 | null = d && [t[0] + d[3], t[1] + d[4], t[2] + d[5]]
      const cost = r2 && t2 ? robustCost(c, arms, r2, t2, scale, prior) : Number.POSITIVE_INFINITY
      if (d && r2 && t2 && cost < here.cost) {
        // One radian moves a landmark by about 100 mm.
        moved = 100 * Math.hypot(d[0], d[1], d[2]) + Math.hypot(d[3], d[4], d[5])
        r = r2
        t = t2
        lambda = Math.max(lambda / 5, 1e-9)
        break
      }
      lambda = Math.min(lambda * 8, 1e8)
    }
    if (f === 1 && moved < tolerance) break
  }
  const rt = mulMat3Vec3(r, centre)
  return {
    cameraFromLps: rigid(r, sub(t, rt)),
    cost: robustCost(c, arms, r, t, scaleEnd, prior),
    covariance: poseCovariance(c, arms, r, t, scaleEnd, prior),
    centre
  }
}

/** −(JᵀWJ + λ·diag)⁻¹·JᵀWr. */
function dampedStep({ normal, gradient }: Linearisation, lambda: number): Float64Array | null {
  const a = Float64Array.from(normal)
  for (let k = 0; k < 6; k++) a[7 * k] += lambda * a[7 * k]
  return solveSpd(
    a,
    gradient.map(g => -g),
    6
  )
}

const loss = (r2: number, scale: number) =>
  Number.isFinite(scale) ? scale * scale * Math.log1p(r2 / (scale * scale)) : r2

function robustCost(
  c: Correspondences,
  arms: readonly Vec3[],
  r: Mat3,
  t: Vec3,
  scale: number,
  prior?: PriorTerm
): number {
  let cost = prior ? prior.weight * loss(priorResidual(prior, r, t).value ** 2, prior.scale) : 0
  for (let i = 0; i < arms.length; i++) {
    const a = mulMat3Vec3(r, arms[i])
    const z = a[2] + t[2]
    if (!(z > 0)) return Number.POSITIVE_INFINITY
    const ex = c.sdd * ((a[0] + t[0]) / z - c.rays[2 * i])
    const ey = c.sdd * ((a[1] + t[1]) / z - c.rays[2 * i + 1])
    cost += c.weights[i] * loss(ex * ex + ey * ey, scale)
  }
  return cost
}

/** Normal equations at a pose; null where a point is at or behind the source. */
function linearise(
  c: Correspondences,
  arms: readonly Vec3[],
  r: Mat3,
  t: Vec3,
  scale: number,
  prior?: PriorTerm
): Linearisation | null {
  const normal = new Float64Array(36)
  const gradient = new Float64Array(6)
  const e = new Float64Array(2)
  const j = new Float64Array(12)
  let cost = 0
  if (prior) {
    const { value, slope } = priorResidual(prior, r, t)
    cost += prior.weight * loss(value * value, prior.scale)
    const w = prior.weight / (1 + (value / prior.scale) ** 2)
    for (let a = 0; a < 6; a++) {
      gradient[a] += w * slope[a] * value
      for (let b = 0; b < 6; b++) normal[a * 6 + b] += w * slope[a] * slope[b]
    }
  }
  for (let i = 0; i < arms.length; i++) {
    const z = reprojectionJacobian(arms[i], r, t, c.rays[2 * i], c.rays[2 * i + 1], c.sdd, e, j)
    if (!(z > 0)) return null
    const r2 = e[0] * e[0] + e[1] * e[1]
    cost += c.weights[i] * loss(r2, scale)
    const w = c.weights[i] / (1 + r2 / (scale * scale))
    for (let a = 0; a < 6; a++) {
      gradient[a] += w * (j[a] * e[0] + j[6 + a] * e[1])
      for (let b = 0; b < 6; b++) normal[a * 6 + b] += w * (j[a] * j[b] + j[6 + a] * j[6 + b])
    }
  }
  return { normal, gradient, cost }
}
