import { centroid, type Mat3, type Mat4, mulMat3, normalize, sub, type Vec3 } from '../geometry/linear.js'
import { applyRigid, rigid, rotationOf } from '../geometry/rigid.js'
import { symmetricEigen } from './symmetric-eigen.js'

/**
 * The other pose under which points that lie near a plane look nearly the same: the plane tilted the other way against the line of
 * sight (Oberkampf, DeMenthon & Davis 1996). Exact for a plane under weak perspective; a start for a refinement otherwise.
 * @param points LPS mm
 */
export function planarTwin(points: readonly Vec3[], cameraFromLps: Mat4): Mat4 {
  const c = centroid(points)
  const scatter = new Float64Array(9)
  for (const p of points) {
    const d = sub(p, c)
    for (let a = 0; a < 3; a++) for (let b = 0; b < 3; b++) scatter[3 * a + b] += d[a] * d[b]
  }
  // Eigenvalues ascend: the first direction is the plane's normal.
  const { vectors } = symmetricEigen(scatter, 3)
  const inCamera = applyRigid(cameraFromLps, c)
  // Depth mirrored about the line of sight and points mirrored about their plane make a rotation again.
  const r = mulMat3(
    mulMat3(reflection(normalize(inCamera)), rotationOf(cameraFromLps)),
    reflection([vectors[0], vectors[1], vectors[2]])
  )
  return rigid(r, sub(inCamera, applyRigid(rigid(r, [0, 0, 0]), c)))
}

/** The pose with a point (LPS mm) moved along its line of sight by `mm`, away from the source where positive. */
export function depthVariant(cameraFromLps: Mat4, point: Vec3, mm: number): Mat4 {
  const p = applyRigid(cameraFromLps, point)
  const f = mm / Math.hypot(...p)
  const m = [...cameraFromLps]
  for (let k = 0; k < 3; k++) m[4 * k + 3] += f * p[k]
  return m
}

/**
 * The pose of the mirrored picture (columns reversed, see `mirrorDetector`) of a patient mirrored left to right: for a patient who is his own
 * mirror image it shows the same.
 * @param centre a point of the patient's median plane, LPS mm
 */
export function mirroredPose(cameraFromLps: Mat4, centre: Vec3): Mat4 {
  const flip = reflection([1, 0, 0])
  const r = mulMat3(mulMat3(flip, rotationOf(cameraFromLps)), flip)
  const [x, y, z] = applyRigid(cameraFromLps, centre)
  return rigid(r, sub([-x, y, z], applyRigid(rigid(r, [0, 0, 0]), centre)))
}

/** I − 2·n·nᵀ for a unit normal. */
const reflection = (n: Vec3): Mat3 =>
  [0, 1, 2].flatMap(a => [0, 1, 2].map(b => (a === b ? 1 : 0) - 2 * n[a] * n[b]))
