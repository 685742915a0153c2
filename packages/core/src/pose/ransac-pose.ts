import { PoseError } from '../errors.js'
import { cameraRotation } from '../evaluation/measures.js'
import type { Mat4 } from '../geometry/linear.js'
import { DEGREE } from '../geometry/rotation.js'
import type { Random } from '../random/random.js'
import { type Correspondences, pick, squaredResiduals } from './correspondences.js'
import { epnp } from './epnp.js'
import { p3p } from './p3p.js'

export interface RansacOptions {
  /** A detection further than this from its reprojection is an outlier, mm on the detector. */
  readonly inlierDistance: number
  /** Most samples drawn. */
  readonly iterations: number
  /** Stop when a better sample is this unlikely to have been missed. */
  readonly confidence: number
  readonly random: Random
  /** Which poses are possible at all (for instance: the patient between source and detector). */
  readonly plausible?: (cameraFromLps: Mat4) => boolean
}

export interface RansacResult {
  readonly cameraFromLps: Mat4
  /** Indices of the points within `inlierDistance`. */
  readonly inliers: number[]
  /** Σ w·min(r², d²): MSAC's score, mm² on the detector. */
  readonly cost: number
  readonly samples: number
  /** The best other mode: a pose that agrees with none of the best one's projections on the whole; null where none was met. */
  readonly other: Mat4 | null
}

/**
 * RANSAC (Fischler & Bolles 1981) with MSAC's score (Torr & Zisserman 2000) over minimal sets of three by P3P; every new
 * best one is polished by EPnP on its inliers (as in LO-RANSAC, Chum et al. 2003), for a pose from three noisy points
 * at 700 mm is far off in depth.
 * @returns null where no sample gave a plausible pose with 4 inliers or more
 */
export function ransacPose(c: Correspondences, options: RansacOptions): RansacResult | null {
  const { inlierDistance, random, plausible = () => true } = options
  const n = c.points.length
  const limit = inlierDistance * inlierDistance
  const residuals = new Float64Array(n)
  let best: Omit<RansacResult, 'other'> | null = null
  const runners: { pose: Mat4; cost: number }[] = []
  const consider = (pose: Mat4, samples: number): boolean => {
    if (!pose.every(Number.isFinite) || !plausible(pose)) return false
    squaredResiduals(c, pose, residuals)
    let cost = 0
    const inliers: number[] = []
    for (let i = 0; i < n; i++) {
      cost += c.weights[i] * Math.min(residuals[i], limit)
      if (residuals[i] < limit) inliers.push(i)
    }
    if (inliers.length < 4) return false
    keepRunner(runners, pose, cost)
    if (best && cost >= best.cost) return false
    best = { cameraFromLps: pose, inliers, cost, samples }
    return true
  }
  let needed = options.iterations
  let drawn = 0
  for (; drawn < needed; drawn++) {
    const [a, b, d] = drawThree(n, random)
    const sample = pick(c, [a, b, d])
    for (const pose of p3p(sample.points, sample.rays)) {
      if (!consider(pose, drawn + 1)) continue
      polish(c, best!, drawn + 1, consider, () => best!)
      const share = best!.inliers.length / n
      const miss = Math.log(1 - share ** 3)
      needed = Math.min(
        options.iterations,
        Math.max(drawn + 1, Math.ceil(Math.log(1 - options.confidence) / miss))
      )
    }
  }
  if (!best) return null
  const { cameraFromLps } = best as RansacResult
  const other = runners.find(r => cameraRotation(r.pose, cameraFromLps) > MODE_ANGLE)?.pose ?? null
  return { ...(best as RansacResult), samples: drawn, other }
}

/** Poses turned against each other by less than this are one mode: noise alone turns a pose by a few degrees. */
const MODE_ANGLE = 12 * DEGREE
/** Modes kept while sampling. */
const MOST_RUNNERS = 4

/** Keeps the best pose of each mode, in order of cost. */
function keepRunner(runners: { pose: Mat4; cost: number }[], pose: Mat4, cost: number): void {
  if (runners.length === MOST_RUNNERS && cost >= runners[MOST_RUNNERS - 1].cost) return
  const same = runners.findIndex(r => cameraRotation(r.pose, pose) <= MODE_ANGLE)
  if (same >= 0) {
    if (runners[same].cost <= cost) return
    runners.splice(same, 1)
  }
  runners.push({ pose, cost })
  runners.sort((a, b) => a.cost - b.cost)
  if (runners.length > MOST_RUNNERS) runners.pop()
}

/** EPnP on the inliers, again while it helps. */
function polish(
  c: Correspondences,
  from: { readonly inliers: number[] },
  samples: number,
  consider: (pose: Mat4, samples: number) => boolean,
  current: () => { readonly inliers: number[] }
): void {
  let inliers = from.inliers
  for (let round = 0; round < 4; round++) {
    let pose: Mat4
    try {
      pose = epnp(pick(c, inliers))
    } catch (error) {
      // Inliers on one line: the sample's own pose stands.
      if (error instanceof PoseError) return
      throw error
    }
    if (!consider(pose, samples)) return
    inliers = current().inliers
  }
}

function drawThree(n: number, random: Random): [number, number, number] {
  const a = random.integer(n)
  let b = random.integer(n - 1)
  if (b >= a) b++
  const [low, high] = a < b ? [a, b] : [b, a]
  let d = random.integer(n - 2)
  if (d >= low) d++
  if (d >= high) d++
  return [a, b, d]
}
