import {
  applyRigid,
  type Detector,
  distance,
  gradientPatches,
  type Mat4,
  project,
  type RegistrationView,
  registerViews,
  scatteredStarts,
  type Vec3,
  VIEWS_LEVELS,
  type View,
  type ViewsLevel,
  type ViewsRegistration,
  type ViewsResult
} from '@raypose/core'
import { usualDepth } from './initial/eye.js'
import type { TubeSide } from './initial/from-behind.js'
import type { RefinementVolume } from './refinement-volume.js'
import type { ViewSet } from './view-library.js'

/** Landmarks less sure than this of their pose do not say alone where to begin. */
export const UNSURE = 0.85

/** Where a search is made. */
export interface SearchRange {
  /** Side of the patient that the first view's tube stands on; both are searched where it is not known. */
  readonly tube?: TubeSide
  /** A view to search about besides. */
  readonly view?: Pick<View, 'alpha' | 'beta' | 'gamma'>
}

/** Poses that go on from the DRRs of C-arm positions, of one side. */
const STARTS = 64
/** The first of them are solved for whatever a few steps say, for moved DRRs and small patches seldom fail together; and others about them are tried. */
const FIRST = 5
const SCATTERED = 5
/** Metal and blades are the strongest edges of an X-ray; hold them back to less than the median's. */
const STRONG = 0.3
/** No patch is an outlier here: those that fit ill under noise are the most, and the right pose fits all a little better. */
const ALL = Number.POSITIVE_INFINITY
/** Of many poses those with the least to compare are the luckiest: see `ViewsLevel`. */
const UNCOMPARED = 0.4
/**
 * Under a few photons, coarse pixels do not tell a right pose from a wrong one for sure, those of 3.2 mm do: many go on to there, the landmarks' own in any
 * case. Small patches tell better than large ones, in which the noise of the thick of the patient drowns what its edge shows, and unsmoothed edges better than smooth ones (docs/registration.md has the figures).
 */
const MIDDLE: ViewsLevel = {
  ...VIEWS_LEVELS[1],
  similarity: gradientPatches(6, ALL, STRONG, 0),
  maxEvaluations: 7,
  keep: 12,
  uncompared: UNCOMPARED
}
const FINE: ViewsLevel = {
  ...VIEWS_LEVELS[2],
  similarity: gradientPatches(8, ALL, STRONG),
  maxEvaluations: 7,
  keep: 12,
  uncompared: UNCOMPARED
}
/** How a registration goes on from a pose that was found: as it was, and finer. Coarser levels lose it under noise. */
export const FROM_SEARCH: readonly ViewsLevel[] = [
  { ...FINE, maxEvaluations: 12, keep: 1 },
  { ...VIEWS_LEVELS[3], similarity: gradientPatches(12, ALL, STRONG), uncompared: UNCOMPARED }
]
/** What tells a right pose from another that is near, without landmarks: the search's levels, one pose. */
export const TOLD_BY: readonly ViewsLevel[] = [MIDDLE, FINE].map(level => ({
  ...level,
  keep: 1,
  landmarkWeight: 0
}))
/** A few steps sort the starts. */
const SORTING: ViewsLevel = { ...MIDDLE, maxEvaluations: 3, keep: 16 }

/** How far a pose may have the anatomy's middle from the picture's, as a share of the picture's size … */
const OFF_CENTRE = 0.75
/** … and from the paper's place along the beam, as a share of that. */
const OFF_DEPTH = 0.35

/** Least share of what landmarks count otherwise: where their pose is unlikely, they hold to what is likely wrong. */
const LEAST_HOLD = 0.2

/** Levels at which landmarks hold the pose only as far as it is likely to be right. @param certainty the probability of that, 0 to 1 */
export const loosened = (levels: readonly ViewsLevel[], certainty: number): ViewsLevel[] =>
  levels.map(l => ({ ...l, landmarkWeight: Math.max(LEAST_HOLD, certainty) * (l.landmarkWeight ?? 0) }))

/** A pose of the first view, and how similar the DRRs are there (with what landmarks hold). */
export interface SearchedPose {
  readonly cameraFromLps: Mat4
  readonly similarity: number
}

/** What a search all about the anatomy found. */
export interface WideSearch {
  /** Where it ended, best first, similarities at 3.2 mm; only poses from which the anatomy is in the picture. */
  readonly poses: readonly SearchedPose[]
  /** How alike the X-ray and each of the DRRs that it was compared with are, at best: what is to be expected of wrong poses. */
  readonly scores: readonly number[]
}

/**
 * Where a registration may begin if the landmarks are unsure: their poses, and C-arm positions all about the anatomy whose DRRs, moved over the X-ray, are like it.
 * @param views X-rays of one pose, line integrals at working resolution
 * @param hypotheses cameraFromLps of the first view that the landmarks allow; may be none
 * @param centre the anatomy's middle, LPS mm
 * @param certainty probability that the landmarks' pose is right, 0 to 1
 */
export function widePoses(
  views: readonly RegistrationView[],
  hypotheses: readonly Mat4[],
  centre: Vec3,
  certainty: number,
  task: Pick<ViewsRegistration, 'renderer' | 'coverage' | 'signal'> & Pick<RefinementVolume, 'library'>,
  range: SearchRange = {}
): WideSearch {
  const solve = (starts: readonly Mat4[], level: ViewsLevel): SearchedPose[] => {
    if (starts.length === 0) return []
    const { levels } = registerViews({
      ...task,
      views,
      centre,
      starts,
      levels: loosened([level], certainty)
    })
    const possible = levels[0].candidates.filter(c => plausible(c.cameraFromLps, centre, views[0].detector))
    return distinct(possible, centre, level.keep ?? 1)
  }
  const posesOf = (found: readonly SearchedPose[]) => found.map(c => c.cameraFromLps)
  // The other X-rays' positions are turned with the first's, so that the first alone is compared.
  const compared = setsOf(range).map(set =>
    task.library(views[0].detector, centre, set).compare(views[0], STARTS)
  )
  const starts = compared.flatMap(c => c.poses)
  const first = compared.flatMap(c => c.poses.slice(0, FIRST))
  const about = first.flatMap(pose => scatteredStarts(pose, centre, SCATTERED).slice(1))
  const sorted = posesOf(solve([...starts, ...about], SORTING))
  const going = [...solve(hypotheses, MIDDLE), ...solve([...first, ...sorted], MIDDLE)]
  return {
    poses: solve(posesOf(distinct(going, centre, going.length)), FINE),
    scores: compared.flatMap(c => c.scores)
  }
}

/** Poses that move points at the anatomy's rim by less than this against each other, mm, end at the same place. */
const SAME = 4
const RIM = 80

/** The first of poses that are not nearly the same. */
function distinct(poses: readonly SearchedPose[], centre: Vec3, most: number): SearchedPose[] {
  const points = [0, 1, 2].flatMap(k =>
    [-RIM, RIM].map(d => centre.map((x, i) => (i === k ? x + d : x)) as unknown as Vec3)
  )
  const kept: { readonly pose: SearchedPose; readonly places: readonly Vec3[] }[] = []
  for (const pose of poses) {
    if (kept.length === most) break
    const places = points.map(p => applyRigid(pose.cameraFromLps, p))
    const near = (other: readonly Vec3[]) => places.every((p, i) => distance(p, other[i]) < SAME)
    if (!kept.some(k => near(k.places))) kept.push({ pose, places })
  }
  return kept.map(k => k.pose)
}

/**
 * Whether a picture taken from there could be of this anatomy. A similarity is a mean over what can be compared: a pose that moves the
 * anatomy out of the picture has little to compare, and may fit that well.
 */
function plausible(pose: Mat4, centre: Vec3, detector: Detector): boolean {
  const { u, v, depth } = project({ detector, cameraFromLps: pose }, centre)
  const usual = usualDepth(detector.sdd)
  const [columns, rows] = detector.size
  return (
    Math.abs(depth - usual) < OFF_DEPTH * usual &&
    Math.abs(u - (columns - 1) / 2) < OFF_CENTRE * columns &&
    Math.abs(v - (rows - 1) / 2) < OFF_CENTRE * rows
  )
}

const setsOf = ({ tube, view }: SearchRange): ViewSet[] => [
  ...(tube === 'behind' ? [] : (['front'] as const)),
  ...(tube === 'front' ? [] : (['behind'] as const)),
  ...(view ? [{ alpha: view.alpha, beta: view.beta, gamma: view.gamma }] : [])
]

/** What decides in the end: small patches at two resolutions. */
const VERDICT: readonly ViewsLevel[] = FROM_SEARCH.map(level => ({
  ...level,
  similarity: gradientPatches(8, ALL, STRONG),
  maxEvaluations: 1,
  landmarkWeight: 0
}))

/**
 * The registration that fits best in the end, of several of the same X-rays, with the levels of all: which of them ended where says how sure that is.
 * At each level its own candidate comes first, whatever the others' similarity there.
 */
export function fittingBest<T extends ViewsResult>(
  results: readonly T[],
  task: Omit<ViewsRegistration, 'starts' | 'levels'>
): T {
  const fits = results.map(r =>
    VERDICT.reduce(
      (s, level) =>
        s + registerViews({ ...task, starts: [r.cameraFromLps], levels: [level] }).similarityAfter,
      0
    )
  )
  const best = results[Math.max(0, fits.indexOf(Math.max(...fits)))]
  const order = [best, ...results.filter(r => r !== best)]
  return {
    ...best,
    renders: results.reduce((n, r) => n + r.renders, 0),
    levels: best.levels.map((level, i) => ({
      ...level,
      evaluations: results.reduce((n, r) => n + r.levels[i].evaluations, 0),
      candidates: order.flatMap(r => r.levels[i].candidates)
    }))
  }
}
