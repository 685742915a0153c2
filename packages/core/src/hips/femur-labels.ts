import { dot, IDENTITY3, sub, type Vec3 } from '../geometry/linear.js'
import { floodFrom, rimOf } from '../image/flood.js'
import type { GridBox } from '../phantom/surface.js'
import { resampleVolume } from '../volume/resample.js'
import { indexToLps, type Volume } from '../volume/volume.js'
import type { HipJoint } from './hip-joints.js'

/** What a voxel belongs to. */
export const BONE_LABELS = { none: 0, fixed: 1, leftFemur: 2, rightFemur: 3 } as const

/** Bones of a CT on a grid along LPS: those of {@link BONE_LABELS}; i fastest. */
export interface BoneLabels extends GridBox {
  readonly data: Uint8Array
}

/** HU from which a voxel is bone here: the rims of thin cortex too. */
const BONE_HU = 130
/** Bone this dense costs nothing extra to grow through; what is less dense ever more. */
const DENSE_HU = 400
/** Pieces smaller than this are noise, contrast or vessels, mm³: they go with the flesh. */
const LEAST_PIECE = 1500
/** The socket leaves the head open towards the neck: within this angle of it. */
const OPEN_COS = Math.cos((55 * Math.PI) / 180)
/** Joint space beyond the head's surface, mm. */
const GAP_MM = 2
/** How far from the head's surface bone on the far side is certainly the socket's, mm. */
const SOCKET_MM = 14

/**
 * Tells the femurs of a CT from its other bones: bone that is reached from within the head, out through the open side of the socket, more
 * easily than from the socket's bone (region growing in competition, denser bone first).
 * @param ct HU
 * @param joints from `findHipJoints`
 * @param spacing of the labels' grid, mm
 */
export function labelBones(ct: Volume, joints: readonly HipJoint[], spacing = 2): BoneLabels {
  const corners = Array.from({ length: 8 }, (_, c) =>
    indexToLps(ct, [0, 1, 2].map(a => ((c >> a) & 1 ? ct.size[a] - 1 : 0)) as unknown as Vec3)
  )
  const origin = [0, 1, 2].map(k => Math.min(...corners.map(p => p[k]))) as unknown as Vec3
  const size = [0, 1, 2].map(
    k => Math.floor((Math.max(...corners.map(p => p[k])) - origin[k]) / spacing) + 1
  ) as unknown as Vec3
  const { data: hu } = resampleVolume(ct, { spacing, origin, size, direction: IDENTITY3 })
  const grid = { origin, size, spacing }
  const data = new Uint8Array(hu.length)
  for (let o = 0; o < hu.length; o++) if (hu[o] >= BONE_HU) data[o] = BONE_LABELS.fixed
  for (const joint of joints) growFemur(hu, data, grid, joint)
  dropPieces(data, size, Math.ceil(LEAST_PIECE / spacing ** 3))
  for (const { side } of joints)
    fillSlices(data, size, side === 'left' ? BONE_LABELS.leftFemur : BONE_LABELS.rightFemur)
  return { ...grid, data }
}

/** Marks one femur among the bone. */
function growFemur(hu: Int16Array, data: Uint8Array, grid: GridBox, joint: HipJoint): void {
  const { size, spacing, origin } = grid
  const [ni, nj, nk] = size
  const femur = joint.side === 'left' ? BONE_LABELS.leftFemur : BONE_LABELS.rightFemur
  const { centre, radius, neck } = joint
  const owner = new Uint8Array(data.length)
  const blocked = new Uint8Array(data.length)
  const reach = radius + SOCKET_MM
  const seeds: number[] = []
  const range = [0, 1, 2].map(k => [
    Math.max(0, Math.floor((centre[k] - reach - origin[k]) / spacing)),
    Math.min(size[k] - 1, Math.ceil((centre[k] + reach - origin[k]) / spacing))
  ])
  for (let k = range[2][0]; k <= range[2][1]; k++)
    for (let j = range[1][0]; j <= range[1][1]; j++)
      for (let i = range[0][0]; i <= range[0][1]; i++) {
        const o = (k * nj + j) * ni + i
        const d = sub([origin[0] + i * spacing, origin[1] + j * spacing, origin[2] + k * spacing], centre)
        const far = Math.hypot(...d)
        if (far > reach) continue
        const open = far > 0 ? dot(d, neck) / far : 1
        if (far <= radius) {
          // The head is the femur's whatever its density.
          owner[o] = femur
          seeds.push(o)
        } else if (far <= radius + GAP_MM && open < OPEN_COS) blocked[o] = 1
        else if (open < 0 && data[o] === BONE_LABELS.fixed) {
          owner[o] = BONE_LABELS.fixed
          seeds.push(o)
        }
      }
  const steps = [-1, 1, -ni, ni, -ni * nj, ni * nj]
  // Bucket queue: costs are whole numbers, none above MOST_COST.
  const buckets: number[][] = Array.from({ length: MOST_COST + 1 }, () => [])
  buckets[0] = seeds
  let waiting = seeds.length
  for (let at = 0; waiting > 0; at = (at + 1) % buckets.length) {
    const bucket = buckets[at]
    while (bucket.length > 0) {
      const o = bucket.pop() as number
      waiting--
      const i = o % ni
      const j = Math.floor(o / ni) % nj
      const k = Math.floor(o / (ni * nj))
      for (let s = 0; s < 6; s++) {
        if ((s === 0 && i === 0) || (s === 1 && i === ni - 1)) continue
        if ((s === 2 && j === 0) || (s === 3 && j === nj - 1)) continue
        if ((s === 4 && k === 0) || (s === 5 && k === nk - 1)) continue
        const p = o + steps[s]
        // A step costs what the voxel stepped on costs: who touches it first reaches it at the least cost.
        if (owner[p] || blocked[p] || data[p] !== BONE_LABELS.fixed) continue
        owner[p] = owner[o]
        buckets[(at + stepCost(hu[p])) % buckets.length].push(p)
        waiting++
      }
    }
  }
  for (let o = 0; o < data.length; o++) if (owner[o] === femur) data[o] = femur
}

const MOST_COST = 20
const stepCost = (hu: number) => Math.min(MOST_COST, 1 + Math.round(Math.max(0, (DENSE_HU - hu) / 60) ** 2))

/** Pieces of fixed bone with fewer voxels become flesh. */
function dropPieces(data: Uint8Array, [ni, nj, nk]: Vec3, least: number): void {
  const seen = new Uint8Array(data.length)
  const slice = ni * nj
  for (let first = 0; first < data.length; first++) {
    if (seen[first] || data[first] !== BONE_LABELS.fixed) continue
    const piece = [first]
    seen[first] = 1
    for (let at = 0; at < piece.length; at++) {
      const o = piece[at]
      const i = o % ni
      const j = Math.floor(o / ni) % nj
      const k = Math.floor(o / slice)
      const visit = (p: number) => {
        if (seen[p] || data[p] !== BONE_LABELS.fixed) return
        seen[p] = 1
        piece.push(p)
      }
      if (i > 0) visit(o - 1)
      if (i < ni - 1) visit(o + 1)
      if (j > 0) visit(o - ni)
      if (j < nj - 1) visit(o + ni)
      if (k > 0) visit(o - slice)
      if (k < nk - 1) visit(o + slice)
    }
    if (piece.length < least) for (const o of piece) data[o] = BONE_LABELS.none
  }
}

/** Gives a bone its marrow: what its outline encloses in a slice. */
function fillSlices(data: Uint8Array, [ni, nj, nk]: Vec3, label: number): void {
  const slice = ni * nj
  const free = new Uint8Array(slice)
  for (let k = 0; k < nk; k++) {
    const part = data.subarray(k * slice, (k + 1) * slice)
    if (!part.includes(label)) continue
    for (let o = 0; o < slice; o++) free[o] = Number(part[o] !== label)
    const outside = floodFrom(free, ni, rimOf(ni, nj))
    for (let o = 0; o < slice; o++) if (!outside[o]) part[o] = label
  }
}
