import {
  composeRigid,
  type Mat4,
  mirrorDetector,
  mirroredPose,
  mirrorImage,
  type RegistrationView,
  registerViews,
  type Vec3,
  VIEWS_LEVELS
} from '@raypose/core'
import { coveredBy, type RefinementVolume } from '../refinement-volume.js'
import { type FitLevel, levelFit } from './level-fit.js'

const FLIP: Mat4 = [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]

/** Coarse steps that the mirror image gets to find its own best pose. */
const LEVELS = VIEWS_LEVELS.slice(0, 2).map(level => ({
  ...level,
  keep: 1,
  maxEvaluations: 8,
  landmarkWeight: 0
}))

/**
 * How well the mirrored pictures fit, at the pose that a pelvis which is its own mirror image would have. Of the right patient they fit
 * clearly worse than the pictures, of a picture stored the wrong way round better, and of somebody else about as (badly) as they do.
 */
export function mirrorSimilarity(
  ct: RefinementVolume,
  views: readonly RegistrationView[],
  cameraFromLps: Mat4,
  centre: Vec3,
  level: FitLevel
): number {
  const mirrored = views.map(
    (v): RegistrationView => ({
      image: mirrorImage(v.image),
      detector: mirrorDetector(v.detector),
      weights: v.weights && mirrorImage(v.weights),
      cameraFromFirst: v.cameraFromFirst && conjugate(v.cameraFromFirst)
    })
  )
  const { cameras } = registerViews({
    views: mirrored,
    starts: [mirroredPose(cameraFromLps, centre)],
    centre,
    renderer: ct.levelled,
    coverage: camera => coveredBy(ct, camera),
    levels: LEVELS
  })
  const fits = mirrored.map((v, i) => levelFit(ct, v, cameras[i], centre, level))
  return fits.reduce((s, f) => s + f.similarity, 0) / fits.length
}

/** The relative pose of mirrored cameras. */
const conjugate = (m: Mat4): Mat4 => composeRigid(composeRigid(FLIP, m), FLIP)
