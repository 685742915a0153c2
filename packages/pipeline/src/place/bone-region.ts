import { ArgumentError, type Vec3, type Volume, VolumeError } from '@raypose/core'
import { createSampler } from '../population/sampler.js'

export interface BoneRegionOptions {
  /** Opposite corners of a box around the bone, LPS mm. */
  readonly box: { readonly min: Vec3; readonly max: Vec3 }
  /** HU from which a voxel is bone. */
  readonly threshold: number
  /** Points in the bone, LPS mm. */
  readonly seeds: readonly Vec3[]
  /** Points in other bones that touch it: what lies nearer to them is theirs. */
  readonly others?: readonly Vec3[]
}

/** One bone on a grid along LPS. */
export interface BoneRegion {
  readonly size: Vec3
  readonly stepMm: number
  /** LPS mm of the first voxel. */
  readonly origin: Vec3
  /** 1: this bone, cavities included; 2: other bone; 0: neither. */
  readonly labels: Uint8Array
  readonly volumeMm3: number
}

const STEP_MM = 1.5
/** A seed this far from any bone is beside it, mm. */
const SEED_MM = 6
const LEAST_VOLUME_MM3 = 500

/**
 * Cuts a bone out of a CT: voxels above a threshold within a box, shared out between the seeds by the cheapest way to each, where thin
 * passages are dear (a watershed on the depth below the surface; Vincent & Soille, PAMI 1991), so that bones which touch in a joint
 * part there. Cavities are filled.
 * @throws ArgumentError for an empty box or a seed without bone; VolumeError where hardly any bone is the seed's
 */
export function boneRegion(volume: Volume, o: BoneRegionOptions): BoneRegion {
  const { min, max } = o.box
  if (!(max[0] > min[0] && max[1] > min[1] && max[2] > min[2]))
    throw new ArgumentError(
      `The box from ${min.join(', ')} to ${max.join(', ')} holds nothing`,
      'Give the corner with the lesser coordinates first.'
    )
  const size = min.map((x, k) => Math.floor((max[k] - x) / STEP_MM) + 1) as unknown as Vec3
  const [ni, nj, nk] = size
  const value = createSampler(volume)
  const bone = new Uint8Array(ni * nj * nk)
  for (let k = 0, n = 0; k < nk; k++)
    for (let j = 0; j < nj; j++)
      for (let i = 0; i < ni; i++, n++)
        bone[n] = Number(
          value(min[0] + i * STEP_MM, min[1] + j * STEP_MM, min[2] + k * STEP_MM) >= o.threshold
        )
  const at = (what: string) => (p: Vec3) => nearestBone(bone, size, min, p, what, o.threshold)
  const labels = shareOut(
    bone,
    size,
    o.seeds.map(at('The seed')),
    (o.others ?? []).map(at('The point of another bone'))
  )
  fillCavities(labels, size)
  let voxels = 0
  for (const l of labels) if (l === 1) voxels++
  const volumeMm3 = voxels * STEP_MM ** 3
  if (volumeMm3 < LEAST_VOLUME_MM3)
    throw new VolumeError(
      `Only ${volumeMm3.toFixed(0)} mm³ of bone belong to the seeds`,
      'Give seeds well inside the bone, a lower threshold, or points of other bones that lie further off.'
    )
  return { size, stepMm: STEP_MM, origin: min, labels, volumeMm3 }
}

/** Steps to the six neighbours of a voxel and whether they stay in the grid. */
export function neighboursOf([ni, nj, nk]: Vec3): (n: number, visit: (m: number) => void) => void {
  const slice = ni * nj
  return (n, visit) => {
    const i = n % ni
    const j = Math.floor(n / ni) % nj
    const k = Math.floor(n / slice)
    if (i > 0) visit(n - 1)
    if (i < ni - 1) visit(n + 1)
    if (j > 0) visit(n - ni)
    if (j < nj - 1) visit(n + ni)
    if (k > 0) visit(n - slice)
    if (k < nk - 1) visit(n + slice)
  }
}

function nearestBone(
  bone: Uint8Array,
  size: Vec3,
  origin: Vec3,
  p: Vec3,
  what: string,
  threshold: number
): number {
  const reach = Math.round(SEED_MM / STEP_MM)
  const c = p.map((x, k) => Math.round((x - origin[k]) / STEP_MM))
  let best = -1
  let near = Number.POSITIVE_INFINITY
  for (let dk = -reach; dk <= reach; dk++)
    for (let dj = -reach; dj <= reach; dj++)
      for (let di = -reach; di <= reach; di++) {
        const [i, j, k] = [c[0] + di, c[1] + dj, c[2] + dk]
        if (i < 0 || j < 0 || k < 0 || i >= size[0] || j >= size[1] || k >= size[2]) continue
        const n = (k * size[1] + j) * size[0] + i
        const d = di * di + dj * dj + dk * dk
        if (bone[n] && d < near) {
          near = d
          best = n
        }
      }
  if (best < 0)
    throw new ArgumentError(
      `${what}, ${p.join(', ')}, lies in no bone of the box: nothing within ${SEED_MM} mm has ${threshold} HU`,
      'Give a point inside a bone, in LPS mm of the CT, or a lower threshold.'
    )
  return best
}

/** Depth of each bone voxel below the surface, in steps from voxel to voxel (1: at it). */
function depths(bone: Uint8Array, size: Vec3): Uint8Array {
  const each = neighboursOf(size)
  const depth = new Uint8Array(bone.length)
  let front: number[] = []
  for (let n = 0; n < bone.length; n++)
    if (bone[n])
      each(n, m => {
        if (!bone[m] && !depth[n]) {
          depth[n] = 1
          front.push(n)
        }
      })
  for (let d = 2; front.length > 0 && d < 255; d++) {
    const next: number[] = []
    for (const n of front)
      each(n, m => {
        if (bone[m] && !depth[m]) {
          depth[m] = d
          next.push(m)
        }
      })
    front = next
  }
  return depth
}

/** Ways cost 1 / depth² a step; in this many classes a unit, so that a queue of lists orders them. */
const COST = 64

/** 1 where the way from a seed is the cheapest, 2 from one of the others, 0 without bone or way. */
function shareOut(
  bone: Uint8Array,
  size: Vec3,
  seeds: readonly number[],
  others: readonly number[]
): Uint8Array {
  const each = neighboursOf(size)
  const depth = depths(bone, size)
  const labels = new Uint8Array(bone.length)
  const cost = new Float64Array(bone.length).fill(Number.POSITIVE_INFINITY)
  const queue: number[][] = []
  const push = (n: number, c: number, label: number) => {
    if (c >= cost[n]) return
    cost[n] = c
    labels[n] = label
    const list = (queue[Math.floor(c)] ??= [])
    list.push(n)
  }
  for (const n of seeds) push(n, 0, 1)
  for (const n of others) push(n, 0, 2)
  for (let c = 0; c < queue.length; c++) {
    const list = queue[c]
    // Grows while it is gone through: steps deep in a bone cost less than a class.
    for (let q = 0; list && q < list.length; q++) {
      const n = list[q]
      if (Math.floor(cost[n]) === c)
        each(n, m => {
          if (bone[m]) push(m, cost[n] + COST / Math.max(1, depth[m]) ** 2, labels[n])
        })
    }
    delete queue[c]
  }
  return labels
}

/** What the background does not reach from the rim of the grid is inside. */
function fillCavities(labels: Uint8Array, size: Vec3): void {
  const [ni, nj, nk] = size
  const each = neighboursOf(size)
  const outside = new Uint8Array(labels.length)
  const stack: number[] = []
  for (let k = 0, n = 0; k < nk; k++)
    for (let j = 0; j < nj; j++)
      for (let i = 0; i < ni; i++, n++)
        if (
          labels[n] !== 1 &&
          (i === 0 || j === 0 || k === 0 || i === ni - 1 || j === nj - 1 || k === nk - 1)
        ) {
          outside[n] = 1
          stack.push(n)
        }
  for (let n = stack.pop(); n !== undefined; n = stack.pop())
    each(n, m => {
      if (labels[m] !== 1 && !outside[m]) {
        outside[m] = 1
        stack.push(m)
      }
    })
  for (let n = 0; n < labels.length; n++) if (!outside[n]) labels[n] = 1
}
