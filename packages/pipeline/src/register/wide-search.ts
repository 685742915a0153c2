import {
  DEGREE,
  type Detector,
  gradientPatches,
  gridViews,
  type Mat4,
  poseFromView,
  project,
  type RegistrationView,
  registerViews,
  type Vec3,
  VIEWS_LEVELS,
  type View,
  type ViewGrid,
  type ViewsLevel,
  type ViewsRegistration,
  type ViewsResult
} from '@raypose/core'
import { usualDepth } from './initial/eye.js'
import type { TubeSide } from './initial/from-behind.js'

/** Landmarks less sure than this of their pose do not say alone where to begin. */
export const UNSURE = 0.85

/**
 * C-arm positions about an anatomy's middle, so close together that one of them lies within reach of the coarsest level: the patient
 * head-up, seen from the front, as wide as the views that a network learns. From behind they are the same, half a turn on.
 */
const GRID: ViewGrid = {
  alpha: { from: -10 * DEGREE, to: 10 * DEGREE, count: 2 },
  beta: { from: -9 * DEGREE, to: 9 * DEGREE, count: 2 },
  gamma: { from: -48 * DEGREE, to: 48 * DEGREE, count: 6 },
  x: { from: 0, to: 0, count: 1 },
  y: { from: 0, to: 0, count: 1 },
  z: { from: -120, to: 120, count: 7 }
}

/** About the view that a C-arm's angles say: patients lie on the table not quite as the angles take them to. */
const ABOUT_VIEW: ViewGrid = {
  ...GRID,
  alpha: { from: -6 * DEGREE, to: 6 * DEGREE, count: 2 },
  beta: { from: -6 * DEGREE, to: 6 * DEGREE, count: 2 },
  gamma: { from: -9 * DEGREE, to: 9 * DEGREE, count: 2 }
}

/** Where a search is made. */
export interface SearchRange {
  /** Side of the patient that the first view's tube stands on; both are searched where it is not known. */
  readonly tube?: TubeSide
  /** A view to search about besides. */
  readonly view?: Pick<View, 'alpha' | 'beta' | 'gamma'>
}

/** The grid's cameras are sorted by a few coarse steps. */
const SORTING: ViewsLevel = { ...VIEWS_LEVELS[0], maxEvaluations: 4, keep: 48 }
/**
 * Under a few photons, coarse pixels do not tell a right pose from a wrong one for sure, those of 3.2 mm do: many go on to there, the landmarks' own in any
 * case. Small patches tell better than large ones, in which the noise of the thick of the patient drowns what its edge shows; and there a patch
 * that correlates little is no outlier (docs/registration.md has the figures).
 */
const DECIDING: readonly ViewsLevel[] = [
  { ...VIEWS_LEVELS[1], similarity: gradientPatches(8, 0.5), maxEvaluations: 7, keep: 16 },
  { ...VIEWS_LEVELS[2], similarity: gradientPatches(12, 1), maxEvaluations: 7, keep: 15 }
]

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

/**
 * Where a registration may begin if the landmarks are unsure: their poses and C-arm positions all about the anatomy, compared with the X-rays
 * at coarse resolution.
 * @param views X-rays of one pose, line integrals at working resolution
 * @param hypotheses cameraFromLps of the first view that the landmarks allow; may be none
 * @param centre the anatomy's middle, LPS mm
 * @param certainty probability that the landmarks' pose is right, 0 to 1
 * @returns where they ended, best first, similarities at 3.2 mm; only poses from which the anatomy is in the picture
 */
export function widePoses(
  views: readonly RegistrationView[],
  hypotheses: readonly Mat4[],
  centre: Vec3,
  certainty: number,
  task: Pick<ViewsRegistration, 'renderer' | 'coverage' | 'signal'>,
  range: SearchRange = {}
): SearchedPose[] {
  const solve = (starts: readonly Mat4[], level: ViewsLevel): SearchedPose[] => {
    if (starts.length === 0) return []
    const { levels } = registerViews({
      ...task,
      views,
      centre,
      starts,
      levels: loosened([level], certainty)
    })
    return levels[0].candidates
      .filter(c => plausible(c.cameraFromLps, centre, views[0].detector))
      .slice(0, level.keep)
  }
  const posesOf = (found: readonly SearchedPose[]) => found.map(c => c.cameraFromLps)
  const [middle, fine] = DECIDING
  const sorted = solve(wideViews(centre, views[0].detector, range), SORTING)
  const searched = solve(posesOf(sorted), middle)
  return solve(posesOf([...solve(hypotheses, middle), ...searched]), fine)
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

/** The grid's cameras; the C-arm's proportions are the paper's. */
function wideViews(centre: Vec3, { sdd }: Detector, { tube, view: about }: SearchRange): Mat4[] {
  const distance = usualDepth(sdd)
  const front = gridViews(GRID)
  const behind = front.map(view => ({ ...view, gamma: view.gamma + Math.PI }))
  const near = about
    ? gridViews(ABOUT_VIEW).map(v => ({
        ...v,
        alpha: v.alpha + about.alpha,
        beta: v.beta + about.beta,
        gamma: v.gamma + about.gamma
      }))
    : []
  const views = [...(tube === 'behind' ? [] : front), ...(tube === 'front' ? [] : behind), ...near]
  return views.map(view => poseFromView(view, centre, distance))
}

/** What decides in the end: every patch as it is. */
const VERDICT: Pick<ViewsLevel, 'similarity' | 'maxEvaluations' | 'landmarkWeight'> = {
  similarity: gradientPatches(12, Number.POSITIVE_INFINITY),
  maxEvaluations: 1,
  landmarkWeight: 0
}

/** The registration that fits better in the end, of several of the same X-rays. @param level whose pixels they are compared at */
export function fittingBest<T extends ViewsResult>(
  results: readonly T[],
  task: Omit<ViewsRegistration, 'starts' | 'levels'>,
  level: ViewsLevel
): T {
  const fits = results.map(
    r =>
      registerViews({ ...task, starts: [r.cameraFromLps], levels: [{ ...level, ...VERDICT }] })
        .similarityAfter
  )
  return results[Math.max(0, fits.indexOf(Math.max(...fits)))]
}
