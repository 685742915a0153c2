import {
  type Detector,
  type Image,
  imageRange,
  type Mat4,
  PoseError,
  type Renderer,
  viewFromPose,
  XrayError
} from '@raypose/core'
import { createDetector } from '@raypose/network'
import { landmarkWeights, type Patient } from '../patient/bundle.js'
import type { OnProgress, Registration } from '../types.js'
import { type Circumstances, unrefinedAssessment } from './assessment/assess.js'
import { fromTheFront } from './initial/from-behind.js'
import { type InitialPosePatient, initialPose, normaliseXray } from './initial/initial-pose.js'
import { type InitialPose, PLAIN_READING, type XrayReading } from './initial/types.js'
import { prepareRefinement } from './refinement-volume.js'
import {
  type LinkedXray,
  merged,
  type SimilarityName,
  type Solved,
  type SolvedPatient,
  solveAsPaper,
  solveDefault,
  solveLoosely
} from './solve.js'
import { createTracker, type Tracker } from './track.js'
import type { SearchRange } from './wide-search.js'

export interface RegistrarOptions {
  readonly similarity?: SimilarityName
  readonly threads?: number
  /** Initial pose only. */
  readonly skipRefinement?: boolean
  /** Times that the initial pose is put right by the network's own errors on a DRR of it; default 2, and 0 (none) for patients prepared by the paper's recipe. */
  readonly drrRounds?: number
}

export interface RegisterCall {
  /** What is known of the picture; by default that it holds line integrals, bone bright, not mirrored. */
  readonly reading?: XrayReading
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/** One of several X-rays of a patient. */
export interface XrayOfSet {
  readonly image: Image
  readonly detector: Detector
  readonly reading?: XrayReading
  /** This camera from the first X-ray's, where it is known. */
  readonly cameraFromFirst?: Mat4
}

export interface RegisterAllCall extends Omit<RegisterCall, 'reading'> {
  /** What the relative poses come from: `tracked` (default) is exact, `angles` roughly right. */
  readonly relative?: 'tracked' | 'angles'
}

/** Several X-rays of one patient, registered. */
export interface RegistrationSet {
  /** One for each X-ray; where they share a pose they share its assessment. */
  readonly views: readonly Registration[]
  /** `joint`: one pose for all; `apart`: each by itself, their relative geometry being unknown or wrong. */
  readonly solved: 'joint' | 'apart'
  readonly seconds: number
}

/** A patient ready for X-rays: network loaded, volume laid out for rendering. */
export interface Registrar {
  readonly patient: Patient
  readonly renderer: Renderer
  /**
   * Phase 3 (paper section 2): landmarks, pose, intensity-based registration. What does not fit comes back `rejected`, with the reasons.
   * @param image values as `call.reading` says, else line integrals, bone bright (see {@link lineIntegrals})
   * @throws XrayError for an empty or constant image; PoseError where landmarks give no pose and nothing else may look for one
   * (`skipRefinement`, `similarity`)
   */
  register(image: Image, detector: Detector, call?: RegisterCall): Promise<Registration>
  /**
   * The same for several X-rays of the patient. Those whose relative geometry is known share one pose, which takes away what a single
   * view leaves open in depth; others are registered one by one.
   * @throws as {@link register}; PoseError likewise
   */
  registerAll(xrays: readonly XrayOfSet[], call?: RegisterAllCall): Promise<RegistrationSet>
  /** Follows the patient through a sequence: see {@link Tracker}. */
  track(options?: { readonly reading?: XrayReading; readonly signal?: AbortSignal }): Tracker
  /**
   * Phase 3 up to the refinement: never throws for an X-ray of something else, but says so.
   * @throws XrayError for an empty or constant image
   */
  initialPose(image: Image, detector: Detector, reading?: XrayReading): Promise<InitialPose>
  dispose(): Promise<void>
}

/** DRRs that a registration usually takes, for the progress bar. */
const EXPECTED_EVALUATIONS = 200

/** An X-ray after the first half of phase 3. */
interface Looked {
  readonly initial: InitialPose
  /** Line integrals, unmirrored. */
  readonly image: Image
  readonly detector: Detector
  readonly cameraFromFirst?: Mat4
  readonly circumstances: Circumstances
  /** Where the C-arm's angles have it. */
  readonly view?: SearchRange['view']
}

/** Whether the patient was prepared by the paper's recipe, which the initial pose then keeps to as well. */
const keepsToPaper = ({ manifest }: Patient): boolean =>
  (manifest.provenance.options as { recipe?: string } | undefined)?.recipe === 'paper'

/** Opens sessions and prepares the volume; an X-ray then takes about a second. */
export async function createRegistrar(patient: Patient, options: RegistrarOptions = {}): Promise<Registrar> {
  const { threads = 2 } = options
  const network = await createDetector(patient.network, { threads })
  const ct = prepareRefinement(patient.volume, patient.bones)
  const { renderer } = ct
  const known: InitialPosePatient = {
    network,
    renderer,
    landmarks: patient.landmarks,
    names: patient.manifest.landmarks.map(l => l.name),
    weightsFor: pose =>
      landmarkWeights(
        patient,
        pose ? viewFromPose(fromTheFront(pose as Mat4), patient.isocenter) : undefined
      ),
    isocenter: patient.isocenter,
    trained: patient.detector,
    drrRounds: options.drrRounds ?? (keepsToPaper(patient) ? 0 : undefined)
  }
  const solvedPatient: SolvedPatient = { ct, landmarks: patient.landmarks, centre: patient.isocenter }

  const lookAt = async ({ image, detector, reading, cameraFromFirst }: XrayOfSet): Promise<Looked> => {
    assertXray(image, detector)
    const initial = await initialPose(known, image, detector, reading)
    const plain =
      (reading ?? PLAIN_READING) === PLAIN_READING
        ? { image, detector }
        : normaliseXray(image, detector, initial.normalisation)
    return {
      initial,
      ...plain,
      cameraFromFirst,
      view: reading?.guess?.view,
      circumstances: {
        initialRefused: initial.accepted ? null : initial.confidence.reason,
        beam: { sourceToDetector: detector.sdd, sourceToPatient: reading?.sourceToPatient }
      }
    }
  }

  const registerAll = async (
    xrays: readonly XrayOfSet[],
    { relative = 'tracked', signal, onProgress }: RegisterAllCall = {}
  ): Promise<RegistrationSet> => {
    const started = performance.now()
    onProgress?.({ stage: 'Detecting landmarks', fraction: 0 })
    const looked: Looked[] = []
    for (const x of xrays) looked.push(await lookAt(x))
    const mark = performance.now()
    const task = {
      signal,
      onProgress: (p: { evaluations: number; similarity: number }) =>
        onProgress?.({
          stage: 'Registering intensities',
          fraction: Math.min(1, p.evaluations / (EXPECTED_EVALUATIONS * xrays.length)),
          detail: `similarity ${p.similarity.toFixed(4)}`
        })
    }
    const linked = looked.length > 1 && looked.every((l, i) => i === 0 || l.cameraFromFirst !== undefined)
    const { views, solved } = linked
      ? together(solvedPatient, looked, relative, options, task)
      : { views: looked.map(l => alone(solvedPatient, l, options, task)), solved: 'apart' as const }
    const refine = (performance.now() - mark) / 1000 / xrays.length
    return {
      views: looked.map((l, i) => registrationOf(l, views[i], refine)),
      solved,
      seconds: (performance.now() - started) / 1000
    }
  }

  return {
    patient,
    renderer,
    async initialPose(image, detector, reading) {
      assertXray(image, detector)
      return initialPose(known, image, detector, reading)
    },
    async register(image, detector, { reading, ...call } = {}) {
      const started = performance.now()
      const { views } = await registerAll([{ image, detector, reading }], call)
      const [view] = views
      return { ...view, timings: { ...view.timings, total: (performance.now() - started) / 1000 } }
    },
    registerAll,
    track: trackOptions => createTracker({ ...solvedPatient, look: lookAt }, trackOptions),
    async dispose() {
      await network.release()
      ct.dispose()
    }
  }
}

/** What one X-ray of a set comes to. */
type SolvedView = Omit<Solved, 'cameras'> & { readonly cameraFromLps: Mat4 }

const viewsOf = ({ cameras, ...rest }: Solved): SolvedView[] =>
  cameras.map(cameraFromLps => ({ ...rest, cameraFromLps }))

const asXray = ({ image, detector, initial, cameraFromFirst, view }: Looked): LinkedXray => ({
  image,
  detector,
  hypotheses: initial.hypotheses.map(h => h.cameraFromLps),
  landmarks: initial.detections,
  certainty: initial.confidence.value,
  cameraFromFirst,
  range: {
    tube: initial.normalisation.settled.tube === 'given' ? initial.normalisation.tube : undefined,
    view
  }
})

type Task = Parameters<typeof solveDefault>[3]

/** @throws PoseError where its landmarks give no pose at all, and the registration needs one */
function alone(patient: SolvedPatient, looked: Looked, options: RegistrarOptions, task: Task): SolvedView {
  const { initial, circumstances } = looked
  const [pose] = initial.hypotheses
  // The default registration looks for a pose by itself where landmarks give none; the paper's cannot.
  if (!pose && (options.skipRefinement || options.similarity)) throw refusal(initial)
  if (options.skipRefinement)
    return {
      cameraFromLps: pose.cameraFromLps,
      assessment: unrefinedAssessment({
        accepted: initial.accepted,
        probability: initial.confidence.value,
        reason: initial.confidence.reason
      }),
      similarity: { name: 'none', before: Number.NaN, after: Number.NaN },
      evaluations: 0
    }
  const xray = { ...asXray(looked), cameraFromFirst: undefined }
  const others = initial.hypotheses.filter(h => h.kind === 'other').slice(0, 2)
  const solved = options.similarity
    ? solveAsPaper(
        patient,
        options.similarity,
        xray,
        others.map(h => h.cameraFromLps),
        circumstances,
        task
      )
    : solveDefault(patient, [xray], circumstances, task)
  return viewsOf(solved)[0]
}

/** @throws PoseError as {@link alone} */
function together(
  patient: SolvedPatient,
  looked: readonly Looked[],
  relative: 'tracked' | 'angles',
  options: RegistrarOptions,
  task: Task
): { views: SolvedView[]; solved: 'joint' | 'apart' } {
  // The paper's way knows single views only.
  if (options.skipRefinement || options.similarity)
    return { views: looked.map(l => alone(patient, l, options, task)), solved: 'apart' }
  const xrays = looked.map(asXray)
  const circumstances = looked.map(l => l.circumstances)
  if (relative === 'tracked')
    return { views: viewsOf(solveDefault(patient, xrays, merged(circumstances), task)), solved: 'joint' }
  const loose = solveLoosely(patient, xrays, circumstances, task)
  return 'joint' in loose
    ? { views: viewsOf(loose.joint), solved: 'joint' }
    : { views: loose.apart.flatMap(viewsOf), solved: 'apart' }
}

function registrationOf(
  { initial, image, detector }: Looked,
  { cameraFromLps, assessment, similarity, evaluations }: SolvedView,
  refine: number
): Registration {
  const [pose] = initial.hypotheses
  const detect = (initial.timings.normalise + initial.timings.detect) / 1000
  const initialSeconds = (initial.timings.pose + initial.timings.verify) / 1000
  return {
    detector,
    // An X-ray that gave no pose by itself begins where the others, or a search, put it.
    initialPose: pose?.cameraFromLps ?? cameraFromLps,
    finalPose: cameraFromLps,
    status: assessment.status,
    assessment,
    landmarks: initial.detections,
    similarity,
    evaluations,
    reprojectionRmsMm: initial.confidence.evidence.reprojectionRmsMm,
    initialCovariance: pose?.covariance ?? [],
    initial,
    timings: { detect, initialPose: initialSeconds, refine, total: detect + initialSeconds + refine },
    xray: image
  }
}

/** What to tell whose X-ray gives no pose at all. */
const refusal = ({ confidence }: InitialPose): PoseError =>
  new PoseError(confidence.reason, "Check that X-ray and patient belong together, and the X-ray's geometry.")

function assertXray(image: Image, detector: Detector): void {
  if (image.width !== detector.size[0] || image.height !== detector.size[1])
    throw new XrayError(
      `The X-ray is ${image.width} × ${image.height} pixels, its geometry is for ${detector.size.join(' × ')}`,
      'Give the geometry of this very image.'
    )
  if (!image.data.every(Number.isFinite))
    throw new XrayError('The X-ray holds a value that is not a finite number', 'Export the image again.')
  const { min, max } = imageRange(image)
  if (!(max > min))
    throw new XrayError(`The X-ray is empty: every pixel is ${min}`, 'Give an image that shows the patient.')
}
