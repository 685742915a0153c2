import {
  binImage,
  type Detector,
  type Image,
  type IntensityRegistration,
  imageRange,
  type Mat4,
  PoseError,
  type Renderer,
  registerIntensity,
  type Vec3,
  viewFromPose,
  XrayError
} from '@raypose/core'
import { createDetector } from '@raypose/network'
import { landmarkWeights, type Patient } from '../patient/bundle.js'
import type { OnProgress, Registration } from '../types.js'
import { type InitialPosePatient, initialPose, normaliseXray } from './initial/initial-pose.js'
import { type InitialPose, PLAIN_READING, type XrayReading } from './initial/types.js'
import { prepareRefinement, type RefinementVolume, refineViews, workingDetector } from './refine.js'

export type SimilarityName = 'ncc' | 'lncc' | 'gncc'

export interface RegistrarOptions {
  readonly similarity?: SimilarityName
  readonly threads?: number
  /** Initial pose only. */
  readonly skipRefinement?: boolean
}

export interface RegisterCall {
  /** What is known of the picture; by default that it holds line integrals, bone bright, not mirrored. */
  readonly reading?: XrayReading
  /** Goes on where the confidence of the initial pose says no. */
  readonly evenIfUnlikely?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/** A patient ready for X-rays: network loaded, volume laid out for rendering. */
export interface Registrar {
  readonly patient: Patient
  readonly renderer: Renderer
  /**
   * Phase 3 (paper section 2): landmarks, pose, intensity-based registration.
   * @param image values as `call.reading` says, else line integrals, bone bright (see {@link lineIntegrals})
   * @throws XrayError for an empty or constant image; PoseError where the X-ray does not show the prepared anatomy
   */
  register(image: Image, detector: Detector, call?: RegisterCall): Promise<Registration>
  /**
   * Phase 3 up to the refinement: never throws for an X-ray of something else, but says so.
   * @throws XrayError for an empty or constant image
   */
  initialPose(image: Image, detector: Detector, reading?: XrayReading): Promise<InitialPose>
  dispose(): Promise<void>
}

/** DRRs that a registration usually takes, for the progress bar. */
const EXPECTED_EVALUATIONS = 200

/** Opens sessions and prepares the volume; an X-ray then takes about a second. */
export async function createRegistrar(patient: Patient, options: RegistrarOptions = {}): Promise<Registrar> {
  const { similarity, threads = 2 } = options
  const network = await createDetector(patient.network, { threads })
  const ct = prepareRefinement(patient.volume)
  const { renderer } = ct
  const known: InitialPosePatient = {
    network,
    renderer,
    landmarks: patient.landmarks,
    names: patient.manifest.landmarks.map(l => l.name),
    weightsFor: pose => landmarkWeights(patient, pose ? viewFromPose(pose, patient.isocenter) : undefined),
    isocenter: patient.isocenter,
    trained: patient.detector
  }
  return {
    patient,
    renderer,
    async initialPose(image, detector, reading) {
      assertXray(image, detector)
      return initialPose(known, image, detector, reading)
    },
    async register(stored, storedDetector, call = {}) {
      const started = performance.now()
      const seconds = (since: number) => (performance.now() - since) / 1000
      assertXray(stored, storedDetector)
      call.onProgress?.({ stage: 'Detecting landmarks', fraction: 0 })
      const initial = await initialPose(known, stored, storedDetector, call.reading)
      const [pose] = initial.hypotheses
      if (!pose || !(initial.accepted || call.evenIfUnlikely)) throw refusal(initial)

      const mark = performance.now()
      const { image, detector } =
        (call.reading ?? PLAIN_READING) === PLAIN_READING
          ? { image: stored, detector: storedDetector }
          : normaliseXray(stored, storedDetector, initial.normalisation)
      const task = {
        signal: call.signal,
        onProgress: (p: { evaluations: number; similarity: number }) =>
          call.onProgress?.({
            stage: 'Registering intensities',
            fraction: Math.min(1, p.evaluations / EXPECTED_EVALUATIONS),
            detail: `similarity ${p.similarity.toFixed(4)}`
          })
      }
      const refined = options.skipRefinement
        ? null
        : similarity
          ? refineAsPaper(renderer, similarity, patient.isocenter, image, detector, initial, task)
          : refineDefault(ct, patient, image, detector, initial, task)
      const refine = seconds(mark)
      return {
        detector,
        initialPose: pose.cameraFromLps,
        finalPose: refined?.cameraFromLps ?? pose.cameraFromLps,
        landmarks: initial.detections,
        similarity: {
          name: similarity ?? 'patch gradient ncc',
          before: refined?.similarityBefore ?? Number.NaN,
          after: refined?.similarityAfter ?? Number.NaN
        },
        evaluations: refined?.evaluations ?? 0,
        reprojectionRmsMm: initial.confidence.evidence.reprojectionRmsMm,
        initialCovariance: pose.covariance,
        initial,
        timings: {
          detect: (initial.timings.normalise + initial.timings.detect) / 1000,
          initialPose: (initial.timings.pose + initial.timings.verify) / 1000,
          refine,
          total: seconds(started)
        },
        xray: image
      }
    },
    async dispose() {
      await network.release()
      ct.dispose()
    }
  }
}

interface Refined {
  readonly cameraFromLps: Mat4
  readonly similarityBefore: number
  readonly similarityAfter: number
  /** DRRs rendered. */
  readonly evaluations: number
}

type RefineTask = Pick<IntensityRegistration, 'signal' | 'onProgress'>

/** Gauss–Newton on patches of gradients, from every hypothesis and from about the best. */
function refineDefault(
  ct: RefinementVolume,
  patient: Patient,
  image: Image,
  detector: Detector,
  { hypotheses, detections }: InitialPose,
  task: RefineTask
): Refined {
  const xray = { image, detector, hypotheses: hypotheses.map(h => h.cameraFromLps), landmarks: detections }
  const { renders, ...found } = refineViews(ct, [xray], patient.landmarks, patient.isocenter, task)
  return { ...found, evaluations: renders }
}

/** BOBYQA with one similarity throughout (section 2.4 of the paper). */
function refineAsPaper(
  renderer: Renderer,
  similarity: SimilarityName,
  centre: Vec3,
  image: Image,
  detector: Detector,
  { hypotheses: [best, ...others] }: InitialPose,
  task: RefineTask
): Refined {
  const working = workingDetector(detector)
  return registerIntensity({
    ...task,
    image: working.factor > 1 ? binImage(image, working.factor) : image,
    detector: working.detector,
    start: best.cameraFromLps,
    centre,
    renderer,
    similarity,
    otherStarts: others
      .filter(h => h.kind === 'other')
      .slice(0, 2)
      .map(h => h.cameraFromLps)
  })
}

/** What to tell whose X-ray gives no pose that can be trusted. */
const refusal = ({ confidence, hypotheses }: InitialPose): PoseError =>
  new PoseError(
    confidence.reason,
    hypotheses.length > 0
      ? "Check that X-ray and patient belong together, and the X-ray's geometry; --even-if-unlikely goes on all the same."
      : "Check that X-ray and patient belong together, and the X-ray's geometry."
  )

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
