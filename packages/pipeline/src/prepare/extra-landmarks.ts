import {
  BONE_LABELS,
  type BoneLabels,
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
const REACH_MM = 35
/** They stand so far from the landmarks and from each other, mm: they are to help where there are few. */
const APART_MM = 18
/** One candidate in each cube of this edge, mm. */
const THIN_MM = 3

/**
 * Points of this patient's bone, beside the anatomy's own landmarks, that N′ can learn because they stand out in most views: the more points
 * a view shows, the better its depth is known, and at the ends of a pelvis there are few landmarks.
 * @param bones where femurs are told from the pelvis: they will lie otherwise when the X-ray is taken
 * @returns entries for the manifest, LPS mm; they stand for nothing that another patient has
 */
export function extraLandmarks(
  volume: Volume,
  prepared: PreparedVolume,
  landmarks: readonly PatientLandmark[],
  detector: Detector,
  isocenter: Vec3,
  o: PrepareSettings,
  bones?: BoneLabels
): PatientLandmark[] {
  if (o.extraLandmarks === 0) return []
  const known = landmarks.filter(l => l.weight > 0).map(l => l.point as Vec3)
  const candidates = surfaceNear(boneSurface(volume, { window: o.boneWindow as BoneWindow }), known, p =>
    moves(p, bones)
  )
  const cameras = gridViews(o.views).map(v => cameraAt(detector, v, isocenter))
  const renderer = createWasmRenderer(prepared)
  const images = cameras.map(camera => renderer.render(camera))
  renderer.dispose()
  return distinctPoints(candidates, images, cameras, {
    count: o.extraLandmarks,
    minDistanceMm: APART_MM,
    apart: known
  }).map(
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
function surfaceNear(
  surface: Float32Array,
  landmarks: readonly Vec3[],
  leftOut: (p: Vec3) => boolean
): number[] {
  const cells = pointCells(Float32Array.from(landmarks.flat()), REACH_MM)
  const taken = new Set<string>()
  const out: number[] = []
  for (let i = 0; i < surface.length; i += 3) {
    const p: Vec3 = [surface[i], surface[i + 1], surface[i + 2]]
    const cube = p.map(x => Math.floor(x / THIN_MM)).join()
    if (taken.has(cube) || !nearestPoint(cells, p, REACH_MM) || leftOut(p)) continue
    taken.add(cube)
    out.push(...p)
  }
  return out
}

/** Whether a point is of a bone that moves against the landmarks': a voxel of it, or next to one. */
function moves(p: Vec3, bones: BoneLabels | undefined): boolean {
  if (!bones) return false
  const { origin, spacing, size, data } = bones
  const at = p.map((x, k) => Math.round((x - origin[k]) / spacing))
  for (let dz = -1; dz <= 1; dz++)
    for (let dy = -1; dy <= 1; dy++)
      for (let dx = -1; dx <= 1; dx++) {
        const [i, j, k] = [at[0] + dx, at[1] + dy, at[2] + dz]
        if (i < 0 || j < 0 || k < 0 || i >= size[0] || j >= size[1] || k >= size[2]) continue
        const label = data[(k * size[1] + j) * size[0] + i]
        if (label === BONE_LABELS.leftFemur || label === BONE_LABELS.rightFemur) return true
      }
  return false
}
