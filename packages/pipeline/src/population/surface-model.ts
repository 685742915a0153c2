import { ArgumentError, bendingField, type Random, type Vec3 } from '@raypose/core'
import { alignShapes, type Points, rigidOnto, transformPoints } from '../shape-model/align.js'
import type { SurfaceAtlas } from '../shape-model/atlas.js'
import { principalComponents } from '../shape-model/fit-shape-model.js'

/** Where a bone's vertices lie in the vector of all of them. */
export interface BonePart {
  readonly name: string
  readonly faces: Uint32Array
  /** First vertex and number of vertices. */
  readonly start: number
  readonly count: number
}

/** Surfaces of all bones of one patient in one vector: x, y, z a vertex, the bones in the atlas's order, mm. */
export type Shape = Points

/**
 * A linear model of the surfaces of an atlas, all bones together: `mean + Σ bₖ·modes[k]`, bₖ standard normal (Cootes et al., CVIU 1995).
 * LPS axes, origin at the mean vertex, size kept (it is a mode of its own).
 */
export interface SurfaceModel {
  readonly bones: readonly BonePart[]
  readonly mean: Shape
  readonly modes: readonly Shape[]
  /** The shapes of the patients that the model was made of, aligned rigidly. */
  readonly patients: readonly { readonly name: string; readonly shape: Shape }[]
  /** Each landmark is the mean of these vertices. */
  readonly landmarks: readonly { readonly name: string; readonly vertices: readonly number[] }[]
  readonly joints: readonly Joint[]
}

/** Two bones that lie closely together somewhere: pairs of vertices there, and how far apart they are over the patients. */
export interface Joint {
  readonly pairs: readonly (readonly [number, number])[]
  /** Least and largest mean distance of the pairs in any patient, mm. */
  readonly range: readonly [number, number]
}

/** Name of a landmark as population folders have it. */
export const landmarkName = (l: { name: string; side: string }): string => `${l.name} ${l.side}`.trim()

/**
 * The surface model of an atlas.
 * @param leaveOut patients that it must not know
 * @throws ArgumentError for patients the atlas does not have, or fewer than 3 left
 */
export function surfaceModel(atlas: SurfaceAtlas, leaveOut: readonly string[] = []): SurfaceModel {
  for (const name of leaveOut)
    if (!atlas.patients.includes(name))
      throw new ArgumentError(
        `The atlas has no patient ${name} to leave out`,
        `Its patients are ${atlas.patients.join(', ')}.`
      )
  const keep = atlas.patients.map((_, i) => i).filter(i => !leaveOut.includes(atlas.patients[i]))
  if (keep.length < 3)
    throw new ArgumentError(
      `${keep.length} patients are left of the atlas; a shape model takes at least 3`,
      'Leave fewer patients out, or give an atlas of more.'
    )
  const bones = boneParts(atlas)
  const whole = keep.map(p => patientShape(atlas, p))
  const fits = alignShapes(whole)
  const shapes = whole.map((s, i) => transformPoints(s, fits[i]))
  const { mean, modes } = principalComponents(
    shapes.map(s => Array.from(s)),
    keep.length - 1
  )
  return {
    bones,
    mean,
    modes,
    patients: keep.map((p, i) => ({ name: atlas.patients[p], shape: shapes[i] })),
    landmarks: atlas.landmarks.map(l => ({
      name: landmarkName(l),
      vertices: l.meanOf.map(m => bones.find(b => b.name === m.bone)!.start + m.vertex)
    })),
    joints: findJoints(bones, mean, shapes)
  }
}

function boneParts(atlas: SurfaceAtlas): BonePart[] {
  let start = 0
  return [...atlas.bones].map(([name, b]) => {
    const count = b.vertices[0].length / 3
    const part = { name, faces: b.faces, start, count }
    start += count
    return part
  })
}

/** All bones of one patient of the atlas, in the patient's own frame. */
export function patientShape(atlas: SurfaceAtlas, patient: number): Shape {
  const parts = [...atlas.bones.values()].map(b => b.vertices[patient])
  const out = new Float64Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const p of parts) {
    out.set(p, at)
    at += p.length
  }
  return out
}

/** The shape with mode weights `b`, standard deviations (missing ones 0). */
export function shapeOf(model: SurfaceModel, b: ArrayLike<number>): Shape {
  const out = model.mean.slice()
  model.modes.forEach((mode, k) => {
    const w = b[k] ?? 0
    if (w !== 0) for (let i = 0; i < out.length; i++) out[i] += w * mode[i]
  })
  return out
}

/** The landmarks of a shape, in its frame. */
export const shapeLandmarks = (model: Pick<SurfaceModel, 'landmarks'>, shape: Shape): Vec3[] =>
  model.landmarks.map(({ vertices }) => {
    const p = [0, 0, 0]
    for (const v of vertices) for (let k = 0; k < 3; k++) p[k] += shape[v * 3 + k] / vertices.length
    return p as unknown as Vec3
  })

/** How far outside the patients' own range a drawn joint may be, mm. */
const JOINT_SLACK_MM = 0.5

/**
 * A new shape from the model, each weight within ±`limit` standard deviations, its joints as wide as some patient's: a draw whose bones
 * come too near each other or part is drawn again, and after several such draws made milder.
 * @returns the shape and its weights
 */
export function drawShape(
  model: SurfaceModel,
  random: Random,
  limit = 2.5
): { shape: Shape; weights: number[] } {
  let milder = 1
  for (let attempt = 0; ; attempt++) {
    const weights = model.modes.map(() => milder * truncatedNormal(random, limit))
    const shape = shapeOf(model, weights)
    if (attempt >= 40 || plausibleJoints(model, shape)) return { shape, weights }
    if (attempt >= 5) milder *= 0.93
  }
}

/** How far along a shape a bend varies, against its longest side: for a pelvis 45 to 110 mm. */
const BEND_REACH = [0.16, 0.4] as const

/**
 * The shape displaced by a {@link bendingField}, all bones together.
 * @param sigmaMm standard deviation along each axis, mm
 */
export function bendShape(shape: Shape, random: Random, sigmaMm: number): Shape {
  const low = [0, 1, 2].map(() => Number.POSITIVE_INFINITY)
  const high = [0, 1, 2].map(() => Number.NEGATIVE_INFINITY)
  shape.forEach((x, i) => {
    low[i % 3] = Math.min(low[i % 3], x)
    high[i % 3] = Math.max(high[i % 3], x)
  })
  const longest = Math.max(...high.map((h, k) => h - low[k]))
  const move = bendingField(
    random,
    sigmaMm,
    longest * random.uniform(...BEND_REACH),
    low as unknown as Vec3,
    high as unknown as Vec3
  )
  const out = shape.slice()
  for (let i = 0; i < out.length; i += 3) out.set(move([shape[i], shape[i + 1], shape[i + 2]]), i)
  return out
}

function truncatedNormal(random: Random, limit: number): number {
  for (;;) {
    const x = random.normal()
    if (Math.abs(x) <= limit) return x
  }
}

/** Whether the bones of a shape lie to each other as they do in patients. */
export const plausibleJoints = (model: SurfaceModel, shape: Shape): boolean =>
  model.joints.every(j => {
    const gap = jointGap(shape, j.pairs)
    return gap >= j.range[0] - JOINT_SLACK_MM && gap <= j.range[1] + JOINT_SLACK_MM
  })

const jointGap = (shape: Shape, pairs: Joint['pairs']): number =>
  pairs.reduce(
    (s, [a, b]) =>
      s +
      Math.hypot(
        shape[a * 3] - shape[b * 3],
        shape[a * 3 + 1] - shape[b * 3 + 1],
        shape[a * 3 + 2] - shape[b * 3 + 2]
      ) /
        pairs.length,
    0
  )

/** Bones nearer than this in the mean shape make a joint there, mm. */
const JOINT_MM = 6
const STRIDE = 5

function findJoints(bones: readonly BonePart[], mean: Shape, shapes: readonly Shape[]): Joint[] {
  const joints: Joint[] = []
  bones.forEach((p, i) => {
    for (const q of bones.slice(i + 1)) {
      const pairs: [number, number][] = []
      for (let a = p.start; a < p.start + p.count; a += STRIDE) {
        let best = JOINT_MM ** 2
        let near = -1
        for (let b = q.start; b < q.start + q.count; b++) {
          const d =
            (mean[a * 3] - mean[b * 3]) ** 2 +
            (mean[a * 3 + 1] - mean[b * 3 + 1]) ** 2 +
            (mean[a * 3 + 2] - mean[b * 3 + 2]) ** 2
          if (d < best) {
            best = d
            near = b
          }
        }
        if (near >= 0) pairs.push([a, near])
      }
      if (pairs.length === 0) continue
      const gaps = shapes.map(s => jointGap(s, pairs))
      joints.push({ pairs, range: [Math.min(...gaps), Math.max(...gaps)] })
    }
  })
  return joints
}

/** A shape moved rigidly so that it lies on another as well as it can. */
export const laidOnto = (shape: Shape, onto: Shape): Shape => transformPoints(shape, rigidOnto(shape, onto))
