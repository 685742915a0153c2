import {
  type BackProjectedPoint,
  backProject,
  createRandom,
  createWasmRenderer,
  DEGREE,
  type Detection,
  type Detector,
  gridViews,
  heightRange,
  ModelError,
  PAPER_SOURCE_TO_ISOCENTER,
  poseFromView,
  type Random,
  randomViews,
  type Vec3,
  VIEW_AXES,
  type View,
  type ViewGrid,
  type ViewWeights,
  type Volume,
  viewWeights
} from '@raypose/core'
import {
  createDetector,
  type Detector as LandmarkDetector,
  type Network,
  type NetworkSpec,
  readCheckpointNote,
  transferParameters
} from '@raypose/network'
import { patientLayers } from '../patient/layers.js'
import type { PatientLandmark, PatientManifest } from '../patient/manifest.js'
import { type TrainResult, trainNetwork } from '../training/train-network.js'
import type { ValidationSet } from '../training/validation.js'
import { type Accuracy, accuracyOf, CONFIDENT } from '../training/validation.js'
import { renderTrainingView } from '../training/view-source.js'
import type { OnProgress } from '../types.js'
import type { PrepareSettings } from './options.js'
import type { TrainingRecord, Work } from './work.js'

/** Views to learn from: so many before the first step, so many new ones each step, the last {@link POOL} of them kept. */
const FIRST_VIEWS = 160
const FRESH_VIEWS = 2
const POOL = 1200
/** Validation views that are looked at during training; all of them are at its end. */
const INTERIM_VIEWS = 48
/** Validations in a training, of which so many in a row without a better mean error end it. */
const VALIDATIONS = 12
const PATIENCE = 3
/** Time between checkpoints, s: a kill costs no more than that. */
const CHECKPOINT_SECONDS = 15
const WORST_VIEWS = 4

const isSound = (spec: NetworkSpec, checkpoint: Uint8Array | undefined): boolean => {
  if (!checkpoint) return false
  try {
    readCheckpointNote(spec, checkpoint)
    return true
  } catch (error) {
    if (error instanceof ModelError) return false
    throw error
  }
}

/** A tenth of the poses learnt from (paper section 2), within reason. */
export const validationCount = (steps: number): number =>
  Math.round(Math.min(360, Math.max(16, 0.1 * (FIRST_VIEWS + FRESH_VIEWS * steps))))

export interface Retrained {
  readonly parameters: Float32Array
  readonly step: number
  /** Whether time ended it before its steps were done or validation said so. */
  readonly cutShort: boolean
  /** Of N and of N′ on the validation views. */
  readonly before: Accuracy
  readonly after: Accuracy
  readonly landmarks: PatientLandmark[]
  readonly viewWeights?: ViewWeights
  readonly worstViews: PatientManifest['worstViews']
  readonly record: TrainingRecord
}

/**
 * Phase 2c (paper section 2): N′ from N's weights on DRRs of this patient alone, validated on a tenth of the poses, and from its
 * errors there the weights of the landmarks.
 * @throws CancelledError when `signal` aborts (a checkpoint is kept); ModelError when training diverges
 */
export async function retrain(
  ct: Volume,
  landmarks: readonly PatientLandmark[],
  network: Network,
  general: LandmarkDetector,
  detector: Detector,
  isocenter: Vec3,
  o: PrepareSettings,
  work: Work,
  onProgress: OnProgress,
  signal?: AbortSignal
): Promise<Retrained> {
  const { bone, soft } = patientLayers(ct)
  // What has no weight is not learnt either: it is not in these pictures, or not where it is thought to be.
  const points = landmarks.map(l => (l.weight > 0 ? l.point : null))
  const range = o.coverHeight ? coveringHeight(o.range, points, isocenter) : o.range
  const { training, held } = poses(o, range)
  const validation = renderViews(held, detector, { bone, soft }, points, isocenter)
  const interim: ValidationSet = {
    ...validation,
    images: validation.images.slice(0, INTERIM_VIEWS),
    points: validation.points.slice(0, INTERIM_VIEWS)
  }
  const judge = (found: readonly Detection[][]) => {
    // Of the anatomy's own landmarks, which N knows too, so that both can be compared.
    const own = validation.points.map(p => p.subarray(0, 2 * network.spec.landmarks))
    const firsts = found.map(f => f.slice(0, network.spec.landmarks))
    return accuracyOf(firsts, own, detector.size, validation.mmPerPixel)
  }
  const before = judge(await general.detect(validation.images))
  const start = patientNetwork(network, landmarks, o.seed)

  // One that is damaged is as good as none: this retraining begins anew.
  const checkpoint = isSound(start.spec, work.checkpoint) ? work.checkpoint : undefined
  const earlier = checkpoint ? work.training : { curve: [], validationCurve: [], seconds: 0 }
  const started = performance.now()
  const curve = [...earlier.curve]
  const validationCurve = [...earlier.validationCurve]
  const record = (): TrainingRecord => ({
    curve,
    validationCurve,
    seconds: earlier.seconds + (performance.now() - started) / 1000
  })
  const trained: TrainResult = await trainNetwork({
    spec: start.spec,
    source: {
      kind: 'patient',
      seed: o.seed,
      detector,
      range: widened(range, 7 / 6),
      ...(training ? { views: training } : {}),
      bone,
      soft,
      landmarks: points,
      isocenter
    },
    batch: {
      batchSize: 8,
      sigmaPixels: o.sigmaMm / detector.pixel[0],
      seed: o.seed + 1,
      poolSize: POOL,
      firstViews: FIRST_VIEWS,
      freshViews: FRESH_VIEWS,
      augment: o.augment,
      inPlane: o.inPlane,
      adverse: o.adverse,
      photonNoise: o.photonNoise
    },
    steps: o.steps,
    maxSeconds: o.maxSeconds,
    threads: o.threads,
    optimiser: 'adam',
    learningRate: o.learningRate,
    warmUp: 30,
    averageDecay: Math.min(0.998, Math.max(0.5, 1 - 20 / o.steps)),
    parameters: start.parameters,
    seed: o.seed,
    checkpoint,
    validation: interim,
    patience: PATIENCE,
    validateEvery: Math.max(25, Math.round(o.steps / VALIDATIONS)),
    checkpointSeconds: CHECKPOINT_SECONDS,
    signal,
    onStep: s => {
      if (s.step % 10 === 0) curve.push([s.step, s.loss])
      onProgress({
        stage: 'Retraining for this patient',
        fraction: s.progress,
        detail: `loss ${s.loss.toFixed(3)}`
      })
    },
    onValidation: (step, { meanMm }) => {
      if (Number.isFinite(meanMm)) validationCurve.push([step, meanMm])
    },
    onCheckpoint: (_, bytes) => work.saveCheckpoint(bytes, record())
  })
  onProgress({ stage: 'Validating', fraction: 0 })
  const own = await createDetector({ ...start, parameters: trained.parameters }, { threads: o.threads })
  const found = await own.detect(validation.images).finally(() => own.release())
  const after = judge(found)
  const errors = validatedDetections(found, validation, held, detector)
  const triangulated = backProject(
    found,
    held.map(v => ({ detector, cameraFromLps: poseFromView(v, isocenter) })),
    o.backProjection
  )
  const weights = o.weights
    ? viewWeights(errors, landmarks.length, {
        alpha: [range.alpha.from, range.alpha.to],
        gamma: [range.gamma.from, range.gamma.to]
      })
    : null
  return {
    parameters: trained.parameters,
    step: trained.step,
    cutShort: trained.step < o.steps && !trained.stoppedEarly,
    before,
    after,
    landmarks: landmarks.map((l, i) => ({
      ...l,
      ...(l.source === 'surface' ? raysOf(triangulated[i]) : {}),
      validationMm: medianError(errors, i),
      weight: l.weight > 0 ? (weights?.overall[i] ?? 1) : 0
    })),
    ...(weights ? { viewWeights: weights.byView } : {}),
    worstViews: worstViews(errors, found, held, isocenter),
    record: record()
  }
}

/** The network to retrain: N, with maps for the landmarks that it does not know yet. It is of this patient, no longer of the anatomy. */
export function patientNetwork(
  network: Network,
  landmarks: readonly Pick<PatientLandmark, 'name'>[],
  seed: number
): Network {
  const { anatomy: _, ...own } = network
  const spec = { ...network.spec, landmarks: landmarks.length }
  return {
    ...own,
    spec,
    landmarkNames: landmarks.map(l => l.name),
    parameters: transferParameters(network, spec, seed)
  }
}

/** Poses to learn from (none: any of the range) and poses held out. */
export function poses(
  o: Pick<PrepareSettings, 'sampling' | 'seed' | 'steps'>,
  range: ViewGrid
): { training?: View[]; held: View[] } {
  const random: Random = createRandom(o.seed + 77)
  const count = validationCount(o.steps)
  if (o.sampling === 'continuous') return { held: randomViews(range, count, random) }
  const all = random.shuffle(gridViews(range))
  const held = Math.max(1, Math.round(all.length / 10))
  // All of the tenth is kept from training; validating on a part of it saves time.
  return { training: all.slice(held), held: all.slice(0, Math.min(held, count)) }
}

function renderViews(
  views: readonly View[],
  detector: Detector,
  layers: ReturnType<typeof patientLayers>,
  landmarks: readonly (Vec3 | null)[],
  isocenter: Vec3
): ValidationSet {
  const patient = {
    bone: createWasmRenderer(layers.bone),
    soft: createWasmRenderer(layers.soft),
    landmarks,
    isocenter
  }
  const images: Float32Array[] = []
  const points: Float32Array[] = []
  for (const view of views) {
    const shown = renderTrainingView(patient, { detector, cameraFromLps: poseFromView(view, isocenter) })
    images.push(shown.bone.map((b, j) => b + shown.soft[j]))
    points.push(shown.points)
  }
  patient.bone.dispose()
  patient.soft.dispose()
  return { images, points, mmPerPixel: (detector.pixel[0] * PAPER_SOURCE_TO_ISOCENTER) / detector.sdd }
}

interface ViewError {
  readonly index: number
  readonly view: View
  readonly landmark: number
  readonly errorMm: number
}

/** Errors of the landmarks that are in the pictures. */
function validatedDetections(
  found: readonly Detection[][],
  validation: ValidationSet,
  views: readonly View[],
  detector: Detector
): ViewError[] {
  return found.flatMap((detections, index) =>
    detections.flatMap((d, landmark): ViewError[] => {
      const u = validation.points[index][2 * landmark]
      const v = validation.points[index][2 * landmark + 1]
      if (!(u >= 0 && v >= 0 && u <= detector.size[0] - 1 && v <= detector.size[1] - 1)) return []
      const errorMm = Math.hypot(d.u - u, d.v - v) * validation.mmPerPixel
      return [{ index, view: views[index], landmark, errorMm }]
    })
  )
}

/** How well N′'s own rays agree in 3D on a point that N does not know. */
const raysOf = ({ rays, pairs, support, spread }: BackProjectedPoint) => ({
  rays,
  pairs,
  support: Number.isFinite(support) ? support : null,
  spreadMm: Number.isFinite(spread) ? spread : null
})

/** mm at the isocentre; null for a landmark that no view showed. */
function medianError(errors: readonly ViewError[], landmark: number): number | null {
  const own = errors.flatMap(e => (e.landmark === landmark ? [e.errorMm] : [])).sort((a, b) => a - b)
  return own.length > 0 ? own[own.length >> 1] : null
}

function worstViews(
  errors: readonly ViewError[],
  found: readonly Detection[][],
  views: readonly View[],
  isocenter: Vec3
): PatientManifest['worstViews'] {
  return views
    .map((view, index) => {
      const own = errors.filter(e => e.index === index)
      return { view, index, meanMm: own.reduce((s, e) => s + e.errorMm, 0) / own.length }
    })
    .filter(v => Number.isFinite(v.meanMm))
    .sort((a, b) => b.meanMm - a.meanMm)
    .slice(0, WORST_VIEWS)
    .map(({ view, index, meanMm }) => ({
      cameraFromLps: Array.from(poseFromView(view, isocenter)),
      alphaDeg: view.alpha / DEGREE,
      betaDeg: view.beta / DEGREE,
      gammaDeg: view.gamma / DEGREE,
      meanMm,
      found: found[index].map((d): [number, number] | null => (d.confidence > CONFIDENT ? [d.u, d.v] : null))
    }))
}

/**
 * The range with its z wide enough for views centred anywhere between the lowest and the highest landmark: the paper trains on ±15 mm
 * but evaluates, as surgeons look, from the top to the bottom of the pelvis.
 */
function coveringHeight(range: ViewGrid, landmarks: readonly (Vec3 | null)[], isocenter: Vec3): ViewGrid {
  const { from, to } = heightRange(landmarks, isocenter)
  return { ...range, z: { ...range.z, from: Math.min(range.z.from, from), to: Math.max(range.z.to, to) } }
}

/** Wider by a factor about its middle, so that the rim of what is asked for is trained too. */
function widened(grid: ViewGrid, factor: number): ViewGrid {
  return Object.fromEntries(
    VIEW_AXES.map(a => {
      const { from, to, count } = grid[a]
      const half = ((to - from) / 2) * factor
      return [a, { from: (from + to) / 2 - half, to: (from + to) / 2 + half, count }]
    })
  ) as unknown as ViewGrid
}
