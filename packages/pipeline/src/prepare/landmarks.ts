import {
  type Anatomy,
  type BoneWindow,
  boneSurface,
  CONFUSION_DEFAULTS,
  createWasmRenderer,
  type Detection,
  type Detector,
  findConfusions,
  fitShapePrior,
  gridViews,
  nearestPoint,
  PoseError,
  type PreparedVolume,
  pointCells,
  type RefinedLandmark,
  refineDetections,
  refineLandmarks,
  type Vec3,
  type Volume
} from '@raypose/core'
import { type Detector as LandmarkDetector, mirrorDetector } from '@raypose/network'
import type { PatientLandmark } from '../patient/manifest.js'
import type { OnProgress } from '../types.js'
import { isInside } from './intake.js'
import { anatomyScale, cameraAt } from './locate.js'
import type { PrepareSettings } from './options.js'

/** Least share of landmarks that must agree with the shape prior for a patient to be prepared. */
const LEAST_LANDMARKS = 8 / 23
/** Agreement with the prior where the recipe does not gate by it, mm (of an anatomy as large as a pelvis). */
const AGREE_MM = 20
/** Least probability that a refined detection lies within 5 mm of its landmark: below it says what others say already. */
const REFINED_CONFIDENCE = 0.5

/**
 * Phases 2a and 2b (paper section 2): N on the K views, rays back-projected and merged, moved to the bone's surface. A landmark whose
 * rays do not agree, which was taken for another, or which lies where the anatomy never has it, is placed by the shape prior and then moved to
 * the surface; one that lies beyond the scan gets no weight.
 * @param check called between views; throws to stop
 * @throws VolumeError without bone in the window; PoseError if too few landmarks agree
 */
export async function patientLandmarks(
  volume: Volume,
  prepared: PreparedVolume,
  network: LandmarkDetector,
  detector: Detector,
  anatomy: Anatomy,
  isocenter: Vec3,
  o: PrepareSettings,
  onProgress?: OnProgress,
  check: () => void = () => {}
): Promise<PatientLandmark[]> {
  const views = gridViews(o.views)
  const cameras = views.map(v => cameraAt(detector, v, isocenter))
  const renderer = createWasmRenderer(prepared)
  const eye = o.refineDetections && anatomy.mirror ? mirrorDetector(network, anatomy.mirror) : network
  const detections: Detection[][] = []
  try {
    for (const [i, camera] of cameras.entries()) {
      check()
      onProgress?.({ stage: `Detecting landmarks in ${cameras.length} views`, fraction: i / cameras.length })
      const [found] = await eye.detect([renderer.render(camera).data])
      detections.push(o.refineDetections ? [...refineDetections(anatomy.prior, found, detector)] : found)
    }
  } finally {
    renderer.dispose()
  }
  onProgress?.({ stage: 'Back-projecting landmarks onto the bone', fraction: 0 })
  const surface = pointCells(boneSurface(volume, { window: o.boneWindow as BoneWindow }))
  const found = refineLandmarks(detections, cameras, surface, {
    backProjection: o.refineDetections
      ? { minConfidence: REFINED_CONFIDENCE, ...o.backProjection }
      : o.backProjection
  })
  const points = found.map(l => l.point)
  const scale = anatomyScale(anatomy.prior)
  const agreeMm = AGREE_MM * scale
  const fit = fitShapePrior(
    anatomy.prior,
    points,
    found.map(l => Math.max(0.05, l.rays.support || 0))
  )
  // Points that lie to each other as landmarks of the anatomy do: anything else gives points too, but not such ones.
  const agreeing = fit
    ? fit.residuals.filter((r, i) => r <= agreeMm && isInside(volume, fit.landmarks[i])).length
    : 0
  if (!fit || agreeing < Math.round(LEAST_LANDMARKS * found.length))
    throw new PoseError(
      `Only ${agreeing} of ${found.length} landmarks were found in 3D where a ${anatomy.name} has them, within the scan`,
      `Check that the CT holds a whole ${anatomy.name}; give its centre with --isocenter, or a better model with --model.`
    )
  const mixedUp = new Map(
    o.findConfusions
      ? findConfusions(anatomy, points, fit.landmarks, {
          gateMm: CONFUSION_DEFAULTS.gateMm * scale
        }).map(c => [c.landmark, c.reason])
      : []
  )
  const name = (i: number) => anatomy.landmarkNames[i]
  return found.map((l, i) => {
    const residual = fit.residuals[i]
    const far = l.point !== null && residual > o.priorGateMm * scale
    const inside = isInside(volume, fit.landmarks[i])
    const reason =
      l.point === null
        ? (l.reason ?? 'its rays do not agree')
        : (mixedUp.get(i) ??
          (far ? `${residual.toFixed(0)} mm from where the shape prior has it` : undefined))
    if (l.point && !reason)
      return entry(name(i), l, l.point, residual, 'rays', inside || isInside(volume, l.point))
    const near = inside ? nearestPoint(surface, fit.landmarks[i], agreeMm) : null
    const placed = entry(name(i), l, near?.point ?? fit.landmarks[i], residual, 'prior', inside, reason)
    return o.fillFromPrior ? placed : { ...placed, weight: 0 }
  })
}

function entry(
  name: string,
  l: RefinedLandmark,
  point: Vec3,
  residual: number,
  source: 'rays' | 'prior',
  inside: boolean,
  reason?: string
): PatientLandmark {
  const known = (x: number) => (Number.isFinite(x) ? x : null)
  const why = [reason, inside ? null : 'it lies beyond the scan'].filter(Boolean).join('; ')
  return {
    name,
    point: [point[0], point[1], point[2]],
    source,
    ...(why ? { reason: why } : {}),
    inside,
    rays: l.rays.rays,
    pairs: l.rays.pairs,
    support: known(l.rays.support),
    spreadMm: known(l.rays.spread),
    surfaceDistanceMm: known(l.surfaceDistance),
    priorResidualMm: known(residual),
    validationMm: null,
    weight: inside ? 1 : 0
  }
}
