import { scale, transpose3, type Vec3 } from '../geometry/linear.js'
import { logSO3 } from '../geometry/rotation.js'
import type { Volume } from '../volume/volume.js'
import { displaced } from './displaced.js'
import { distanceTransform } from './distance-transform.js'
import { BONE_LABELS, type BoneLabels, labelBones } from './femur-labels.js'
import { type FemurTurns, femurRotation } from './femur-turn.js'
import { findHipJoints, type HipJoint } from './hip-joints.js'

/** A CT whose bones are told apart, so that its femurs can be moved, again and again. */
export interface MovableFemurs {
  /** Hips whose heads the CT shows whole; only these move. */
  readonly joints: readonly HipJoint[]
  readonly labels: BoneLabels
  /** From each point of the labels' grid to where the moved CT has its value from, mm in LPS: x, y, z a point. */
  field(turns: FemurTurns): Float32Array
  /** The CT with its femurs turned, on the same grid. */
  move(turns: FemurTurns): Volume<Int16Array>
}

/** Distance from a femur at which its flesh no longer follows it, mm. */
const FLESH_MM = 150
/** Within this of the head's surface the socket's bone is told exactly; away from it ever more of a margin about bone stays with it. */
const JOINT_MM = 6
const MARGIN_MM = 4

/**
 * Prepares a CT for other positions of its femurs. Each turns rigidly about the centre of its head; pelvis, spine and all other bone stay;
 * flesh between follows, ever less the nearer to bone that stays and the further from the femur, by a part of the same turn, which leaves
 * each point at its distance from the joint: so joint spaces slide, and nothing tears or folds.
 *
 * The field maps back, from the moved CT to the given one: R(−w·turn) about the joint, w = d/(d + f) · (1 − f/150 mm), d the distance to
 * bone that stays, f to the femur where it comes to lie. What enters from beyond the CT repeats its last voxels.
 * @param ct HU
 * @param points landmarks in the order of `PELVIS_LANDMARKS`, LPS mm; null where unknown
 */
export function movableFemurs(ct: Volume, points: readonly (Vec3 | null)[]): MovableFemurs {
  const joints = findHipJoints(ct, points)
  const labels = labelBones(ct, joints)
  const { data, size, spacing } = labels
  const distanceTo = (label: number) => {
    const d = distanceTransform(
      data.map(x => (x === label ? 1 : 0)),
      size
    )
    for (let o = 0; o < d.length; o++) d[o] *= spacing
    return d
  }
  const fixed = distanceTo(BONE_LABELS.fixed)
  const bones = joints.map(joint => ({
    joint,
    distance: distanceTo(joint.side === 'left' ? BONE_LABELS.leftFemur : BONE_LABELS.rightFemur)
  }))
  const field = (turns: FemurTurns) => displacement(labels, fixed, bones, turns)
  return {
    joints,
    labels,
    field,
    move: turns => displaced(ct, labels, field(turns))
  }
}

interface FemurDistance {
  readonly joint: HipJoint
  readonly distance: Float32Array
}

function displacement(
  grid: BoneLabels,
  fixed: Float32Array,
  bones: readonly FemurDistance[],
  turns: FemurTurns
): Float32Array {
  const { size, spacing, origin } = grid
  const [ni, nj, nk] = size
  const out = new Float32Array(3 * ni * nj * nk)
  const moving = bones.map(({ joint, distance }) => {
    const back = transpose3(femurRotation(turns[joint.side], joint.side))
    const turn = logSO3(back)
    const angle = Math.hypot(...turn)
    return { joint, distance, back, angle, axis: scale(turn, angle > 0 ? 1 / angle : 0) }
  })
  const near = new Float64Array(moving.length)
  for (let k = 0, o = 0; k < nk; k++)
    for (let j = 0; j < nj; j++)
      for (let i = 0; i < ni; i++, o++) {
        const px = origin[0] + i * spacing
        const py = origin[1] + j * spacing
        const pz = origin[2] + k * spacing
        for (let m = 0; m < moving.length; m++) {
          const { joint, distance, back } = moving[m]
          const c = joint.centre
          const x = px - c[0]
          const y = py - c[1]
          const z = pz - c[2]
          near[m] = trilinear(
            distance,
            size,
            (c[0] + back[0] * x + back[1] * y + back[2] * z - origin[0]) / spacing,
            (c[1] + back[3] * x + back[4] * y + back[5] * z - origin[1]) / spacing,
            (c[2] + back[6] * x + back[7] * y + back[8] * z - origin[2]) / spacing
          )
        }
        for (let m = 0; m < moving.length; m++) {
          if (near[m] >= FLESH_MM) continue
          const { joint, axis: n, angle } = moving[m]
          const { centre: c, radius } = joint
          const x = px - c[0]
          const y = py - c[1]
          const z = pz - c[2]
          const beyond = Math.sqrt(x * x + y * y + z * z) - radius
          // Away from the joint a margin keeps interpolation from moving the surface of bone that stays, and its marrow still.
          const margin = Math.max(0, Math.min(MARGIN_MM, (beyond - JOINT_MM) / 2))
          let stays = Math.max(0, fixed[o] - margin)
          for (let q = 0; q < moving.length; q++) if (q !== m) stays = Math.min(stays, near[q])
          if (stays === 0) continue
          const w = (stays / (stays + near[m])) * (1 - near[m] / FLESH_MM)
          // Rodrigues: the turn by w of its angle.
          const sin = Math.sin(w * angle)
          const versine = 1 - Math.cos(w * angle)
          const along = n[0] * x + n[1] * y + n[2] * z
          out[3 * o] += sin * (n[1] * z - n[2] * y) + versine * (n[0] * along - x)
          out[3 * o + 1] += sin * (n[2] * x - n[0] * z) + versine * (n[1] * along - y)
          out[3 * o + 2] += sin * (n[0] * y - n[1] * x) + versine * (n[2] * along - z)
        }
      }
  return out
}

/** Value of a grid at a fractional index, that of the nearest point outside it. */
function trilinear(f: Float32Array, [ni, nj, nk]: Vec3, x: number, y: number, z: number): number {
  const a = Math.max(0, Math.min(ni - 1.001, x))
  const b = Math.max(0, Math.min(nj - 1.001, y))
  const c = Math.max(0, Math.min(nk - 1.001, z))
  const [i, j, k] = [a | 0, b | 0, c | 0]
  const [fx, fy, fz] = [a - i, b - j, c - k]
  const o = (k * nj + j) * ni + i
  const u = o + ni * nj
  const e = f[o] + fx * (f[o + 1] - f[o])
  const g = f[o + ni] + fx * (f[o + ni + 1] - f[o + ni])
  const h = f[u] + fx * (f[u + 1] - f[u])
  const l = f[u + ni] + fx * (f[u + ni + 1] - f[u + ni])
  const eg = e + fy * (g - e)
  return eg + fz * (h + fy * (l - h) - eg)
}
