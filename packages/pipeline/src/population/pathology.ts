import {
  add,
  applyRigid,
  expSO3,
  IDENTITY3,
  invertRigid,
  lpsToIndex,
  normalize,
  type Random,
  rigid,
  scale,
  sub,
  surfaceDistance,
  type Vec3,
  type Volume,
  VolumeError
} from '@raypose/core'
import { shapeNormals } from './ct-fit.js'
import { neighbours } from './elastic-fit.js'
import { createSampler } from './sampler.js'
import type { BonePart, Shape, SurfaceModel } from './surface-model.js'

/** HU of blood and muscle in a gap that a fragment leaves. */
const GAP_HU = 50

export interface FractureRecord {
  readonly bone: string
  /** Share of the bone's vertices in the fragment. */
  readonly share: number
  readonly shiftMm: number
  readonly turnDeg: number
}

/**
 * Breaks a bone along a plane and displaces the smaller fragment; soft tissue fills the gap. In place.
 * @param ct axes along LPS, isotropic
 * @returns the shape with the fragment's vertices moved (landmarks on it move along), or null where no plane gave a fragment
 */
export function breakBone(
  model: Pick<SurfaceModel, 'bones'>,
  ct: Volume<Int16Array>,
  shape: Shape,
  random: Random
): { shape: Shape; record: FractureRecord } | null {
  const spacing = alongLps(ct)
  const bone = model.bones[random.integer(model.bones.length)]
  const cut = chooseFragment(bone, shape, random)
  if (!cut) return null
  const { normal, offset, members, centre } = cut
  const shiftMm = random.uniform(1.5, 12)
  const turnDeg = random.uniform(0, 9)
  const turn = expSO3(scale(direction(random), (turnDeg * Math.PI) / 180))
  const moved = add(centre, scale(direction(random), shiftMm))
  const fromOrigin = rigid(turn, sub(moved, applyRigid(rigid(turn, [0, 0, 0]), centre)))
  const back = invertRigid(fromOrigin)

  const part = shape.subarray(bone.start * 3, (bone.start + bone.count) * 3)
  const low = [0, 1, 2].map(k => Math.floor((least(part, k) - 26 - ct.origin[k]) / spacing))
  const high = [0, 1, 2].map(k => Math.ceil((-least(part, k, -1) + 26 - ct.origin[k]) / spacing))
  const size = low.map((x, k) => high[k] - x + 1) as unknown as Vec3
  const origin = low.map((x, k) => ct.origin[k] + x * spacing) as unknown as Vec3
  const distance = surfaceDistance({ vertices: part.slice(), faces: bone.faces }, { origin, size, spacing })
  const inFragment = (p: Vec3): boolean => {
    if (normal[0] * p[0] + normal[1] * p[1] + normal[2] * p[2] < offset) return false
    const at = [0, 1, 2].map(k => Math.round((p[k] - origin[k]) / spacing))
    if (at.some((x, k) => x < 0 || x >= size[k])) return false
    return distance[(at[2] * size[1] + at[1]) * size[0] + at[0]] < 0.8
  }
  const before = createSampler({ ...ct, data: ct.data.slice() })
  const [ni, nj, nk] = ct.size
  for (let k = Math.max(0, low[2]); k <= Math.min(nk - 1, high[2]); k++)
    for (let j = Math.max(0, low[1]); j <= Math.min(nj - 1, high[1]); j++)
      for (let i = Math.max(0, low[0]); i <= Math.min(ni - 1, high[0]); i++) {
        const p: Vec3 = [ct.origin[0] + i * spacing, ct.origin[1] + j * spacing, ct.origin[2] + k * spacing]
        const q = applyRigid(back, p)
        const o = (k * nj + j) * ni + i
        if (inFragment(q)) {
          const hu = before(...q)
          if (Number.isFinite(hu)) ct.data[o] = Math.round(hu)
        } else if (inFragment(p)) ct.data[o] = Math.round(GAP_HU + 15 * random.normal())
      }
  const out = shape.slice()
  for (const v of members) out.set(applyRigid(fromOrigin, at(shape, v)), v * 3)
  return { shape: out, record: { bone: bone.name, share: members.length / bone.count, shiftMm, turnDeg } }
}

/** A plane that cuts off one connected piece of 4 to 45 % of the bone. */
function chooseFragment(bone: BonePart, shape: Shape, random: Random) {
  const mesh = neighbours(bone.faces, bone.count)
  for (let attempt = 0; attempt < 40; attempt++) {
    const normal = direction(random)
    const through = at(shape, bone.start + random.integer(bone.count))
    const offset = normal[0] * through[0] + normal[1] * through[1] + normal[2] * through[2]
    const side = Uint8Array.from({ length: bone.count }, (_, v) => {
      const p = at(shape, bone.start + v)
      return normal[0] * p[0] + normal[1] * p[1] + normal[2] * p[2] >= offset ? 1 : 0
    })
    const count = side.reduce((s, x) => s + x, 0)
    if (count < 0.04 * bone.count || count > 0.45 * bone.count) continue
    const first = side.indexOf(1)
    const reached = new Uint8Array(bone.count)
    const stack = [first]
    reached[first] = 1
    let connected = 0
    while (stack.length > 0) {
      const v = stack.pop()!
      connected++
      for (let e = mesh.first[v]; e < mesh.first[v + 1]; e++) {
        const w = mesh.list[e]
        if (side[w] && !reached[w]) {
          reached[w] = 1
          stack.push(w)
        }
      }
    }
    // A few vertices of a torn mesh may be out of reach.
    if (connected < 0.97 * count) continue
    const members = Array.from(side.keys())
      .filter(v => side[v])
      .map(v => bone.start + v)
    const centre = scale(
      members.reduce<Vec3>((s, v) => add(s, at(shape, v)), [0, 0, 0]),
      1 / members.length
    )
    return { normal, offset, members, centre }
  }
  return null
}

/** Adds bony outgrowths of a few millimetres around one place of one bone. In place. */
export function addOsteophytes(
  model: Pick<SurfaceModel, 'bones'>,
  ct: Volume<Int16Array>,
  shape: Shape,
  random: Random
): { bone: string; count: number } {
  const bone = model.bones[random.integer(model.bones.length)]
  const normals = shapeNormals(model, shape)
  const centre = at(shape, bone.start + random.integer(bone.count))
  const near = Array.from({ length: bone.count }, (_, v) => bone.start + v).filter(
    v => Math.hypot(...sub(at(shape, v), centre)) < 18
  )
  const count = 2 + random.integer(7)
  for (let i = 0; i < count; i++) {
    const v = near[random.integer(near.length)]
    const radius = random.uniform(1.5, 4.5)
    const middle = add(at(shape, v), scale(at(normals, v), 0.4 * radius))
    paintCapsule(ct, middle, middle, radius, radius, random.uniform(350, 900))
  }
  return { bone: bone.name, count }
}

/** HU of implants as a CT shows them: titanium to steel. */
const METAL_HU = [3000, 9000] as const

/** Screws into the bones, some of them with a plate along the surface. In place. */
export function addScrews(
  model: Pick<SurfaceModel, 'bones'>,
  ct: Volume<Int16Array>,
  shape: Shape,
  random: Random
): { screws: number; plates: number } {
  const normals = shapeNormals(model, shape)
  const hu = random.uniform(...METAL_HU)
  const all = shape.length / 3
  const plates = random.chance(0.3) ? 1 : 0
  const entries: number[] = []
  if (plates) {
    const bone = model.bones[random.integer(model.bones.length)]
    let v = bone.start + random.integer(bone.count)
    const along = direction(random)
    const thick = random.uniform(1.2, 2.2)
    for (let hole = 0; hole < 3 + random.integer(5); hole++) {
      entries.push(v)
      const next = nearestVertex(shape, bone, add(at(shape, v), scale(along, random.uniform(11, 15))))
      const lift = (w: number) => add(at(shape, w), scale(at(normals, w), thick))
      paintCapsule(ct, lift(v), lift(next), thick, thick, hu)
      if (next === v) break
      v = next
    }
  }
  const loose = plates ? random.integer(2) : 1 + random.integer(4)
  for (let i = 0; i < loose; i++) entries.push(random.integer(all))
  for (const v of entries) {
    const inward = normalize(add(scale(at(normals, v), -1), scale(direction(random), 0.5)))
    const radius = random.uniform(1.4, 3.7)
    const length = random.uniform(20, plates ? 50 : 120)
    const head = add(at(shape, v), scale(inward, -random.uniform(0, 4)))
    paintCapsule(ct, head, add(head, scale(inward, length)), radius, radius, hu)
    paintCapsule(ct, head, add(head, scale(inward, 2)), radius * 1.7, radius * 1.7, hu)
  }
  return { screws: entries.length, plates }
}

function nearestVertex(shape: Shape, bone: BonePart, p: Vec3): number {
  let best = bone.start
  let least = Number.POSITIVE_INFINITY
  for (let v = bone.start; v < bone.start + bone.count; v++) {
    const d = Math.hypot(shape[v * 3] - p[0], shape[v * 3 + 1] - p[1], shape[v * 3 + 2] - p[2])
    if (d < least) {
      least = d
      best = v
    }
  }
  return best
}

/** Raises voxels within a rounded rod to `hu`, its surface softened over a voxel. */
export function paintCapsule(
  ct: Volume<Int16Array>,
  a: Vec3,
  b: Vec3,
  radiusA: number,
  radiusB: number,
  hu: number
): void {
  const spacing = alongLps(ct)
  const r = Math.max(radiusA, radiusB) + spacing
  const d = sub(b, a)
  const length2 = d[0] ** 2 + d[1] ** 2 + d[2] ** 2
  const low = lpsToIndex(ct, [0, 1, 2].map(k => Math.min(a[k], b[k]) - r) as unknown as Vec3)
  const high = lpsToIndex(ct, [0, 1, 2].map(k => Math.max(a[k], b[k]) + r) as unknown as Vec3)
  const [ni, nj, nk] = ct.size
  for (let k = Math.max(0, Math.ceil(low[2])); k <= Math.min(nk - 1, high[2]); k++)
    for (let j = Math.max(0, Math.ceil(low[1])); j <= Math.min(nj - 1, high[1]); j++)
      for (let i = Math.max(0, Math.ceil(low[0])); i <= Math.min(ni - 1, high[0]); i++) {
        const p = [
          ct.origin[0] + i * spacing - a[0],
          ct.origin[1] + j * spacing - a[1],
          ct.origin[2] + k * spacing - a[2]
        ]
        const t =
          length2 > 0 ? Math.min(1, Math.max(0, (p[0] * d[0] + p[1] * d[1] + p[2] * d[2]) / length2)) : 0
        const far = Math.hypot(p[0] - t * d[0], p[1] - t * d[1], p[2] - t * d[2])
        const solid = Math.min(1, Math.max(0, 0.5 - (far - radiusA - t * (radiusB - radiusA)) / spacing))
        if (solid === 0) continue
        const o = (k * nj + j) * ni + i
        const value = ct.data[o] + (hu - ct.data[o]) * solid
        if (value > ct.data[o]) ct.data[o] = Math.round(value)
      }
}

/** @throws VolumeError unless the axes lie along LPS and the voxels are cubes */
function alongLps(ct: Volume): number {
  const [s, t, u] = ct.spacing
  if (!(s === t && t === u && ct.direction.every((x, i) => x === IDENTITY3[i])))
    throw new VolumeError(
      `The CT has voxels of ${ct.spacing.join(' × ')} mm along turned axes`,
      'Resample it to cubes along LPS first.'
    )
  return s
}

function direction(random: Random): Vec3 {
  for (;;) {
    const v: Vec3 = [random.normal(), random.normal(), random.normal()]
    if (Math.hypot(...v) > 1e-3) return normalize(v)
  }
}

const at = (points: Float64Array, v: number): Vec3 => [points[v * 3], points[v * 3 + 1], points[v * 3 + 2]]

/** Least coordinate k of points; of their negatives with `sign` −1. */
function least(points: Float64Array, k: number, sign = 1): number {
  let m = Number.POSITIVE_INFINITY
  for (let i = k; i < points.length; i += 3) m = Math.min(m, sign * points[i])
  return m
}
