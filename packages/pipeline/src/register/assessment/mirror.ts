import {
  type Camera,
  composeRigid,
  type Mat4,
  mirrorDetector,
  mirroredPose,
  mirrorImage,
  type RegistrationView,
  registerViews,
  type Vec3
} from '@raypose/core'
import { coveredBy, type RefinementVolume } from '../refinement-volume.js'
import { TOLD_BY } from '../wide-search.js'

const FLIP: Mat4 = [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]

/**
 * How much better pictures fit than their mirror images do, at the pose that a pelvis which is its own mirror image would have and where a few steps lead from there. Clearly better where they are of the right
 * patient, worse where they are stored the wrong way round. In small patches, as searches tell poses: a pelvis is its own mirror image but for what fine edges show.
 */
export function overMirror(
  ct: RefinementVolume,
  views: readonly RegistrationView[],
  cameraFromLps: Mat4,
  centre: Vec3
): number {
  const fit = (pictures: readonly RegistrationView[], start: Mat4) =>
    registerViews({
      views: pictures,
      starts: [start],
      centre,
      renderer: ct.still,
      coverage: (camera: Camera) => coveredBy(ct, camera),
      levels: TOLD_BY
    }).similarityAfter
  const own = views.map(v => ({ ...v, landmarks: undefined }))
  return fit(own, cameraFromLps) - fit(views.map(mirrored), mirroredPose(cameraFromLps, centre))
}

const mirrored = (v: RegistrationView): RegistrationView => ({
  image: mirrorImage(v.image),
  detector: mirrorDetector(v.detector),
  weights: v.weights && mirrorImage(v.weights),
  cameraFromFirst: v.cameraFromFirst && conjugate(v.cameraFromFirst)
})

/** The relative pose of mirrored cameras. */
const conjugate = (m: Mat4): Mat4 => composeRigid(composeRigid(FLIP, m), FLIP)
