import type { Detector, Image, Mat4, Vec3, View } from '@raypose/core'
import type { DetectedLandmark } from '../../types.js'
import type { TubeSide } from './from-behind.js'

/** What is known of an X-ray before it is looked at; anything left out is found. */
export interface XrayReading {
  /** Whether values go with the detector reading, or with the line integral. */
  readonly intensity?: 'linear' | 'log'
  /** What large values mean: more attenuation (bone bright) or more X-rays (bone dark). */
  readonly bright?: 'attenuation' | 'exposure'
  /** Whether the columns run against the camera contract: stored as seen from the other side. */
  readonly mirrored?: boolean
  /** How far the picture is turned clockwise from head-up, radians (to about ±15°); 0 keeps to head-up pictures. */
  readonly rotation?: number
  /** Which side of the patient the tube stands on. */
  readonly tube?: TubeSide
  /** Which of these only a file says: given up where nothing convinces as it says and something does otherwise. */
  readonly hearsay?: readonly ('intensity' | 'bright' | 'mirrored')[]
  /** What it probably is, tried first, where `intensity`, `bright` and `tube` are not given. */
  readonly guess?: {
    readonly intensity: 'linear' | 'log'
    readonly bright: 'attenuation' | 'exposure'
    readonly tube?: TubeSide
    /** Where the C-arm's own angles have it: searched as well where the landmarks are unsure, as for a lateral view. */
    readonly view?: Pick<View, 'alpha' | 'beta' | 'gamma'>
  }
  /** Source to isocentre (DICOM 0018,1111), mm: a weak belief in how far away the patient's isocentre is. */
  readonly sourceToPatient?: number
}

/** An X-ray whose values are line integrals, bone bright, taken and stored as the contract has it: nothing to find but the rotation. */
export const PLAIN_READING: XrayReading = {
  intensity: 'log',
  bright: 'attenuation',
  mirrored: false,
  tube: 'front'
}

/** How each property of the picture was settled: told by the caller (or the file), or found by trying. */
export type Settled = 'given' | 'found'

/** What the picture was taken for. */
export interface Normalisation {
  readonly intensity: 'linear' | 'log'
  readonly bright: 'attenuation' | 'exposure'
  readonly mirrored: boolean
  readonly tube: TubeSide
  /** Clockwise from head-up under the pose found, degrees in (−180, 180]. */
  readonly rotationDeg: number
  readonly settled: Readonly<Record<'intensity' | 'bright' | 'mirrored' | 'tube' | 'rotation', Settled>>
  /** Share of the picture within the collimator's blades or the intensifier's circle, 0 to 1. */
  readonly fieldShare: number
  /** How many ways of taking the picture were tried. */
  readonly tried: number
}

/** A pose that the landmarks allow, with what speaks for it. */
export interface InitialHypothesis {
  readonly cameraFromLps: Mat4
  /** What it is: the best pose, another optimum, or the best pose moved along the line of sight. */
  readonly kind: 'best' | 'other' | 'depth'
  /** Robust reprojection cost, mm² on the detector: lower is better. For `depth` that of the best pose. */
  readonly cost: number
  readonly inlierCount: number
  /** 6×6 of (rad, mm) about `centre`, camera axes, row-major. */
  readonly covariance: readonly number[]
}

/** What an initial pose is judged by. */
export interface PoseEvidence {
  /** Landmarks that the pose shows within the exposed field … */
  readonly expected: number
  /** … and those of them that were detected with confidence and where the pose has them. */
  readonly confirmed: number
  /** Confident detections where the pose has no such landmark. */
  readonly contradicting: number
  /** Root mean square reprojection of the inliers, mm on the detector. */
  readonly reprojectionRmsMm: number
  /** Correlation of the details of the X-ray with those of the DRR at this pose, −1 to 1. */
  readonly similarity: number
}

/** What the confidence comes to: {@link PoseEvidence} → probability → word. */
export interface PoseConfidence {
  /** Estimated probability that the pose is within the paper's success threshold (projection distance below 2.5 % of the detector). */
  readonly value: number
  readonly word: 'high' | 'fair' | 'low' | 'no'
  /** One sentence for people. */
  readonly reason: string
  readonly evidence: PoseEvidence
}

/** Milliseconds of each part. */
export interface InitialTimings {
  readonly normalise: number
  readonly detect: number
  readonly pose: number
  readonly verify: number
  readonly total: number
}

/** Phase 3 up to the refinement. */
export interface InitialPose {
  /** False where the confidence says no: then the poses are not to be used. */
  readonly accepted: boolean
  readonly confidence: PoseConfidence
  /** Best first; empty where no pose could be computed at all. */
  readonly hypotheses: readonly InitialHypothesis[]
  /** Of every landmark, in pixels of the normalised (unmirrored) picture. */
  readonly detections: readonly DetectedLandmark[]
  /** About which the covariances turn, LPS mm. */
  readonly centre: Vec3
  readonly normalisation: Normalisation
  readonly timings: InitialTimings
}

/** An X-ray as registration takes it. */
export interface NormalisedXray {
  /** Line integrals, bone bright, unmirrored. */
  readonly image: Image
  readonly detector: Detector
}
