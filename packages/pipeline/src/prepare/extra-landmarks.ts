import {
  type BoneWindow,
  boneSurface,
  createWasmRenderer,
  type Detector,
  distinctPoints,
  gridViews,
  nearestPoint,
  type PreparedVolume,
  pointCells,
  type Vec3,
  type Volume
} from '@raypose/core'
import type { PatientLandmark } from '../patient/manifest.js'
import { cameraAt } from './locate.js'
import type { PrepareSettings } from './options.js'

/** Extra points lie so near to a landmark that they belong to the same bone, mm. */
const REACH_MM = 25
/** One candidate in each cube of this edge, mm. */
const THIN_MM = 3

/**
 * Points of this patient's bone, beside the anatomy's own landmarks, that N′ can learn because they stand out in most views: the more points
 * a view shows, the better its depth is known, and at the ends of a pelvis there are few landmarks.
 * @returns entries for the manifest, LPS mm; they stand for nothing that another patient has
 */
export function extraLandmarks(
  volume: Volume,
  prepared: PreparedVolume,
  landmarks: readonly PatientLandmark[],
  detector: Detector,
  isocenter: Vec3,
  o: PrepareSettings
): PatientLandmark[] {
  if (o.extraLandmarks === 0) return []
  const known = landmarks.filter(l => l.weight > 0).map(l => l.point as Vec3)
  const candidates = surfaceNear(boneSurface(volume, { window: o.boneWindow as BoneWindow }), known)
  const cameras = gridViews(o.views).map(v => cameraAt(detector, v, isocenter))
  const renderer = createWasmRenderer(prepared)
  const images = cameras.map(camera => renderer.render(camera))
  renderer.dispose()
  return distinctPoints(candidates, images, cameras, { count: o.extraLandmarks, apart: known }).map(
    ({ point }, i): PatientLandmark => ({
      name: `surface point ${i + 1}`,
      point: [point[0], point[1], point[2]],
      source: 'surface',
      inside: true,
      rays: 0,
      pairs: 0,
      support: null,
      spreadMm: null,
      surfaceDistanceMm: 0,
      priorResidualMm: null,
      validationMm: null,
      weight: 1
    })
  )
}

/** Points of a surface within reach of the landmarks, thinned. */
function surfaceNear(surface: Float32Array, landmarks: readonly Vec3[]): number[] {
  const cells = pointCells(Float32Array.from(landmarks.flat()), REACH_MM)
  const taken = new Set<string>()
  const out: number[] = []
  for (let i = 0; i < surface.length; i += 3) {
    const p: Vec3 = [surface[i], surface[i + 1], surface[i + 2]]
    const cube = p.map(x => Math.floor(x / THIN_MM)).join()
    if (taken.has(cube) || !nearestPoint(cells, p, REACH_MM)) continue
    taken.add(cube)
    out.push(...p)
  }
  return out
}
