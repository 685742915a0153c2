import {
  CancelledError,
  type Detector,
  type Image,
  type Mat4,
  rigidPoseVariables,
  UNIT_SCALE,
  VIEWS_LEVELS,
  type ViewsLevel
} from '@raypose/core'
import { type Assessment, assess, type Circumstances } from './assessment/assess.js'
import { registrationEvidence } from './assessment/evidence.js'
import { COVARIANCE_SCALE } from './assessment/status-model.js'
import { normaliseXray } from './initial/initial-pose.js'
import type { InitialPose, Normalisation, XrayReading } from './initial/types.js'
import { lastSteps, refineViews } from './refine.js'
import { type SolvedPatient, solveDefault } from './solve.js'

/** What became of one frame of a sequence. */
export interface TrackedFrame {
  /** From 0. */
  readonly index: number
  /** `followed` from the frame before, `initialised` from landmarks, or `lost`: then there is no pose. */
  readonly how: 'followed' | 'initialised' | 'lost'
  readonly cameraFromLps: Mat4 | null
  readonly detector: Detector
  /** Null where not even landmarks gave a pose. */
  readonly assessment: Assessment | null
  /** The frame as line integrals, unmirrored. */
  readonly xray: Image
  readonly seconds: number
}

/** Follows a patient from frame to frame of a fluoroscopy run; begins with landmarks, and again wherever the track is lost. */
export interface Tracker {
  /**
   * @param image values as stored, all frames alike
   * @throws XrayError for an empty or constant first frame (a later one is `lost`); CancelledError
   */
  next(image: Image, detector: Detector): Promise<TrackedFrame>
}

/** What tracking takes of a patient. */
export interface TrackedPatient extends SolvedPatient {
  /** The first half of phase 3. */
  look(x: { image: Image; detector: Detector; reading?: XrayReading }): Promise<{
    readonly initial: InitialPose
    readonly image: Image
    readonly detector: Detector
    readonly circumstances: Circumstances
  }>
}

/** From the frame before it is never far: no search at the coarsest level, and few steps. */
const FOLLOWING: readonly ViewsLevel[] = VIEWS_LEVELS.slice(1).map((level, i) => ({
  ...level,
  keep: 1,
  maxEvaluations: [8, 6, 4][i],
  landmarkWeight: 0
}))

interface State {
  readonly normalisation: Normalisation
  /** Poses of the last two frames in a row, the newer first. */
  readonly poses: readonly Mat4[]
}

export function createTracker(
  patient: TrackedPatient,
  { reading, signal }: { readonly reading?: XrayReading; readonly signal?: AbortSignal } = {}
): Tracker {
  let state: State | null = null
  let index = -1

  const follow = (image: Image, detector: Detector, { normalisation, poses }: State) => {
    const plain = normaliseXray(image, detector, normalisation)
    const { ct, landmarks, centre } = patient
    const refinement = refineViews(
      ct,
      [{ ...plain, hypotheses: startsFrom(poses, centre), landmarks: [] }],
      landmarks,
      centre,
      { signal, scattered: 1, levels: [...FOLLOWING, { ...lastSteps(ct), maxEvaluations: 4 }] }
    )
    const judged = registrationEvidence(ct, refinement, landmarks, centre, COVARIANCE_SCALE)
    return { ...plain, cameraFromLps: refinement.cameraFromLps, assessment: assess(judged, centre) }
  }

  const initialise = async (image: Image, detector: Detector) => {
    const looked = await patient.look({ image, detector, reading })
    const hypotheses = looked.initial.hypotheses.map(h => h.cameraFromLps)
    if (hypotheses.length === 0) return { ...looked, solved: null }
    const xray = { ...looked, hypotheses, landmarks: looked.initial.detections }
    return { ...looked, solved: solveDefault(patient, [xray], looked.circumstances, { signal }) }
  }

  return {
    async next(image, detector) {
      const started = performance.now()
      if (signal?.aborted) throw new CancelledError()
      index++
      const frame = (f: Omit<TrackedFrame, 'index' | 'seconds'>): TrackedFrame => ({
        index,
        ...f,
        seconds: (performance.now() - started) / 1000
      })
      if (state && shows(image)) {
        const found = follow(image, detector, state)
        if (found.assessment.status !== 'rejected') {
          state = { ...state, poses: [found.cameraFromLps, state.poses[0]] }
          const { image: xray, ...rest } = found
          return frame({ how: 'followed', xray, ...rest })
        }
      } else if (index > 0 && !shows(image))
        return frame({ how: 'lost', cameraFromLps: null, detector, assessment: null, xray: image })
      state = null
      const found = await initialise(image, detector)
      const plain = { detector: found.detector, xray: found.image }
      if (!found.solved || found.solved.assessment.status === 'rejected')
        return frame({
          how: 'lost',
          cameraFromLps: null,
          assessment: found.solved?.assessment ?? null,
          ...plain
        })
      const [cameraFromLps] = found.solved.cameras
      state = { normalisation: found.initial.normalisation, poses: [cameraFromLps] }
      return frame({ how: 'initialised', cameraFromLps, assessment: found.solved.assessment, ...plain })
    }
  }
}

/** The last pose, and the one that goes on as from the frame before it. */
function startsFrom([last, before]: readonly Mat4[], centre: TrackedPatient['centre']): Mat4[] {
  if (!before) return [last]
  const motion = rigidPoseVariables(before, centre, UNIT_SCALE).variablesOf(last)
  return [rigidPoseVariables(last, centre, UNIT_SCALE).poseAt(motion), last]
}

/** Whether a frame holds anything: between pulses some do not. */
function shows({ data }: Image): boolean {
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) return false
    if (data[i] !== data[0]) return true
  }
  return false
}
