import type { Detector, GeometryJson, Image, Mat4, PoseErrors, Summary, Vec3, View } from '@raypose/core'
import type { InitialSummary, TimingSummary } from './evaluate/initial-summary.js'
import type { Assessment, RegistrationStatus } from './register/assessment/assess.js'
import type { InitialPose } from './register/initial/types.js'

/** What long work says of itself: shown as a bar with the time left. */
export interface Progress {
  /** What is being done, for people: "Rendering 90 views". */
  readonly stage: string
  /** 0 to 1 within the stage. */
  readonly fraction: number
  /** A figure worth seeing: the loss, a similarity. */
  readonly detail?: string
}

export type OnProgress = (p: Progress) => void

/** A landmark as found on an X-ray; pixels of that X-ray. */
export interface DetectedLandmark {
  readonly name: string
  readonly u: number
  readonly v: number
  readonly confidence: number
  /** Distance to the projection of the 3D landmark under the initial pose, mm on the detector. */
  readonly residualMm: number
  readonly inlier: boolean
}

/** Seconds taken by each step of a registration. */
export interface RegistrationTimings {
  readonly detect: number
  readonly initialPose: number
  readonly refine: number
  readonly total: number
}

/** What a registration comes to, in memory. */
export interface Registration {
  readonly detector: Detector
  /** Phase 3 alone: from landmarks. */
  readonly initialPose: Mat4
  /** After intensity-based registration. */
  readonly finalPose: Mat4
  /** Whether the final pose is to be believed … */
  readonly status: RegistrationStatus
  /** … why, how probable an error is, and how large it is expected to be. */
  readonly assessment: Assessment
  readonly landmarks: readonly DetectedLandmark[]
  readonly similarity: { readonly name: string; readonly before: number; readonly after: number }
  readonly evaluations: number
  /** Root mean square reprojection of the inliers, mm on the detector. */
  readonly reprojectionRmsMm: number
  /** 6×6 covariance of the initial pose (rad, mm about the landmarks' centre in camera axes), row-major. */
  readonly initialCovariance: readonly number[]
  /** Phase 3 up to the refinement: all hypotheses, what the picture was taken for, how sure it is. */
  readonly initial: InitialPose
  readonly timings: RegistrationTimings
  /** The X-ray as line integrals, bone bright: what overlays are drawn on. */
  readonly xray: Image
}

/** `result.json` of `raypose register`. */
export interface RegistrationJson {
  readonly format: 'raypose-registration'
  readonly version: string
  /** `rejected`: the pose is not to be used. */
  readonly status: RegistrationStatus
  readonly assessment: Assessment
  /** Final pose and detector, as in the geometry contract. */
  readonly geometry: GeometryJson
  readonly initialCameraFromLps: readonly number[]
  /** The final pose for the CT file's own coordinates, as LPS (a NIfTI's with x and y negated): `geometry.cameraFromLps · lpsFromCt`. */
  readonly cameraFromCt: readonly number[]
  /** Rotation from the CT file's coordinates to the patient's, 3×3 row-major: the identity, but where the file has the patient turned. */
  readonly lpsFromCt: readonly number[]
  /** The C-arm angles about the patient's isocentre, degrees, and the offset, mm. */
  readonly view: {
    readonly alphaDeg: number
    readonly betaDeg: number
    readonly gammaDeg: number
    readonly translationMm: Vec3
  }
  readonly landmarks: readonly DetectedLandmark[]
  readonly similarity: Registration['similarity']
  readonly evaluations: number
  readonly reprojectionRmsMm: number
  readonly initialCovariance: readonly number[]
  /** How sure the initial pose is, and what speaks for it. */
  readonly initialConfidence: InitialPose['confidence']
  /** What the picture was taken for: logarithm, inversion, mirroring, rotation, borders. */
  readonly normalisation: InitialPose['normalisation']
  readonly timingsSeconds: RegistrationTimings
  readonly inputs: {
    readonly xray: { readonly file: string; readonly sha256: string }
    readonly patient: { readonly sha256: string }
  }
  readonly parameters: Readonly<Record<string, unknown>>
  readonly notes: readonly string[]
}

/** One evaluated view: where the C-arm stood, and how far off both poses are. */
export interface EvaluatedView {
  readonly index: number
  readonly view: View
  readonly truth: Mat4
  readonly initialPose: Mat4 | null
  readonly finalPose: Mat4 | null
  readonly initial: PoseErrors | null
  readonly final: PoseErrors | null
  readonly similarity: { readonly before: number; readonly after: number } | null
  readonly visibleLandmarks: number
  readonly timings: RegistrationTimings | null
  /** Why there is no pose. */
  readonly failure?: string
}

/** An evaluation of one patient over many views of known pose. */
export interface Evaluation {
  readonly format: 'raypose-evaluation'
  readonly version: string
  readonly patientSha256: string
  readonly conditions: {
    readonly preset: string
    readonly renderer: string
    readonly seed: number
    readonly targets: string
    readonly views: string
  }
  readonly detector: Detector
  readonly views: readonly EvaluatedView[]
  /** Over the views that gave a pose. */
  readonly initial: Summary | null
  readonly final: Summary | null
  /** The initial poses again, by names that say the unit. */
  readonly init: InitialSummary | null
  readonly timings: TimingSummary | null
  /** Views within the paper's success threshold after registration; a view without a pose is no success. */
  readonly successes: number
  readonly seconds: number
}
