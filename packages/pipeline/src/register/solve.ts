import {
  binImage,
  composeRigid,
  type Detector,
  type Image,
  type IntensityRegistration,
  invertRigid,
  type Mat4,
  poseErrors,
  registerIntensity,
  registerViews,
  type Vec3,
  VIEWS_LEVELS
} from '@raypose/core'
import type { DetectedLandmark } from '../types.js'
import { type Assessment, assess, type Circumstances } from './assessment/assess.js'
import { registrationEvidence } from './assessment/evidence.js'
import { COVARIANCE_SCALE } from './assessment/status-model.js'
import { type RefinedXray, type Refinement, refineViews, workingDetector } from './refine.js'
import type { RefinementVolume } from './refinement-volume.js'
import type { SearchRange } from './wide-search.js'

/** A similarity that BOBYQA climbs. */
export type SimilarityName = 'ncc' | 'lncc' | 'gncc'

/** A pose for each X-ray, and what it is worth. */
export interface Solved {
  readonly cameras: readonly Mat4[]
  readonly assessment: Assessment
  /** Mean of the X-rays, before and after. */
  readonly similarity: { readonly name: string; readonly before: number; readonly after: number }
  /** DRRs rendered. */
  readonly evaluations: number
}

/** What solving takes of a patient. */
export interface SolvedPatient {
  readonly ct: RefinementVolume
  /** LPS mm. */
  readonly landmarks: readonly Vec3[]
  readonly centre: Vec3
}

export type SolveTask = Pick<IntensityRegistration, 'signal' | 'onProgress'>

export const DEFAULT_SIMILARITY = 'patch gradient ncc'

/** Gauss–Newton on patches of gradients, from every hypothesis and from about the best; one pose for all X-rays. */
export function solveDefault(
  { ct, landmarks, centre }: SolvedPatient,
  xrays: readonly RefinedXray[],
  circumstances: Circumstances,
  task: SolveTask
): Solved {
  const refinement = refineViews(ct, xrays, landmarks, centre, task)
  const judged = registrationEvidence(ct, refinement, landmarks, centre, COVARIANCE_SCALE)
  const apart = xrays.length > 1 ? contradiction({ ct, landmarks, centre }, xrays, refinement, task) : null
  return {
    cameras: refinement.cameras,
    assessment: assess(judged, centre, {
      ...circumstances,
      objections: [...(circumstances.objections ?? []), ...(apart ? [apart] : [])]
    }),
    similarity: {
      name: DEFAULT_SIMILARITY,
      before: refinement.similarityBefore,
      after: refinement.similarityAfter
    },
    evaluations: refinement.renders
  }
}

/** An X-ray that fits so much better … */
const BETTER = 0.03
/** … this far away, mm on a detector at 1200 mm, contradicts the geometry that it was given with. */
const ELSEWHERE = 3

/** What to say where an X-ray by itself fits clearly better elsewhere than where the others put it; null where none does. */
function contradiction(
  { ct, landmarks, centre }: SolvedPatient,
  xrays: readonly RefinedXray[],
  { cameras }: Refinement,
  task: SolveTask
): string | null {
  for (const [i, x] of xrays.entries()) {
    const alone = { ...x, cameraFromFirst: undefined, hypotheses: [cameras[i]], certainty: 1 }
    const levels = VIEWS_LEVELS.slice(1).map(l => ({ ...l, keep: 1 }))
    const own = refineViews(ct, [alone], landmarks, centre, { signal: task.signal, scattered: 1, levels })
    const { projectionDistance } = poseErrors(
      x.detector,
      own.cameraFromLps,
      cameras[i],
      landmarks.length > 0 ? landmarks : [centre]
    )
    const mm = (projectionDistance * 1200) / x.detector.sdd
    // Its similarity where the others have it is what the last level began with.
    if (mm > ELSEWHERE && own.similarityAfter - own.similarityBefore > BETTER)
      return `The X-rays contradict each other: X-ray ${i + 1} by itself fits clearly better ${Number.isFinite(mm) ? `${mm.toFixed(0)} mm away (on the detector)` : 'elsewhere'}. Their relative geometry is wrong, or the patient moved between them.`
  }
  return null
}

/** BOBYQA with one similarity throughout (section 2.4 of the paper), judged with the default registration as a witness. */
export function solveAsPaper(
  patient: SolvedPatient,
  similarity: SimilarityName,
  x: RefinedXray,
  others: readonly Mat4[],
  circumstances: Circumstances,
  task: SolveTask
): Solved {
  const { ct, landmarks, centre } = patient
  const working = workingDetector(x.detector)
  const found = registerIntensity({
    ...task,
    image: working.factor > 1 ? binImage(x.image, working.factor) : x.image,
    detector: working.detector,
    start: x.hypotheses[0],
    centre,
    renderer: ct.renderer,
    similarity,
    otherStarts: others
  })
  const witness = refineViews(ct, [x], landmarks, centre, { signal: task.signal })
  const last = VIEWS_LEVELS[VIEWS_LEVELS.length - 1]
  const there = registerViews({
    views: witness.views,
    starts: [found.cameraFromLps],
    centre,
    renderer: ct.levelled,
    levels: [{ ...last, maxEvaluations: 1 }]
  })
  const judged = registrationEvidence(ct, witness, landmarks, centre, COVARIANCE_SCALE, {
    cameraFromLps: found.cameraFromLps,
    normal: there.levels[0].candidates[0].model.normal
  })
  return {
    cameras: [found.cameraFromLps],
    assessment: assess(judged, centre, circumstances),
    similarity: { name: similarity, before: found.similarityBefore, after: found.similarityAfter },
    evaluations: found.evaluations
  }
}

/** An X-ray of a registration of several, ready to be solved. */
export interface LinkedXray {
  readonly image: Image
  readonly detector: Detector
  readonly hypotheses: readonly Mat4[]
  readonly landmarks: readonly DetectedLandmark[]
  readonly certainty?: number
  readonly range?: SearchRange
  readonly cameraFromFirst?: Mat4
}

/** Fine similarity that a common pose may cost before geometry that is only roughly known is given up. */
const WORTH = 0.01

/**
 * X-rays whose relative geometry is known roughly (from the C-arm's angles): solved together, then each by itself from there. The
 * common pose stays where it fits as well.
 * @returns one result where the geometry held, else one for each
 */
export function solveLoosely(
  patient: SolvedPatient,
  xrays: readonly LinkedXray[],
  circumstances: readonly Circumstances[],
  task: SolveTask
): { readonly joint: Solved } | { readonly apart: readonly Solved[] } {
  const joint = solveDefault(patient, xrays, merged(circumstances), task)
  const apart = xrays.map((x, i) => {
    const alone = { ...x, cameraFromFirst: undefined, hypotheses: [joint.cameras[i], ...x.hypotheses] }
    return solveDefault(patient, [alone], circumstances[i], task)
  })
  const after = apart.reduce((s, a) => s + a.similarity.after, 0) / apart.length
  const held = joint.assessment.status !== 'rejected' && after - joint.similarity.after < WORTH
  return held ? { joint } : { apart }
}

/** What is known of all X-rays together. */
export const merged = (all: readonly Circumstances[]): Circumstances => ({
  // One X-ray that shows the patient carries another that hardly does.
  initialRefused: all.every(c => c.initialRefused) ? (all[0]?.initialRefused ?? null) : null,
  objections: all.flatMap(c => c.objections ?? []),
  beam: all[0]?.beam
})

/** The pose of the first camera from that of another. */
export const firstFrom = (camera: Mat4, cameraFromFirst: Mat4 | undefined): Mat4 =>
  cameraFromFirst ? composeRigid(invertRigid(cameraFromFirst), camera) : camera
