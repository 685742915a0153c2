import {
  binImage,
  cmaEsInBox,
  DEGREE,
  type Detector,
  defaultLevels,
  type Image,
  type IntensityRegistration,
  type Mat4,
  type RegistrationLevel,
  registerIntensity,
  registerViews,
  type Vec3,
  VIEWS_LEVELS,
  type ViewsLevel
} from '@raypose/core'
import { workingDetector } from '../register/refine.js'
import type { RefinementVolume } from '../register/refinement-volume.js'
import { type DifferentiableName, differentiable } from './differentiable.js'
import type { IntensityMethod } from './schema.js'

type Level = NonNullable<IntensityMethod['levels']>[number]

/** An X-ray with the pose to start from: the only one, whatever the optimiser. */
export interface IntensityStart {
  /** Line integrals, bone bright. */
  readonly image: Image
  readonly detector: Detector
  readonly start: Mat4
  /** What rotations turn about, LPS mm. */
  readonly centre: Vec3
}

/** Draws that CMA-ES may take at the coarsest level, unless the protocol says so itself: a hundred generations in six variables. */
const CMA_EVALUATIONS = 900

/**
 * Registers an X-ray by one optimiser and one similarity, from the start alone, so that nothing else differs between methods.
 *
 * `bobyqa`: the paper's (section 2.4). `cma-es`: CMA-ES at the coarsest level, then BOBYQA, as xreg has it (Grupp et al., IEEE TBME
 * 2020); on all levels it would take minutes. `gauss-newton`: with the renderer's derivatives, on the similarity's least-squares form.
 * @returns cameraFromLps
 * @throws as `registerIntensity` and `registerViews`
 */
export function registerByIntensity(
  ct: RefinementVolume,
  { image, detector: given, start, centre }: IntensityStart,
  { optimiser, similarity, levels }: IntensityMethod
): Mat4 {
  const { factor, detector } = workingDetector(given)
  const binned = factor > 1 ? binImage(image, factor) : image
  if (optimiser === 'gauss-newton')
    return registerViews({
      views: [{ image: binned, detector }],
      starts: [start],
      centre,
      renderer: ct.levelled,
      levels: derivativeLevels(detector, similarity, levels)
    }).cameraFromLps
  const task = { image: binned, detector, start, centre, renderer: ct.renderer, similarity }
  const pyramid = levels?.map(l => plainLevel(l, detector.pixel[0])) ?? defaultLevels(detector, similarity)
  return optimiser === 'bobyqa'
    ? registerIntensity({ ...task, levels: pyramid }).cameraFromLps
    : coarselyByCmaEs(task, pyramid)
}

function coarselyByCmaEs(
  task: IntensityRegistration,
  [coarsest, ...rest]: readonly RegistrationLevel[]
): Mat4 {
  const found = registerIntensity({
    ...task,
    optimiser: cmaEsInBox,
    levels: [{ ...coarsest, maxEvaluations: coarsest.maxEvaluations ?? CMA_EVALUATIONS }]
  }).cameraFromLps
  return rest.length === 0 ? found : registerIntensity({ ...task, start: found, levels: rest }).cameraFromLps
}

const plainLevel = (l: Level, pixelMm: number): RegistrationLevel => ({
  binning: Math.max(1, Math.round(l.pixelMm / pixelMm)),
  bounds: { rotation: l.rotationDeg * DEGREE, inPlane: l.inPlaneMm, depth: l.depthMm },
  supersampling: l.supersampling,
  rhoBegin: l.rhoBegin,
  rhoEnd: l.rhoEnd,
  maxEvaluations: l.maxEvaluations,
  similarity: l.similarity
})

/** The default pyramid of derivatives, or a given one: its bounds are the longest steps, its `rhoEnd` the precision. */
function derivativeLevels(
  detector: Detector,
  similarity: IntensityMethod['similarity'],
  levels: IntensityMethod['levels']
): ViewsLevel[] {
  const measure = (name: IntensityMethod['similarity'] = similarity) =>
    // The schema lets no other through.
    differentiable((name ?? 'pgncc') as DifferentiableName)
  if (!levels)
    return VIEWS_LEVELS.map(({ pixelMm, maxEvaluations, maxStep, precision }) => ({
      pixelMm,
      maxEvaluations,
      maxStep,
      precision,
      similarity: measure()
    }))
  return levels.map(l => {
    const maxStep = { rotation: l.rotationDeg * DEGREE, inPlane: l.inPlaneMm, depth: l.depthMm }
    const share = l.rhoEnd ?? 0.01
    return {
      // Pixels of these levels are those of a detector at 1200 mm.
      pixelMm: (l.pixelMm * 1200) / detector.sdd,
      maxEvaluations: l.maxEvaluations,
      maxStep,
      precision: {
        rotation: share * maxStep.rotation,
        inPlane: share * maxStep.inPlane,
        depth: share * maxStep.depth
      },
      similarity: measure(l.similarity)
    }
  })
}
