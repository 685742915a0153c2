import type { Renderer } from '../drr/renderer.js'
import { ArgumentError, CancelledError, XrayError } from '../errors.js'
import { assertDetector, binnedDetector, type Detector } from '../geometry/camera.js'
import type { Mat4, Vec3 } from '../geometry/linear.js'
import { assertRigid } from '../geometry/rigid.js'
import { DEGREE } from '../geometry/rotation.js'
import { binImage, type Image } from '../image/image.js'
import { type Bobyqa, bobyqa } from './bobyqa/bobyqa.js'
import { assertUsableXray } from './linearise.js'
import { type PoseScale, type PoseVariables, rigidPoseVariables } from './pose-variables.js'
import { gradientNcc } from './similarity/gradient-ncc.js'
import { localNcc } from './similarity/local-ncc.js'
import { ncc } from './similarity/ncc.js'
import type { Similarity, SimilarityFactory } from './similarity/similarity.js'

/** A similarity by name, or one's own. */
export type SimilarityChoice = 'ncc' | 'lncc' | 'gncc' | SimilarityFactory

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
  /** Default 'gncc'. */
  readonly similarity?: SimilarityChoice
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
  { pixelMm: 6.4, bounds: { rotation: 8 * DEGREE, inPlane: 15, depth: 45 }, rhoBegin: 0.3, rhoEnd: 0.03 },
  { pixelMm: 3.2, bounds: { rotation: 2.5 * DEGREE, inPlane: 3, depth: 15 }, rhoBegin: 0.3, rhoEnd: 0.03 },
  { pixelMm: 1.6, bounds: { rotation: 1 * DEGREE, inPlane: 1, depth: 6 }, rhoBegin: 0.3, rhoEnd: 0.02 }
]

/** The default pyramid for a detector: the finest level has pixels of about 1.6 mm, as in the paper. */
export const defaultLevels = (detector: Detector): RegistrationLevel[] =>
  DEFAULT_PYRAMID.map(({ pixelMm, ...level }) => ({
    ...level,
    binning: Math.max(1, Math.round(pixelMm / Math.max(detector.pixel[0], detector.pixel[1])))
  }))

/** Similarities by name. */
export const SIMILARITIES: Readonly<Record<'ncc' | 'lncc' | 'gncc', SimilarityFactory>> = {
  ncc,
  lncc: localNcc,
  gncc: gradientNcc
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
  const { image, detector, centre, renderer, similarity = 'gncc', optimiser = bobyqaInBox } = task
  assertDetector(detector)
  assertUsableXray(image)
  if (image.width !== detector.size[0] || image.height !== detector.size[1])
    throw new XrayError(
      `The X-ray has ${image.width} × ${image.height} pixels, its detector ${detector.size.join(' × ')}`,
      'Give the geometry that belongs to this image.'
    )
  const starts = [task.start, ...(task.otherStarts ?? [])].map((m, i) => assertRigid(m, `start ${i}`))
  const levels = task.levels ?? defaultLevels(detector)
  if (levels.length === 0)
    throw new ArgumentError(
      'The registration has no level',
      'Give at least one level, or none at all for the default.'
    )
  const results: LevelResult[] = []
  let evaluations = 0
  let candidates = starts
  for (const [index, level] of levels.entries()) {
    const coarse = binnedDetector(detector, level.binning)
    assertDetector(coarse)
    const measure = similarityFor(level.similarity ?? similarity, binImage(image, level.binning))
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
  const last = levels[levels.length - 1]
  const finest = binnedDetector(detector, last.binning)
  const measure = similarityFor(last.similarity ?? similarity, binImage(image, last.binning))
  return {
    cameraFromLps: results[results.length - 1].cameraFromLps,
    similarityBefore: measure(renderer.render({ detector: finest, cameraFromLps: task.start })),
    similarityAfter: results[results.length - 1].similarityAfter,
    evaluations: evaluations + 1,
    levels: results
  }
}

const similarityFor = (choice: SimilarityChoice, fixed: Image): Similarity =>
  typeof choice === 'string' ? SIMILARITIES[choice](fixed) : choice(fixed)

/** Powell's BOBYQA within [−1, 1]ⁿ. */
export const bobyqaInBox: PoseOptimiser = ({ start, ...rest }) =>
  bobyqa({ start, lower: start.map(() => -1), upper: start.map(() => 1), ...rest })

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
