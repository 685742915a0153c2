import { covarianceInDegrees, type ErrorEllipsoid, errorEllipsoid, type Vec3 } from '@raypose/core'
import { alongTheBeam, type BeamGeometry } from './along-the-beam.js'
import type { Judged, RegistrationEvidence } from './evidence.js'
import { STATUS_LIMITS, statusProbabilities } from './status-model.js'

export type RegistrationStatus = 'accepted' | 'doubtful' | 'rejected'

/** Whether a pose is to be believed, and how far. */
export interface Assessment {
  readonly status: RegistrationStatus
  /** Sentences, the weightiest first. */
  readonly reasons: readonly string[]
  /** Of the paper's success (mPD below 9.6 mm), on the right patient. */
  readonly probability: number
  /** Calibrated on simulated registrations. */
  readonly probabilityTreAbove2mm: number
  readonly probabilityTreAbove10mm: number
  /**
   * 6×6 row-major, degrees and mm: turns of the patient about the first camera's axes through the centre, then shifts along them. Of the
   * pose's spread where it is right; null where the images do not determine it.
   */
  readonly covariance: readonly number[] | null
  /** Of the pelvis's centre. */
  readonly ellipsoid: ErrorEllipsoid | null
  /** Root mean square over the landmarks that the covariance leads to expect, mm. */
  readonly expectedTreMm: number | null
  readonly evidence: RegistrationEvidence | null
}

/** What is known from elsewhere. */
export interface Circumstances {
  /** Why the initial pose was not to be trusted; null where it was. */
  readonly initialRefused?: string | null
  /** Anything that alone forbids to use the pose. */
  readonly objections?: readonly string[]
  /** Distances of the first X-ray. */
  readonly beam?: BeamGeometry
}

/** No pose is accepted that is more than 10 mm off with a greater chance than this. */
export const MOST_OFF = 0.2

/** How probable a gross error is taken to be where the distances contradict the pose. */
const EVEN = 0.5

/** A picture with more than this share of its pixels at the ends of the grey scale shows too little. */
const MOST_CLIPPED = 0.9
/** A field with less than this share that the CT can say something of shows nothing. */
const LEAST_USABLE = 0.03

/**
 * Judges a registration.
 * @param centre that the covariance is about, LPS mm
 */
export function assess(
  { evidence, covariance, cameraFromLps, expectedTreMm }: Judged,
  centre: Vec3,
  { initialRefused = null, objections = [], beam }: Circumstances = {}
): Assessment {
  const p = statusProbabilities(evidence)
  const along = alongTheBeam(
    depthOf(centre, cameraFromLps),
    beam ?? { sourceToDetector: Number.POSITIVE_INFINITY }
  )
  const fatal = [...objections, ...along.fatal, ...impossible(evidence, covariance !== null)]
  const failure = fatal.length > 0 ? 1 : p.failure
  // The picture fits as well in a wrong geometry: what it says is worth less where distances contradict each other.
  const picture = along.doubts.length > 0 ? Math.max(EVEN, p.treAbove10mm) : p.treAbove10mm
  const gross = fatal.length > 0 ? 1 : picture
  // Landmarks that refused say nothing against a pose that was found without them.
  const searched = !Number.isNaN(evidence.outstanding)
  const acceptable =
    failure < STATUS_LIMITS.accept &&
    gross < MOST_OFF &&
    (searched || !initialRefused) &&
    evidence.overMirror > MIRRORED
  const status = failure >= STATUS_LIMITS.reject ? 'rejected' : acceptable ? 'accepted' : 'doubtful'
  return {
    status,
    reasons: [
      ...fatal,
      ...along.doubts,
      ...along.remarks,
      ...(status === 'accepted' ? [] : doubts(evidence)),
      ...(initialRefused ? [initialRefused] : []),
      summary(evidence, expectedTreMm ?? evidence.expectedTreMm)
    ],
    probability: 1 - failure,
    probabilityTreAbove2mm: Math.max(gross, p.treAbove2mm),
    probabilityTreAbove10mm: gross,
    covariance: covariance && covarianceInDegrees(covariance),
    ellipsoid: covariance && errorEllipsoid(covariance, cameraFromLps, centre),
    expectedTreMm,
    evidence
  }
}

const depthOf = ([x, y, z]: Vec3, m: readonly number[]): number => m[8] * x + m[9] * y + m[10] * z + m[11]

/** Of a pose that was not compared with the picture: nothing speaks for it but its landmarks. */
export const unrefinedAssessment = (initial: {
  readonly accepted: boolean
  readonly probability: number
  readonly reason: string
}): Assessment => ({
  status: initial.accepted ? 'doubtful' : 'rejected',
  reasons: [
    'The pose comes from landmarks alone: it was not refined, nor checked against the picture.',
    initial.reason
  ],
  probability: initial.probability,
  // Landmarks alone are hardly ever this good.
  probabilityTreAbove2mm: 1,
  probabilityTreAbove10mm: 1 - initial.probability,
  covariance: null,
  ellipsoid: null,
  expectedTreMm: null,
  evidence: null
})

/** A picture whose mirror image fits better by so much is one; where the two are nearer than this, which of them is right is not known. Right poses have 0.003 to 0.6 (docs/registration.md). */
const MIRRORED = 0.01
const MIRROR_FITS =
  'The mirror image fits better than the picture: it may be stored as seen from the other side.'

/** What alone forbids to use a pose, whatever the status model says, in words. @param determined whether the images determine the pose */
export function impossible(e: RegistrationEvidence, determined: boolean): string[] {
  const out: string[] = []
  if (e.overMirror < -MIRRORED) out.push(MIRROR_FITS)
  if (e.clippedShare > MOST_CLIPPED)
    out.push(
      `The X-ray is saturated or empty: ${percent(e.clippedShare)} of its pixels are at an end of the grey scale.`
    )
  if (e.usableShare < LEAST_USABLE)
    out.push(
      `The X-ray's field and the CT do not overlap under this pose: ${percent(e.usableShare)} of the picture can be compared.`
    )
  else if (!determined) out.push('The picture does not determine the pose: moving it changes nothing.')
  return out
}

/** From these on (or up to these) a figure is worth a sentence; the decision is the model's alone. */
const REMARKABLE = {
  similarity: 0.5,
  starts: 0.3,
  rival: 0.05,
  search: 0.02,
  landmarksMm: 12,
  treMm: 2
} as const

function doubts(e: RegistrationEvidence): string[] {
  const out: string[] = []
  const [coarse, middle] = e.similarity
  if (middle < REMARKABLE.similarity)
    out.push(
      `X-ray and DRR do not agree well (${coarse.toFixed(2)} coarse, ${middle.toFixed(2)} finer): another patient, another anatomy, or a wrong pose.`
    )
  if (Math.abs(e.overMirror) <= MIRRORED) out.push('The mirror image fits about as well as the picture.')
  if (e.weakestQuarter < REMARKABLE.similarity / 2 && middle >= REMARKABLE.similarity)
    out.push(`A quarter of the picture does not fit (${e.weakestQuarter.toFixed(2)}).`)
  if (!Number.isNaN(e.overRival) && e.overRival < REMARKABLE.rival)
    out.push('Another pose fits nearly as well.')
  if (!Number.isNaN(e.overSearched) && e.overSearched < REMARKABLE.search)
    out.push(
      'The landmarks were unsure, and a search all about the anatomy found another pose that fits nearly as well.'
    )
  if (e.agreeingStarts < REMARKABLE.starts)
    out.push(`Only ${percent(e.agreeingStarts)} of the starts came to this pose.`)
  if (e.landmarks && e.landmarks.medianMm > REMARKABLE.landmarksMm)
    out.push(
      `The detected landmarks are ${e.landmarks.medianMm.toFixed(0)} mm from where the pose has them (median).`
    )
  if (e.expectedTreMm > REMARKABLE.treMm)
    out.push(
      `The picture leaves ${e.expectedTreMm.toFixed(1)} mm open (expected TRE), ${e.depthStdMm.toFixed(1)} mm of it in depth.`
    )
  return out
}

const summary = (
  { similarity: [coarse, , fine], overMirror }: RegistrationEvidence,
  expectedTreMm: number
): string =>
  `X-ray and DRR agree by ${coarse.toFixed(2)} at 6.4 mm and ${fine.toFixed(2)} at 1.6 mm, ${overMirror >= 0 ? `${overMirror.toFixed(2)} better` : `${(-overMirror).toFixed(2)} worse`} than the mirror image; ` +
  `where the pose is right, its error is expected to be ${expectedTreMm.toFixed(2)} mm.`

const percent = (share: number) => `${(100 * share).toFixed(0)} %`
