import { distance, type Vec3 } from '../geometry/linear.js'
import { indexToLps, lpsToIndex, type Volume } from '../volume/volume.js'
import { BONE_LABELS, type BoneLabels } from './femur-labels.js'
import type { HipJoint } from './hip-joints.js'

/** HU of muscle: what is left where a bone is taken out. */
const FLESH_HU = 50
/** HU from which a voxel is bone for certain: above contrast-free flesh and the rims that it shares with bone. */
const BONE_HU = 150
/** Heads turn in place, and their edges in the sockets with them: within so much of the head's radius, mm, they stay. */
const HEAD_MARGIN_MM = 1
/** Less bone than this is none, mm³: an anatomy without bone, or HU that are not. */
const LEAST_BONE = 5000

/**
 * The CT with flesh where its femurs are, but for their heads, which turn in place: what does not move against the pelvis when a leg does.
 * @param ct HU
 * @param labels bones of the CT, on any grid along LPS
 * @param joints the hips of these femurs
 */
export function withoutFemurs(
  ct: Volume<Int16Array>,
  labels: BoneLabels,
  joints: readonly HipJoint[]
): Volume<Int16Array> {
  const loose = looseFemurs(labels, joints)
  if (!loose) return ct
  const { cells, from, to } = loose
  const { size, spacing, origin } = labels
  const data = ct.data.slice()
  const [ni, nj] = ct.size
  const corners = [0, 1, 2, 3, 4, 5, 6, 7].map(c =>
    lpsToIndex(ct, [0, 1, 2].map(a => ((c >> a) & 1 ? to[a] : from[a])) as unknown as Vec3)
  )
  const first = [0, 1, 2].map(a => Math.max(0, Math.floor(Math.min(...corners.map(p => p[a])))))
  const last = [0, 1, 2].map(a => Math.min(ct.size[a] - 1, Math.ceil(Math.max(...corners.map(p => p[a])))))
  // Index of the CT → index of the labels, affine along each row.
  const step = [0, 1, 2].map(r => (ct.direction[3 * r] * ct.spacing[0]) / spacing)
  for (let k = first[2]; k <= last[2]; k++)
    for (let j = first[1]; j <= last[1]; j++) {
      const start = indexToLps(ct, [first[0], j, k]).map((x, r) => (x - origin[r]) / spacing)
      for (let i = first[0], o = (k * nj + j) * ni + i; i <= last[0]; i++, o++) {
        const n = i - first[0]
        const x = Math.round(start[0] + n * step[0])
        const y = Math.round(start[1] + n * step[1])
        const z = Math.round(start[2] + n * step[2])
        if (x < 0 || y < 0 || z < 0 || x >= size[0] || y >= size[1] || z >= size[2]) continue
        if (cells[(z * size[1] + y) * size[0] + x]) data[o] = FLESH_HU
      }
    }
  return { ...ct, data }
}

/** Cells of femurs beyond their heads and the rims about them, with the box that they fill, LPS mm; null where there are none. */
function looseFemurs(
  { data, size, spacing, origin }: BoneLabels,
  joints: readonly HipJoint[]
): { readonly cells: Uint8Array; readonly from: number[]; readonly to: number[] } | null {
  const [ni, nj, nk] = size
  const cells = new Uint8Array(data.length)
  const from = [0, 1, 2].map(() => Number.POSITIVE_INFINITY)
  const to = [0, 1, 2].map(() => Number.NEGATIVE_INFINITY)
  const beyondHeads = (p: Vec3) =>
    joints.every(({ centre, radius }) => distance(p, centre) > radius + HEAD_MARGIN_MM)
  for (let k = 0, o = 0; k < nk; k++)
    for (let j = 0; j < nj; j++)
      for (let i = 0; i < ni; i++, o++) {
        const label = data[o]
        if (label !== BONE_LABELS.leftFemur && label !== BONE_LABELS.rightFemur) continue
        // A voxel at the rim is partly bone: what touches a femur and is no other bone goes with it.
        for (let c = Math.max(0, k - 1); c <= Math.min(nk - 1, k + 1); c++)
          for (let b = Math.max(0, j - 1); b <= Math.min(nj - 1, j + 1); b++)
            for (let a = Math.max(0, i - 1); a <= Math.min(ni - 1, i + 1); a++) {
              const q = (c * nj + b) * ni + a
              if (cells[q] || (data[q] !== label && data[q] !== BONE_LABELS.none)) continue
              const p: Vec3 = [origin[0] + a * spacing, origin[1] + b * spacing, origin[2] + c * spacing]
              if (!beyondHeads(p)) continue
              cells[q] = 1
              for (let r = 0; r < 3; r++) {
                from[r] = Math.min(from[r], p[r] - spacing)
                to[r] = Math.max(to[r], p[r] + spacing)
              }
            }
      }
  return from[0] <= to[0] ? { cells, from, to } : null
}

/**
 * What bones add to the flesh that is about them, in HU, so that a DRR shows edges of bone and of nothing else: flesh of a patient who lies otherwise than in the CT has its own elsewhere.
 * @param ct HU
 * @returns the CT itself where it has hardly any bone
 */
export function bonesAlone(ct: Volume<Int16Array>): Volume<Int16Array> {
  const data = new Int16Array(ct.data.length).fill(-1000)
  let count = 0
  for (let o = 0; o < data.length; o++) {
    const hu = ct.data[o]
    if (hu < BONE_HU) continue
    data[o] = hu - FLESH_HU - 1000
    count++
  }
  const [dx, dy, dz] = ct.spacing
  return count * dx * dy * dz < LEAST_BONE ? ct : { ...ct, data }
}
