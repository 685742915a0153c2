import type { Renderer } from '../drr/renderer.js'
import { ArgumentError, CancelledError, XrayError } from '../errors.js'
import { assertDetector, binnedDetector, type Detector } from '../geometry/camera.js'
import type { Mat4, Vec3 } from '../geometry/linear.js'
import { assertRigid } from '../geometry/rigid.js'
import { DEGREE } from '../geometry/rotation.js'
import type { Image } from '../image/image.js'
import { binWeighted } from './bin-weighted.js'
import { type Bobyqa, bobyqa } from './bobyqa/bobyqa.js'
import { cmaEs } from './cma-es.js'
import { assertUsableXray } from './linearise.js'
import { type PoseScale, type PoseVariables, rigidPoseVariables } from './pose-variables.js'
import { gradientNcc } from './similarity/gradient-ncc.js'
import { localNcc } from './similarity/local-ncc.js'
import { mutualInformation } from './similarity/mutual-information.js'
import { ncc } from './similarity/ncc.js'
import { patchCorrelation } from './similarity/patch-correlation.js'
import type { Similarity, SimilarityFactory } from './similarity/similarity.js'
import { supersampled } from './supersampling.js'

/** A similarity by name, or one's own. */
export type SimilarityChoice = SimilarityByName | SimilarityFactory

/** `pgncc`: gradient NCC in patches; `mi`: mutual information. */
export type SimilarityByName = 'ncc' | 'lncc' | 'gncc' | 'pgncc' | 'mi'

/** Minimises within [−1, 1]ⁿ from a start; yields batches of points, takes values (see `bobyqa`). */
export type PoseOptimiser = (problem: {
  readonly start: Float64Array
  readonly rhoBegin: number
  readonly rhoEnd: number
  readonly maxEvaluations: number
}) => Bobyqa

/** One resolution of the pyramid. */
export interface RegistrationLevel {
  /** Pixels of the X-ray averaged together, along each axis. */
  readonly binning: number
  /** Rays averaged per pixel, along each axis (see `supersampled`); default 1. */
  readonly supersampling?: number
  /** How far each variable may go from where the level starts; also the unit of the two radii below. */
  readonly bounds: PoseScale
  /** First step as a share of the bounds; default 0.3. */
  readonly rhoBegin?: number
  /** Precision as a share of the bounds; default 0.01. */
  readonly rhoEnd?: number
  /** Default 120. */
  readonly maxEvaluations?: number
  /** Default: the registration's. */
  readonly similarity?: SimilarityChoice
  /** Default: the registration's. Coarse levels lose nothing with a coarser volume, and are faster. */
  readonly renderer?: Pick<Renderer, 'render'>
}

export interface IntensityRegistration {
  /** Line integrals (see `linearise`). */
  readonly image: Image
  readonly detector: Detector
  /** cameraFromLps to start from. */
  readonly start: Mat4
  /** Other starts (hypotheses, depth variants): each is refined at the first level, the best goes on. */
  readonly otherStarts?: readonly Mat4[]
  /** What rotations turn about, LPS mm: the landmarks' or the volume's centre. */
  readonly centre: Vec3
  /** Draws the DRRs: any backend, or one's own function. */
  readonly renderer: Pick<Renderer, 'render'>
  /** Default: local NCC on the coarse levels, whose optimum is wide, then gradient NCC, whose optimum is sharp. */
  readonly similarity?: SimilarityChoice
  /** How much each pixel counts, none negative: instruments, collimation and what the CT does not show can be left out. */
  readonly weights?: Image
  /** Coarse to fine; default `defaultLevels(detector)`. */
  readonly levels?: readonly RegistrationLevel[]
  /** Default BOBYQA. */
  readonly optimiser?: PoseOptimiser
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: { level: number; evaluations: number; similarity: number }) => void
}

export interface LevelResult {
  readonly binning: number
  readonly similarityBefore: number
  readonly similarityAfter: number
  readonly evaluations: number
  readonly cameraFromLps: Mat4
}

export interface RegistrationResult {
  readonly cameraFromLps: Mat4
  /** At the finest level's resolution and similarity. */
  readonly similarityBefore: number
  readonly similarityAfter: number
  /** DRRs rendered, all levels. */
  readonly evaluations: number
  readonly levels: readonly LevelResult[]
}

/** Pixel sizes of the default pyramid, mm on the detector, and what is left to find at each. */
const DEFAULT_PYRAMID: readonly (Omit<RegistrationLevel, 'binning'> & { pixelMm: number })[] = [
  {
    pixelMm: 6.4,
    bounds: { rotation: 12 * DEGREE, inPlane: 25, depth: 80 },
    rhoEnd: 0.05,
    similarity: 'lncc'
  },
  { pixelMm: 6.4, bounds: { rotation: 6 * DEGREE, inPlane: 8, depth: 30 }, rhoEnd: 0.01, similarity: 'lncc' },
  {
    pixelMm: 3.2,
    bounds: { rotation: 2.5 * DEGREE, inPlane: 3, depth: 15 },
    rhoEnd: 0.03,
    similarity: 'gncc'
  },
  { pixelMm: 1.6, bounds: { rotation: DEGREE, inPlane: 1, depth: 6 }, rhoEnd: 0.02, similarity: 'gncc' }
]

/**
 * The default pyramid for a detector: the finest level has pixels of about 1.6 mm, as in the paper. It converges from 10°, 20 mm
 * and 60 mm in depth.
 * @param similarity the same on all levels; default: one that suits each
 */
export const defaultLevels = (detector: Detector, similarity?: SimilarityChoice): RegistrationLevel[] =>
  DEFAULT_PYRAMID.map(({ pixelMm, ...level }) => {
    const binning = Math.max(1, Math.round(pixelMm / Math.max(detector.pixel[0], detector.pixel[1])))
    return {
      ...level,
      similarity: similarity ?? level.similarity,
      binning,
      supersampling: pixelMm > 1.6 ? 2 : 1
    }
  })

/** Similarities by name. */
export const SIMILARITIES: Readonly<Record<SimilarityByName, SimilarityFactory>> = {
  ncc,
  lncc: localNcc,
  gncc: gradientNcc,
  pgncc: patchCorrelation,
  mi: mutualInformation
}

/**
 * How unlike the X-ray the DRR is at variables x: what optimisers minimise. The seam of the registration: renderer ×
 * similarity × pose variables, each replaceable.
 */
export function registrationObjective(
  renderer: Pick<Renderer, 'render'>,
  detector: Detector,
  similarity: Similarity,
  variables: PoseVariables
): (x: ArrayLike<number>) => number {
  const buffer = new Float32Array(detector.size[0] * detector.size[1])
  return x => -similarity(renderer.render({ detector, cameraFromLps: variables.poseAt(x) }, buffer))
}

/**
 * Fine registration (section 2.4 of the paper): the pose near a start at which the DRR is most like the X-ray, from coarse to
 * fine resolution, within bounds that shrink.
 * @throws XrayError for an image that is constant, not finite or of another size than the detector; GeometryError for a bad
 * camera; ArgumentError for bad levels; CancelledError through `signal`
 */
export function registerIntensity(task: IntensityRegistration): RegistrationResult {
  const { image, detector, centre, optimiser = bobyqaInBox } = task
  assertDetector(detector)
  assertUsableXray(image)
  if (image.width !== detector.size[0] || image.height !== detector.size[1])
    throw new XrayError(
      `The X-ray has ${image.width} × ${image.height} pixels, its detector ${detector.size.join(' × ')}`,
      'Give the geometry that belongs to this image.'
    )
  if (task.weights && (task.weights.width !== image.width || task.weights.height !== image.height))
    throw new ArgumentError(
      `The weights are ${task.weights.width} × ${task.weights.height} pixels, the X-ray ${image.width} × ${image.height}`,
      'Give one weight for each pixel of the X-ray.'
    )
  const starts = [task.start, ...(task.otherStarts ?? [])].map((m, i) => assertRigid(m, `start ${i}`))
  const levels = task.levels ?? defaultLevels(detector, task.similarity)
  if (levels.length === 0)
    throw new ArgumentError(
      'The registration has no level',
      'Give at least one level, or none at all for the default.'
    )
  const results: LevelResult[] = []
  let evaluations = 0
  let candidates = starts
  for (const [index, level] of levels.entries()) {
    const { coarse, measure, renderer } = prepareLevel(task, level)
    const runs = candidates.map(start => {
      const variables = rigidPoseVariables(start, centre, level.bounds)
      const objective = registrationObjective(renderer, coarse, measure, variables)
      const run = runLevel(optimiser, level, objective, (count, best) => {
        if (task.signal?.aborted) throw new CancelledError()
        task.onProgress?.({ level: index, evaluations: evaluations + count, similarity: best })
      })
      evaluations += run.evaluations
      return { ...run, binning: level.binning, cameraFromLps: variables.poseAt(run.x) }
    })
    const best = runs.reduce((a, b) => (b.similarityAfter > a.similarityAfter ? b : a))
    const { binning, similarityBefore, similarityAfter, cameraFromLps } = best
    results.push({
      binning,
      similarityBefore,
      similarityAfter,
      cameraFromLps,
      evaluations: runs.reduce((s, r) => s + r.evaluations, 0)
    })
    candidates = [cameraFromLps]
  }
  const { coarse, measure, renderer } = prepareLevel(task, levels[levels.length - 1])
  return {
    cameraFromLps: results[results.length - 1].cameraFromLps,
    similarityBefore: measure(renderer.render({ detector: coarse, cameraFromLps: task.start })),
    similarityAfter: results[results.length - 1].similarityAfter,
    evaluations: evaluations + 1,
    levels: results
  }
}

function prepareLevel(task: IntensityRegistration, level: RegistrationLevel) {
  const { binning, supersampling = 1 } = level
  if (![binning, supersampling].every(x => Number.isInteger(x) && x >= 1))
    throw new ArgumentError(
      `A level bins ${binning} pixels and averages ${supersampling} rays`,
      'Give whole numbers, 1 or more.'
    )
  const coarse = binnedDetector(task.detector, binning)
  assertDetector(coarse)
  const choice = level.similarity ?? task.similarity ?? 'gncc'
  const factory = typeof choice === 'string' ? SIMILARITIES[choice] : choice
  const { fixed, weights } = binWeighted(task.image, task.weights, binning)
  return {
    coarse,
    measure: factory(fixed, { weights }),
    renderer: supersampled(level.renderer ?? task.renderer, supersampling)
  }
}

/** Powell's BOBYQA within [−1, 1]ⁿ. */
export const bobyqaInBox: PoseOptimiser = ({ start, ...rest }) =>
  bobyqa({ start, lower: start.map(() => -1), upper: start.map(() => 1), ...rest })

/** CMA-ES within [−1, 1]ⁿ, for a start that is hopeless: wants several thousand evaluations. */
export const cmaEsInBox: PoseOptimiser = ({ start, rhoBegin, rhoEnd, maxEvaluations }) =>
  cmaEs({
    start,
    sigma: rhoBegin,
    precision: rhoEnd,
    maxEvaluations,
    lower: start.map(() => -1),
    upper: start.map(() => 1)
  })

/** Drives the optimiser over one level's objective. */
function runLevel(
  optimiser: PoseOptimiser,
  level: RegistrationLevel,
  objective: (x: ArrayLike<number>) => number,
  afterEach: (evaluations: number, similarity: number) => void
): { x: Float64Array; similarityBefore: number; similarityAfter: number; evaluations: number } {
  const { rhoBegin = 0.3, rhoEnd = 0.01, maxEvaluations = 120 } = level
  const run = optimiser({ start: new Float64Array(6), rhoBegin, rhoEnd, maxEvaluations })
  let first: number | undefined
  let best = Number.POSITIVE_INFINITY
  let evaluations = 0
  let asked = run.next()
  while (!asked.done) {
    const told = asked.value.map(x => {
      const value = objective(x)
      evaluations++
      first ??= value
      best = Math.min(best, value)
      afterEach(evaluations, -best)
      return value
    })
    asked = run.next(told)
  }
  const { x, value } = asked.value
  return { x, similarityBefore: -(first ?? value), similarityAfter: -value, evaluations }
}
