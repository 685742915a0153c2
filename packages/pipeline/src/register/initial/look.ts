import {
  DEGREE,
  type Detection,
  type Image,
  type LandmarkPose,
  type Mat4,
  PoseError,
  poseFromLandmarks,
  poseFromView,
  type Renderer,
  type Vec3
} from '@raypose/core'
import type { Detector as LandmarkDetector } from '@raypose/network'
import { judge } from './confidence.js'
import { CONFIDENT, fieldOf, landmarkEvidence } from './evidence.js'
import { type Eye, usualDepth } from './eye.js'
import { seenFromBehind, type TubeSide } from './from-behind.js'
import { lookAt, type Picture } from './picture.js'
import { detailSimilarity } from './similarity.js'
import type { PoseConfidence } from './types.js'

/** All that looking takes besides the picture. */
export interface Observer {
  readonly network: Pick<LandmarkDetector, 'detect'>
  readonly renderer: Renderer
  /** M′, LPS mm. */
  readonly landmarks: readonly Vec3[]
  /** Weights of the landmarks for a pose; `null` before there is one. */
  readonly weightsFor: (eyeFromLps: readonly number[] | null) => readonly number[]
  readonly isocenter: Vec3
  readonly sourceToPatient?: number
  /** Adds up what each part takes, milliseconds. */
  readonly spent: { normalise: number; detect: number; pose: number; verify: number }
}

/** One look of the network at a picture, and what came of it. */
export interface Look {
  readonly picture: Picture
  readonly eye: Eye
  readonly tube: TubeSide
  readonly detections: readonly Detection[]
  /** In the eye's frame. */
  readonly pose: LandmarkPose | null
  readonly confidence: PoseConfidence
}

/** Standard deviation of where surgeons put the patient along the beam against the isocentre, mm. */
const CENTRING = 40
/** mm on a detector 1200 mm from the source; other distances go in proportion. */
const INLIER = 9.6
const SCALE_START = 19.2
const SCALE_END = 4

/** C-arm orbits that a pose is begun from where the tube is behind the patient; those of a tube in front are `poseFromLandmarks`' own. */
const ORBITS_BEHIND = [180, 150, 210]

/** The network as it is to be shown a picture. */
export const networkFor = (
  { network }: Pick<Observer, 'network'>,
  { eye, tube }: Pick<Look, 'eye' | 'tube'>
): Observer['network'] => (tube === 'behind' ? seenFromBehind(network, eye.detector.size) : network)

/** Detects, computes the pose, and judges it. @param tube on which side of the patient it is taken to stand */
export async function look(
  observer: Observer,
  picture: Picture,
  eye: Eye,
  tube: TubeSide = 'front'
): Promise<Look> {
  const { spent } = observer
  let mark = performance.now()
  const lap = (part: keyof typeof spent) => {
    const now = performance.now()
    spent[part] += now - mark
    mark = now
  }
  const seen = lookAt(picture, eye)
  lap('normalise')
  const [detections] = await networkFor(observer, { eye, tube }).detect([seen.data])
  lap('detect')
  const pose = poseOf(observer, detections, eye, tube)
  lap('pose')
  const confidence = judge(pose && evidenceOf(observer, picture, eye, seen, detections, pose))
  lap('verify')
  return { picture, eye, tube, detections, pose, confidence }
}

function evidenceOf(
  { landmarks, renderer }: Observer,
  picture: Picture,
  eye: Eye,
  seen: Image,
  detections: readonly Detection[],
  pose: LandmarkPose
) {
  return {
    ...landmarkEvidence(landmarks, detections, pose, eye.detector, fieldOf(picture, eye)),
    similarity: detailSimilarity(picture, seen, eye, pose.cameraFromLps, renderer)
  }
}

/** Two passes where the weights depend on the view: the first pose says which view it is. */
function poseOf(
  observer: Observer,
  detections: readonly Detection[],
  eye: Eye,
  tube: TubeSide
): LandmarkPose | null {
  const confident = detections.filter(d => d.confidence >= CONFIDENT).length
  if (confident < 4) return null
  try {
    const weights = observer.weightsFor(null)
    const first = poseFrom(observer, detections, eye, startsOf(observer, eye, tube), weights)
    const again = observer.weightsFor(first.cameraFromLps)
    const optima = first.hypotheses.map(h => h.cameraFromLps)
    return again === weights ? first : poseFrom(observer, detections, eye, optima, again, true)
  } catch (error) {
    // Landmarks on one line, or none in front of the source: this look finds nothing.
    if (error instanceof PoseError) return null
    throw error
  }
}

function startsOf({ isocenter }: Observer, { detector }: Eye, tube: TubeSide): Mat4[] {
  if (tube === 'front') return []
  return ORBITS_BEHIND.map(orbit =>
    poseFromView(
      { alpha: 0, beta: 0, gamma: orbit * DEGREE, translation: [0, 0, 0] },
      isocenter,
      usualDepth(detector.sdd)
    )
  )
}

/**
 * The pose that detections have in an eye's frame.
 * @param from poses to begin at besides
 * @param near whether the pose is near one of these, so that no other is looked for
 * @throws PoseError
 */
export function poseFrom(
  observer: Observer,
  detections: readonly Detection[],
  eye: Eye,
  from: readonly (readonly number[])[],
  weights: readonly number[],
  near = false
): LandmarkPose {
  const unit = eye.detector.sdd / 1200
  return poseFromLandmarks(observer.landmarks, detections, eye.detector, {
    weights,
    isocenter: observer.isocenter,
    sourceToIsocenter: observer.sourceToPatient,
    inlierDistance: INLIER * unit,
    scaleStart: SCALE_START * unit,
    scaleEnd: SCALE_END * unit,
    starts: from,
    startsOnly: near,
    depthPrior: observer.sourceToPatient
      ? {
          point: observer.isocenter,
          depth: observer.sourceToPatient,
          sigma: CENTRING,
          noise: 3 * unit,
          scale: 2 * CENTRING
        }
      : undefined
  })
}
