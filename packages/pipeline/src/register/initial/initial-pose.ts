import {
  composeRigid,
  DEGREE,
  type Detector,
  depthVariant,
  type Image,
  type LandmarkPose,
  type Mat4,
  mirrorDetector,
  mirrorImage,
  project,
  toDetectorPixel,
  type Vec3
} from '@raypose/core'
import type { DetectedLandmark } from '../../types.js'
import { lineIntegrals } from '../line-integrals.js'
import { plausibleSourceToPatient } from '../source-to-patient.js'
import { differenced } from './differenced.js'
import { cameraFromEye, pictureRotation } from './eye.js'
import { likenessOf } from './likeness.js'
import type { Look, Observer } from './look.js'
import { findBest } from './search.js'
import {
  type InitialHypothesis,
  type InitialPose,
  type Normalisation,
  type NormalisedXray,
  PLAIN_READING,
  type XrayReading
} from './types.js'

/** A patient as phase 3 needs it. */
export interface InitialPosePatient extends Omit<Observer, 'spent' | 'sourceToPatient'> {
  /** The C-arm that the network was trained for. */
  readonly trained: Detector
  readonly names: readonly string[]
  /** Rounds of {@link differenced}; default 2, 0 for none. */
  readonly drrRounds?: number
}

/** Depth variants stand this many standard deviations before and behind the best pose. */
const DEPTH_SIGMAS = 1.5

/**
 * Phase 3 of the paper (section 2.4) up to the refinement: landmarks, RANSAC, EPnP and robust least squares, whatever way round the
 * picture is, with a confidence that says no to another anatomy.
 * @param image values as stored, on `detector`
 * @param reading what is known of them; {@link PLAIN_READING} by default
 * @returns poses of the picture as {@link normaliseXray} makes it: unmirrored, but not turned
 * @throws XrayError for an empty or constant image
 */
export async function initialPose(
  patient: InitialPosePatient,
  image: Image,
  detector: Detector,
  reading: XrayReading = PLAIN_READING
): Promise<InitialPose> {
  const started = performance.now()
  const spent = { normalise: 0, detect: 0, pose: 0, verify: 0 }
  const observer: Observer = {
    ...patient,
    sourceToPatient: plausibleSourceToPatient(reading.sourceToPatient, detector.sdd),
    spent
  }
  const {
    best: found,
    tried,
    reading: known
  } = await findBest(observer, image, detector, patient.trained, reading)
  const best =
    found.confidence.word === 'no' || patient.drrRounds === 0
      ? found
      : await differenced(observer, found, likenessOf(found), patient.drrRounds)
  const seen = best.picture.encoding.mirrored ? mirrorDetector(detector) : detector
  const { pose, confidence } = best
  return {
    accepted: pose !== null && confidence.word !== 'no',
    confidence,
    hypotheses: pose ? hypothesesOf(pose, best.eye.turn) : [],
    detections: describe(patient, best, seen),
    centre: pose?.centre ?? patient.isocenter,
    normalisation: normalisationOf(best, known, tried),
    timings: { ...spent, total: performance.now() - started }
  }
}

/** The X-ray at full size as the initial pose took it: line integrals, unmirrored. @throws XrayError as `linearise` */
export function normaliseXray(
  image: Image,
  detector: Detector,
  n: Pick<Normalisation, 'intensity' | 'bright' | 'mirrored'>
): NormalisedXray {
  const plain = lineIntegrals({ image, ...n })
  return n.mirrored
    ? { image: mirrorImage(plain), detector: mirrorDetector(detector) }
    : { image: plain, detector }
}

function normalisationOf(
  { picture, pose, eye, tube }: Look,
  reading: XrayReading,
  tried: number
): Normalisation {
  const taken = { ...picture.encoding, tube }
  // What a file says may have been given up.
  const settled = (key: keyof typeof taken) => (reading[key] === taken[key] ? 'given' : 'found')
  const turn = eye.turn + (pose ? pictureRotation(pose.cameraFromLps) : 0)
  return {
    ...taken,
    rotationDeg: Math.atan2(Math.sin(turn), Math.cos(turn)) / DEGREE,
    settled: {
      intensity: settled('intensity'),
      bright: settled('bright'),
      mirrored: settled('mirrored'),
      tube: settled('tube'),
      rotation: reading.rotation === undefined ? 'found' : 'given'
    },
    fieldShare: picture.fieldShare,
    tried
  }
}

/** All optima of the robust cost, and the best one moved along the line of sight by what its covariance leaves open. */
function hypothesesOf(pose: LandmarkPose, turn: number): InitialHypothesis[] {
  const back = cameraFromEye(turn)
  const optima = pose.hypotheses.map(
    (h, i): InitialHypothesis => ({
      cameraFromLps: composeRigid(back, h.cameraFromLps),
      kind: i === 0 ? 'best' : 'other',
      cost: h.cost,
      inlierCount: h.inlierCount,
      covariance: turnCovariance(h.covariance, back)
    })
  )
  const [best] = optima
  const sigma = Math.sqrt(best.covariance[35])
  if (!(sigma > 0 && Number.isFinite(sigma))) return optima
  const moved = [-DEPTH_SIGMAS, DEPTH_SIGMAS].map(
    (k): InitialHypothesis => ({
      ...best,
      kind: 'depth',
      cameraFromLps: depthVariant(best.cameraFromLps, pose.centre, k * sigma)
    })
  )
  return [best, ...moved, ...optima.slice(1)]
}

/** A covariance in the axes of a camera that is turned against the one it was estimated in. */
function turnCovariance(c: Float64Array, turn: Mat4): number[] {
  const r = (a: number, b: number) =>
    Math.floor(a / 3) === Math.floor(b / 3) ? turn[4 * (a % 3) + (b % 3)] : 0
  const half = new Float64Array(36)
  const out = new Array<number>(36).fill(0)
  for (let a = 0; a < 6; a++)
    for (let b = 0; b < 6; b++)
      for (let k = 0; k < 6; k++) if (r(a, k) !== 0) half[6 * a + b] += r(a, k) * c[6 * k + b]
  for (let a = 0; a < 6; a++)
    for (let b = 0; b < 6; b++)
      for (let k = 0; k < 6; k++) if (r(b, k) !== 0) out[6 * a + b] += half[6 * a + k] * r(b, k)
  return out
}

function describe(
  patient: Pick<InitialPosePatient, 'landmarks' | 'names'>,
  { detections, eye, pose }: Look,
  detector: Detector
): DetectedLandmark[] {
  const inliers = new Set(pose?.inliers ?? [])
  return detections.map((d, i) => ({
    name: patient.names[i],
    ...toDetectorPixel(d.u, d.v, eye.detector, detector, eye.turn),
    confidence: d.confidence,
    residualMm: pose ? residual(patient.landmarks[i], d, eye.detector, pose.cameraFromLps) : Number.NaN,
    inlier: inliers.has(i)
  }))
}

function residual(p: Vec3, d: { u: number; v: number }, detector: Detector, cameraFromLps: Mat4): number {
  const { u, v } = project({ detector, cameraFromLps }, p)
  return Math.hypot((u - d.u) * detector.pixel[0], (v - d.v) * detector.pixel[1])
}
