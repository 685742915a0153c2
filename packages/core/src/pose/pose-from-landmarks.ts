import { PoseError } from '../errors.js'
import { assertDetector, type Detector } from '../geometry/camera.js'
import { centroid, type Mat4, type Vec3 } from '../geometry/linear.js'
import { applyRigid } from '../geometry/rigid.js'
import { DEGREE } from '../geometry/rotation.js'
import { poseFromView } from '../geometry/view.js'
import type { Detection } from '../landmarks/back-projection.js'
import { createRandom } from '../random/random.js'
import { assertSpread } from './control-points.js'
import { type Correspondences, createCorrespondences, pick, squaredResiduals } from './correspondences.js'
import type { DepthPrior } from './depth-prior.js'
import { epnp } from './epnp.js'
import { planarTwin } from './pose-variants.js'
import { ransacPose } from './ransac-pose.js'
import { type RefinedPose, ROBUST_SCALE_START, refinePose } from './refine-pose.js'

export interface PoseOptions {
  /** Use detections at least this confident (Bier et al. and the paper: 0.7) … default 0.35 */
  readonly confidence?: number
  /** … but at least this many, the most confident first; default 6. */
  readonly minimumPoints?: number
  /** Factor on each landmark's weight besides its confidence, for instance from its validation error. */
  readonly weights?: ArrayLike<number>
  /** mm on the detector beyond which a detection is an outlier; default 9.6. */
  readonly inlierDistance?: number
  /** Most samples of the RANSAC; default 500. */
  readonly iterations?: number
  /** Seed of the samples; default 1. */
  readonly seed?: number
  /** Scales of the robust loss, mm on the detector; defaults 19.2 and 4. */
  readonly scaleStart?: number
  readonly scaleEnd?: number
  /** Where the C-arm is centred for the fallback starts, LPS mm; default the landmarks' centroid. */
  readonly isocenter?: Vec3
  /** mm; default 7/12 of the source-to-detector distance, as in the paper's geometry. */
  readonly sourceToIsocenter?: number
  /** Poses to refine besides those computed (a prior pose, the last frame's). */
  readonly starts?: readonly Mat4[]
  /** Whether they are all there are to begin from: a pose that is nearly known is only made better. */
  readonly startsOnly?: boolean
  /** What is known of the distance from the source beforehand, see {@link DepthPrior}. */
  readonly depthPrior?: DepthPrior
}

/** One local optimum of the robust reprojection error. */
export interface PoseHypothesis {
  readonly cameraFromLps: Mat4
  /** Robust cost, mm² on the detector; lower is better. */
  readonly cost: number
  /** Points within the inlier distance. */
  readonly inlierCount: number
  /** Where the refinement began. */
  readonly origin: 'ransac' | 'epnp' | 'given' | 'view' | 'twin'
  /** As {@link RefinedPose.covariance}, about the same centre for all hypotheses. */
  readonly covariance: Float64Array
}

export interface LandmarkPose {
  readonly cameraFromLps: Mat4
  /** Indices into the given points, of those used and within the inlier distance. */
  readonly inliers: readonly number[]
  /** Indices of the points that were used (confident enough). */
  readonly used: readonly number[]
  /** Root mean square distance of the inliers to their reprojections, mm on the detector. */
  readonly reprojectionRms: number
  /** See {@link RefinedPose.covariance}: 6×6 in (rad, mm) about `centre`, camera axes. */
  readonly covariance: Float64Array
  /** Weighted centroid of the used landmarks, LPS mm. */
  readonly centre: Vec3
  /** Distinct optima, best first; the first is the result. */
  readonly hypotheses: readonly PoseHypothesis[]
}

/** Where a start has settled at the first scale, mm. */
const SETTLED = 0.05

/** Orbits about the patient's axis from which the fallback starts look. */
const FALLBACK_ORBITS = [0, -30, 30, -60, 60].map(g => g * DEGREE)

/**
 * Phase 3 of the paper (section 2.4) and past it: the pose of the C-arm from 2D detections of 3D landmarks. RANSAC
 * finds which detections agree, EPnP and fixed views give starts, each is refined by a robust weighted least squares on SE(3), and the
 * least robust cost wins. Few or wild detections give a poor pose, never a crash; the covariance says how poor.
 * @param points landmarks, LPS mm
 * @param detections of the same landmarks; null where one was not found. Where they say how spread out they are, that counts
 * @throws PoseError for fewer than 4 usable detections, or landmarks on one line; GeometryError for a bad detector
 */
export function poseFromLandmarks(
  points: readonly Vec3[],
  detections: readonly (Detection | null)[],
  detector: Detector,
  options: PoseOptions = {}
): LandmarkPose {
  assertDetector(detector)
  const used = selectDetections(points, detections, options)
  const chosen = used.map(i => points[i])
  assertSpread(chosen)
  const c = createCorrespondences(
    chosen,
    used.map(i => [detections[i]!.u, detections[i]!.v]),
    detector,
    precisions(used.map(i => detections[i]!)).map((w, k) => w * (options.weights?.[used[k]] ?? 1))
  )
  const inlierDistance = options.inlierDistance ?? 9.6
  const refined = refineAll(c, candidateStarts(c, inlierDistance, options), inlierDistance, options)
  if (refined.length === 0)
    throw new PoseError(
      'No pose fits the detections: every start ended with landmarks behind the X-ray source',
      'Check that landmarks and X-ray belong to the same anatomy and that the geometry is right.'
    )
  const best = refined[0]
  const residuals = squaredResiduals(c, best.cameraFromLps)
  const inside = used.map((_, i) => i).filter(i => residuals[i] < inlierDistance ** 2)
  const meanSquare = inside.reduce((s, i) => s + residuals[i], 0) / Math.max(inside.length, 1)
  return {
    cameraFromLps: best.cameraFromLps,
    inliers: inside.map(i => used[i]),
    used,
    reprojectionRms: inside.length > 0 ? Math.sqrt(meanSquare) : Number.POSITIVE_INFINITY,
    covariance: best.covariance,
    centre: best.centre,
    hypotheses: distinct(refined)
  }
}

/** Indices of the detections to use, ascending. */
function selectDetections(
  points: readonly Vec3[],
  detections: readonly (Detection | null)[],
  { confidence = 0.35, minimumPoints = 6, weights }: PoseOptions
): number[] {
  if (points.length !== detections.length)
    throw new PoseError(
      `There are ${points.length} landmarks but ${detections.length} detections`,
      'Give one detection (or null) for each landmark, in the same order.'
    )
  const order = points
    .map((_, i) => i)
    .filter(i => {
      const d = detections[i]
      const finite = d && Number.isFinite(d.u) && Number.isFinite(d.v) && points[i].every(Number.isFinite)
      return finite && d.confidence > 0 && (weights?.[i] ?? 1) > 0
    })
    .sort((a, b) => detections[b]!.confidence - detections[a]!.confidence)
  const confident = order.filter(i => detections[i]!.confidence >= confidence).length
  const used = order.slice(0, Math.max(confident, minimumPoints))
  if (used.length < 4)
    throw new PoseError(
      `Only ${used.length} of ${points.length} landmarks were detected`,
      'A pose needs at least 4: check that the X-ray shows the prepared anatomy, or give a start pose.'
    )
  return used.sort((a, b) => a - b)
}

/** Ratio of spreads beyond which a detection counts neither more nor less. */
const SPREAD_RATIO = 2

/**
 * Relative inverse variances: confidence, and where the network says how spread out its belief is, that, to the fourth power. The square would be
 * a variance, but the targets' own width is in every spread and evens them out.
 */
function precisions(detections: readonly Detection[]): number[] {
  const spreads = detections
    .flatMap(d => (d.spread !== undefined && d.spread > 0 ? [d.spread] : []))
    .sort((a, b) => a - b)
  const median = spreads[spreads.length >> 1]
  return detections.map(({ confidence, spread }) => {
    if (spread === undefined || !(spread > 0)) return confidence
    return confidence * Math.min(SPREAD_RATIO, Math.max(1 / SPREAD_RATIO, median / spread)) ** 4
  })
}

interface Start {
  readonly pose: Mat4
  readonly origin: PoseHypothesis['origin']
}

function candidateStarts(c: Correspondences, inlierDistance: number, options: PoseOptions): Start[] {
  const centre = centroid(c.points)
  // The anatomy is between source and detector.
  const plausible = (pose: Mat4) => {
    const z = applyRigid(pose, centre)[2]
    return z > 0.1 * c.sdd && z < 1.1 * c.sdd
  }
  const starts: Start[] = (options.starts ?? []).map(pose => ({ pose, origin: 'given' }))
  if (options.startsOnly) return starts
  const consensus = ransacPose(c, {
    inlierDistance,
    iterations: options.iterations ?? 500,
    confidence: 0.999,
    random: createRandom(options.seed ?? 1),
    plausible
  })
  if (consensus) {
    starts.push({ pose: consensus.cameraFromLps, origin: 'ransac' })
    if (consensus.other) starts.push({ pose: consensus.other, origin: 'ransac' })
    const inliers = pick(c, consensus.inliers)
    tryEpnp(inliers, starts, plausible)
    starts.push({ pose: planarTwin(inliers.points, consensus.cameraFromLps), origin: 'twin' })
  }
  tryEpnp(c, starts, plausible)
  const isocenter = options.isocenter ?? centre
  for (const gamma of FALLBACK_ORBITS)
    starts.push({
      pose: poseFromView(
        { alpha: 0, beta: 0, gamma, translation: [0, 0, 0] },
        isocenter,
        options.sourceToIsocenter ?? (7 / 12) * c.sdd
      ),
      origin: 'view'
    })
  return starts
}

function tryEpnp(c: Correspondences, starts: Start[], plausible: (pose: Mat4) => boolean): void {
  try {
    const pose = epnp(c)
    if (plausible(pose)) starts.push({ pose, origin: 'epnp' })
  } catch (error) {
    // Degenerate inliers: the other starts remain.
    if (!(error instanceof PoseError)) throw error
  }
}

type Refined = RefinedPose & PoseHypothesis

/** Starts that are one to within 1 mm and half a degree while outliers are still tolerated end as one. */
function settled(c: Correspondences, starts: readonly Start[], options: PoseOptions): Start[] {
  if (starts.length < 2) return [...starts]
  const { scaleStart = ROBUST_SCALE_START, depthPrior } = options
  const kept: Start[] = []
  for (const { pose, origin } of starts) {
    const refined = attempt(() =>
      refinePose(c, pose, { scaleStart, scaleEnd: scaleStart, annealing: 0, tolerance: SETTLED, depthPrior })
    )
    if (refined && !kept.some(k => alike(k.pose, refined.cameraFromLps, refined.centre)))
      kept.push({ pose: refined.cameraFromLps, origin })
  }
  return kept
}

/** Null for a start with a point behind the source: others decide. */
function attempt(refine: () => RefinedPose): RefinedPose | null {
  try {
    return refine()
  } catch (error) {
    if (error instanceof PoseError) return null
    throw error
  }
}

function refineAll(
  c: Correspondences,
  starts: readonly Start[],
  inlierDistance: number,
  options: PoseOptions
): Refined[] {
  const { scaleStart, scaleEnd, depthPrior } = options
  return settled(c, starts, options)
    .flatMap(({ pose, origin }): Refined[] => {
      const refined = attempt(() => refinePose(c, pose, { scaleStart, scaleEnd, depthPrior }))
      if (!refined) return []
      const squares = squaredResiduals(c, refined.cameraFromLps)
      const inlierCount = squares.filter(r => r < inlierDistance ** 2).length
      return [{ ...refined, origin, inlierCount }]
    })
    .sort((a, b) => a.cost - b.cost)
}

/** Within 1 mm at a point, and about half a degree. */
function alike(a: Mat4, b: Mat4, at: Vec3): boolean {
  const [p, q] = [applyRigid(a, at), applyRigid(b, at)]
  const turn = Math.hypot(...[0, 1, 2, 4, 5, 6, 8, 9, 10].map(i => a[i] - b[i]))
  return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]) < 1 && turn < 0.01
}

/** Optima that project the landmarks to the same place are one. */
function distinct(sorted: readonly Refined[]): PoseHypothesis[] {
  const kept: Refined[] = []
  for (const r of sorted) {
    const same = kept.some(k => alike(k.cameraFromLps, r.cameraFromLps, k.centre))
    if (!same) kept.push(r)
  }
  return kept.map(({ cameraFromLps, cost, inlierCount, origin, covariance }) => ({
    cameraFromLps,
    cost,
    inlierCount,
    origin,
    covariance
  }))
}
