import type { Renderer } from '../drr/renderer.js'
import { ArgumentError, CancelledError, XrayError } from '../errors.js'
import { assertDetector, binnedDetector, type Camera, type Detector } from '../geometry/camera.js'
import { IDENTITY4, type Mat4, mulMat3Vec3, transpose3, type Vec3 } from '../geometry/linear.js'
import { assertRigid, composeRigid, rotationOf } from '../geometry/rigid.js'
import { DEGREE } from '../geometry/rotation.js'
import type { Image } from '../image/image.js'
import type { Correspondences } from '../pose/correspondences.js'
import { binWeighted } from './bin-weighted.js'
import { landmarkModel } from './landmark-term.js'
import { assertUsableXray } from './linearise.js'
import { levenbergMarquardt, type PoseModel, type PoseSolver } from './pose-model.js'
import type { PoseScale } from './pose-variables.js'
import type {
  DifferentiableSimilarity,
  DifferentiableSimilarityFactory
} from './similarity/patch-correlation.js'
import { patchCorrelation } from './similarity/patch-correlation.js'

export type DerivativeRenderer = Required<Pick<Renderer, 'renderWithDerivatives'>>

/** One X-ray of the patient. */
export interface RegistrationView {
  /** Line integrals (see `linearise`). */
  readonly image: Image
  readonly detector: Detector
  /** This camera from the first view's, where the C-arm is tracked or its angles are known. Default: the same camera. */
  readonly cameraFromFirst?: Mat4
  /** How much each pixel counts, none negative: collimation, instruments, what is burnt in. */
  readonly weights?: Image
  /** Landmarks seen in it, which hold the pose at the coarse levels. */
  readonly landmarks?: Correspondences
}

/** One resolution. */
export interface ViewsLevel {
  /** Pixel size to bin to, mm on a detector 1200 mm from the source. */
  readonly pixelMm: number
  /** Default {@link patchCorrelation} of gradients. */
  readonly similarity?: DifferentiableSimilarityFactory
  /** Poses that go on to the next level; default 1. */
  readonly keep?: number
  /** Default 20. */
  readonly maxEvaluations?: number
  readonly maxStep: PoseScale
  readonly precision: PoseScale
  /** What all landmarks missed cost, in units of the similarity; default 0. */
  readonly landmarkWeight?: number
  /** Times that the weights (coverage) are worked out and the pose solved for; default 1. */
  readonly rounds?: number
  /**
   * A similarity is a mean over what can be compared. This share of the X-ray besides, of no similarity, keeps poses that leave next to nothing to compare from being the best;
   * default 0.05. Where many poses are tried, more: the less there is to compare, the further the best of many lies above their mean.
   */
  readonly uncompared?: number
  /** Default: the registration's. */
  readonly renderer?: DerivativeRenderer
}

export interface ViewsRegistration {
  /** One or more X-rays with one pose between them. */
  readonly views: readonly RegistrationView[]
  /** cameraFromLps of the first view to start from: hypotheses, depth variants. */
  readonly starts: readonly Mat4[]
  /** What rotations turn about, LPS mm: the middle of the landmarks. */
  readonly centre: Vec3
  readonly renderer: DerivativeRenderer
  /** Where the CT says what an X-ray shows (see `coverage`); default: everywhere. */
  readonly coverage?: (camera: Camera) => Image
  /** Coarse to fine; default {@link VIEWS_LEVELS}. */
  readonly levels?: readonly ViewsLevel[]
  /** Default {@link levenbergMarquardt}. */
  readonly solver?: PoseSolver
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: { level: number; evaluations: number; similarity: number }) => void
}

export interface ViewsCandidate {
  readonly cameraFromLps: Mat4
  /** Mean similarity of the views, less where little of them can be compared. */
  readonly similarity: number
  /** Of the last evaluation: similarity (negative) and landmarks. */
  readonly model: PoseModel
}

export interface ViewsLevelResult {
  readonly pixelMm: number
  readonly evaluations: number
  /** Best first. */
  readonly candidates: readonly ViewsCandidate[]
}

export interface ViewsResult {
  /** Of the first view. */
  readonly cameraFromLps: Mat4
  /** Of each view. */
  readonly cameras: readonly Mat4[]
  /** At the finest level, at the first start and at the end. */
  readonly similarityBefore: number
  readonly similarityAfter: number
  /** DRRs rendered (with derivatives), all views and levels. */
  readonly renders: number
  readonly levels: readonly ViewsLevelResult[]
}

/**
 * Gradients, patch by patch; patches that do not fit count less.
 * @param patch side, pixels; of a smaller image the largest that fits
 * @param outlier,strong,smoothing see `PatchCorrelationOptions`
 */
export const gradientPatches =
  (patch: number, outlier: number, strong?: number, smoothing?: number): DifferentiableSimilarityFactory =>
  (fixed, options) => {
    const largest = 2 * Math.floor(Math.min(fixed.width, fixed.height) / 2)
    return patchCorrelation(fixed, {
      ...options,
      patch: Math.min(patch, largest),
      outlier,
      strong,
      smoothing
    })
  }

/**
 * The default pyramid, for line integrals of a pelvis. The first level only sorts starts; with two dozen of them
 * (see `scatteredStarts`) it converges from 30 mm, turns and shifts together.
 */
export const VIEWS_LEVELS: readonly ViewsLevel[] = [
  {
    pixelMm: 12.8,
    similarity: gradientPatches(12, 0.7),
    keep: 4,
    maxEvaluations: 8,
    maxStep: { rotation: 6 * DEGREE, inPlane: 15, depth: 50 },
    precision: { rotation: 0.3 * DEGREE, inPlane: 0.5, depth: 3 },
    landmarkWeight: 0.1
  },
  {
    pixelMm: 6.4,
    similarity: gradientPatches(16, 0.5),
    keep: 2,
    maxEvaluations: 14,
    maxStep: { rotation: 5 * DEGREE, inPlane: 10, depth: 40 },
    precision: { rotation: 0.1 * DEGREE, inPlane: 0.2, depth: 1 },
    landmarkWeight: 0.05
  },
  {
    pixelMm: 3.2,
    similarity: gradientPatches(16, 0.3),
    maxEvaluations: 12,
    maxStep: { rotation: 3 * DEGREE, inPlane: 5, depth: 20 },
    precision: { rotation: 0.03 * DEGREE, inPlane: 0.05, depth: 0.3 },
    landmarkWeight: 0.01
  },
  {
    pixelMm: 1.6,
    similarity: gradientPatches(12, 0.3),
    maxEvaluations: 8,
    maxStep: { rotation: 2 * DEGREE, inPlane: 3, depth: 10 },
    precision: { rotation: 0.01 * DEGREE, inPlane: 0.02, depth: 0.1 }
  }
]

/** The source-to-detector distance that levels' pixel sizes are for, mm. */
const LEVEL_SDD = 1200

/** Default of `ViewsLevel.uncompared`. */
const UNCOMPARED = 0.05

/** mm on the detector at which a landmark counts half. */
const LANDMARK_SCALE = 12

/**
 * Fine registration with derivatives: the pose at which the DRRs are most like one or more X-rays, from coarse to fine
 * resolution. All starts are solved for at the coarsest level, where a DRR costs little; the best go on.
 * Views of known relative geometry share one pose: what is weak in one (depth) is strong in another.
 * @throws XrayError for an image that is constant, not finite or of another size than its detector; GeometryError for a bad camera
 * or pose; ArgumentError without a view, start or level; CancelledError through `signal`
 */
export function registerViews(task: ViewsRegistration): ViewsResult {
  const { views, centre, levels = VIEWS_LEVELS, solver = levenbergMarquardt } = task
  assertTask(task, levels)
  const relative = views.map((v, i) =>
    assertRigid(v.cameraFromFirst ?? IDENTITY4, `cameraFromFirst of view ${i}`)
  )
  let candidates: ViewsCandidate[] = task.starts.map((m, i) => ({
    cameraFromLps: assertRigid(m, `start ${i}`),
    similarity: 0,
    model: { cost: 0, gradient: new Float64Array(6), normal: new Float64Array(36) }
  }))
  const results: ViewsLevelResult[] = []
  let renders = 0
  let before = Number.NaN
  for (const [index, level] of levels.entries()) {
    const prepared = views.map(v => prepareView(v, level, task))
    const last = index === levels.length - 1
    let evaluations = 0
    const evaluate = (measures: readonly Measure[], pose: Mat4) => {
      if (task.signal?.aborted) throw new CancelledError()
      const parts = prepared.map((p, i) =>
        inFirstAxes(viewModel(p, measures[i], composeRigid(relative[i], pose), centre, level), relative[i])
      )
      renders += views.length
      evaluations++
      return meanModel(parts)
    }
    const solved = candidates.map(({ cameraFromLps }) => {
      let candidate: ViewsCandidate = { ...candidates[0], cameraFromLps }
      for (let round = 0; round < (level.rounds ?? 1); round++) {
        const measures = prepared.map((p, i) =>
          p.measureAt(composeRigid(relative[i], candidate.cameraFromLps))
        )
        const { model, ...found } = solver({
          start: candidate.cameraFromLps,
          centre,
          model: pose => evaluate(measures, pose),
          maxEvaluations: level.maxEvaluations ?? 20,
          maxStep: level.maxStep,
          precision: level.precision
        })
        candidate = { cameraFromLps: found.cameraFromLps, similarity: -model.cost, model }
      }
      task.onProgress?.({ level: index, evaluations: renders, similarity: candidate.similarity })
      return candidate
    })
    solved.sort((a, b) => b.similarity - a.similarity)
    if (last) {
      const measures = prepared.map((p, i) => p.measureAt(composeRigid(relative[i], task.starts[0])))
      before = -evaluate(measures, task.starts[0]).cost
    }
    results.push({ pixelMm: level.pixelMm, evaluations, candidates: solved })
    candidates = solved.slice(0, level.keep ?? 1)
  }
  const best = results[results.length - 1].candidates[0]
  return {
    cameraFromLps: best.cameraFromLps,
    cameras: relative.map(r => composeRigid(r, best.cameraFromLps)),
    similarityBefore: before,
    similarityAfter: best.similarity,
    renders,
    levels: results
  }
}

interface Measure {
  readonly similarity: DifferentiableSimilarity
  /** What the similarity counts, 0 to 1: see {@link UNCOMPARED}. */
  readonly credit: number
}

interface PreparedView {
  readonly detector: Detector
  readonly renderer: DerivativeRenderer
  readonly landmarks?: Correspondences
  readonly buffer: Float32Array
  /** The similarity with the weights that hold at a pose of this view. */
  measureAt(pose: Mat4): Measure
}

/** A small field keeps so many pixels along its shorter side at every level: fewer tell nothing. */
const LEAST_PIXELS = 10

/**
 * How many pixels of a detector make one of a level.
 * @param pixelMm on a detector 1200 mm from the source
 */
export function levelBinning({ sdd, pixel, size }: Detector, pixelMm: number): number {
  const wanted = Math.round((pixelMm * sdd) / LEVEL_SDD / Math.max(...pixel))
  return Math.max(1, Math.min(wanted, Math.floor(Math.min(...size) / LEAST_PIXELS)))
}

function prepareView(view: RegistrationView, level: ViewsLevel, task: ViewsRegistration): PreparedView {
  const binning = levelBinning(view.detector, level.pixelMm)
  const detector = binnedDetector(view.detector, binning)
  assertDetector(detector)
  const { fixed, weights } = binWeighted(view.image, view.weights, binning)
  const factory = level.similarity ?? ((image, o) => patchCorrelation(image, o))
  return {
    detector,
    renderer: level.renderer ?? task.renderer,
    landmarks: view.landmarks,
    buffer: new Float32Array(7 * fixed.data.length),
    measureAt(cameraFromLps) {
      const covered = task.coverage?.({ detector, cameraFromLps }).data
      const both = covered && weights ? covered.map((c, i) => c * weights[i]) : (covered ?? weights)
      return {
        similarity: factory(fixed, { weights: both }),
        credit:
          covered && both ? creditOf(sum(both) / (weights ? sum(weights) : both.length), level.uncompared) : 1
      }
    }
  }
}

const sum = (x: Float32Array): number => x.reduce((s, v) => s + v, 0)

/** @param share of what the X-ray shows that can be compared, 0 to 1 */
const creditOf = (share: number, uncompared = UNCOMPARED): number =>
  share > 0 ? (share * (1 + uncompared)) / (share + uncompared) : 0

/** Cost of one view at a pose of its own, in its own axes. */
function viewModel(
  view: PreparedView,
  { similarity, credit }: Measure,
  cameraFromLps: Mat4,
  centre: Vec3,
  level: ViewsLevel
): PoseModel {
  const { detector, renderer, landmarks, buffer } = view
  const { value, gradient, normal } = similarity.model(
    renderer.renderWithDerivatives({ detector, cameraFromLps }, centre, buffer)
  )
  const model = {
    cost: -((similarity.nothing ?? 0) * (1 - credit) + credit * value),
    gradient: gradient.map(g => -credit * g),
    normal: normal.map(x => credit * x)
  }
  const weight = level.landmarkWeight ?? 0
  if (!(landmarks && landmarks.points.length > 0 && weight > 0)) return model
  const prior = landmarkModel(landmarks, cameraFromLps, centre, LANDMARK_SCALE)
  return {
    cost: model.cost + weight * prior.cost,
    gradient: model.gradient.map((g, k) => g + weight * prior.gradient[k]),
    normal: model.normal.map((x, k) => x + weight * prior.normal[k])
  }
}

/** From a view's camera axes to the first view's: rotations and shifts are vectors, turned as such. */
function inFirstAxes({ cost, gradient, normal }: PoseModel, cameraFromFirst: Mat4): PoseModel {
  const back = transpose3(rotationOf(cameraFromFirst))
  const turn = (v: Float64Array): number[] => [
    ...mulMat3Vec3(back, [v[0], v[1], v[2]]),
    ...mulMat3Vec3(back, [v[3], v[4], v[5]])
  ]
  // Rows, then columns.
  const half = new Float64Array(36)
  for (let r = 0; r < 6; r++) half.set(turn(normal.subarray(6 * r, 6 * r + 6)), 6 * r)
  const turned = new Float64Array(36)
  for (let c = 0; c < 6; c++)
    turn(Float64Array.from({ length: 6 }, (_, r) => half[6 * r + c])).forEach((x, r) => {
      turned[6 * r + c] = x
    })
  return { cost, gradient: Float64Array.from(turn(gradient)), normal: turned }
}

function meanModel(models: readonly PoseModel[]): PoseModel {
  if (models.length === 1) return models[0]
  const n = models.length
  const mean = (of: (m: PoseModel) => Float64Array) =>
    of(models[0]).map((_, k) => models.reduce((s, m) => s + of(m)[k], 0) / n)
  return {
    cost: models.reduce((s, m) => s + m.cost, 0) / n,
    gradient: mean(m => m.gradient),
    normal: mean(m => m.normal)
  }
}

function assertTask({ views, starts }: ViewsRegistration, levels: readonly ViewsLevel[]): void {
  if (views.length === 0 || starts.length === 0 || levels.length === 0)
    throw new ArgumentError(
      `A registration was asked for of ${views.length} views, from ${starts.length} starts, on ${levels.length} levels`,
      'Give at least one of each.'
    )
  views.forEach(({ image, detector, weights }, i) => {
    assertDetector(detector)
    assertUsableXray(image)
    if (image.width !== detector.size[0] || image.height !== detector.size[1])
      throw new XrayError(
        `X-ray ${i} has ${image.width} × ${image.height} pixels, its detector ${detector.size.join(' × ')}`,
        'Give the geometry that belongs to this image.'
      )
    if (weights && (weights.width !== image.width || weights.height !== image.height))
      throw new ArgumentError(
        `The weights of X-ray ${i} are ${weights.width} × ${weights.height} pixels, the image ${image.width} × ${image.height}`,
        'Give one weight for each pixel of the X-ray.'
      )
  })
}
