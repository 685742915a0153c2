import { decodeBase64 } from '../base64.js'
import type { Vec3 } from '../geometry/linear.js'
import type { Anatomy } from '../landmarks/anatomy.js'
import { mirrorPermutation, PELVIS_LANDMARKS } from '../landmarks/definitions.js'
import type { ShapePrior } from '../landmarks/shape-prior.js'
import { SHAPE_MODEL_DATA } from './shape-model.data.js'
import type { SphereMesh } from './sphere-mesh.js'
import type { TriangleSurface } from './surface.js'

/** One pelvis: three bones as sphere meshes, the 23 landmarks and the hip joints; mm, LPS axes, origin in its middle. */
export interface PelvisShape {
  readonly leftHip: SphereMesh
  readonly rightHip: SphereMesh
  readonly sacrum: SphereMesh
  /** The surfaces of the bones where they are known; the sphere meshes then say only roughly where the bones are. */
  readonly surfaces?: {
    readonly leftHip: TriangleSurface
    readonly rightHip: TriangleSurface
    readonly sacrum: TriangleSurface
  }
  readonly landmarks: readonly Vec3[]
  /** Centre and radius of the hollow of each acetabulum. */
  readonly leftAcetabulum: { readonly centre: Vec3; readonly radius: number }
  readonly rightAcetabulum: { readonly centre: Vec3; readonly radius: number }
}

interface DecodedModel {
  readonly mean: Int16Array
  readonly modes: readonly Int16Array[]
  readonly wedges: ReadonlyMap<string, Uint16Array>
}

let decoded: DecodedModel | undefined

function model(): DecodedModel {
  if (decoded) return decoded
  const int16 = (text: string) => new Int16Array(decodeBase64(text).buffer)
  decoded = {
    mean: int16(SHAPE_MODEL_DATA.mean),
    modes: SHAPE_MODEL_DATA.modes.map(int16),
    wedges: new Map(SHAPE_MODEL_DATA.bones.map(b => [b.name, new Uint16Array(decodeBase64(b.wedges).buffer)]))
  }
  return decoded
}

/** Number of modes of variation of the embedded shape model. */
export const shapeModes = (): number => model().modes.length

/**
 * The pelvis with mode weights `b`, in standard deviations (missing ones 0): the embedded statistical shape model, fitted to
 * an atlas of real pelves (tools/fit-shape-model.mjs).
 */
export function pelvisShape(b: readonly number[]): PelvisShape {
  const { mean, modes, wedges } = model()
  const x = Float64Array.from(mean, v => v / 100)
  modes.forEach((mode, k) => {
    const w = (b[k] ?? 0) / 100
    if (w !== 0) for (let i = 0; i < x.length; i++) x[i] += w * mode[i]
  })
  return shapeFromVector(
    x,
    SHAPE_MODEL_DATA.bones.map(b => ({ ...b, wedges: wedges.get(b.name)! }))
  )
}

/**
 * A pelvis from the numbers of a shape model: the spheres of each bone (x, y, z, r), the landmarks (x, y, z), the left and the right
 * acetabulum (x, y, z, r); mm, LPS axes.
 */
export function shapeFromVector(
  x: Float64Array,
  layout: readonly { readonly name: string; readonly spheres: number; readonly wedges: Uint16Array }[]
): PelvisShape {
  let at = 0
  const bones = new Map<string, SphereMesh>()
  for (const bone of layout) {
    const spheres = x.slice(at, at + bone.spheres * 4)
    for (let i = 3; i < spheres.length; i += 4) spheres[i] = Math.max(0.8, spheres[i])
    bones.set(bone.name, { spheres, wedges: bone.wedges })
    at += bone.spheres * 4
  }
  const landmarks: Vec3[] = Array.from({ length: (x.length - at - 8) / 3 }, (_, i) => [
    x[at + i * 3],
    x[at + i * 3 + 1],
    x[at + i * 3 + 2]
  ])
  at += landmarks.length * 3
  const joint = (o: number) => ({ centre: [x[o], x[o + 1], x[o + 2]] as Vec3, radius: x[o + 3] })
  return {
    leftHip: bones.get('left-hip')!,
    rightHip: bones.get('right-hip')!,
    sacrum: bones.get('sacrum')!,
    landmarks,
    leftAcetabulum: joint(at),
    rightAcetabulum: joint(at + 4)
  }
}

/** How the 23 landmarks lie to each other: the shape model's own, for checking and completing detections. */
export function pelvisLandmarkPrior(): ShapePrior {
  const { mean, modes } = model()
  const first = SHAPE_MODEL_DATA.bones.reduce((n, b) => n + b.spheres * 4, 0)
  const points = (x: Int16Array): Vec3[] =>
    Array.from({ length: SHAPE_MODEL_DATA.landmarks }, (_, i) => [
      x[first + i * 3] / 100,
      x[first + i * 3 + 1] / 100,
      x[first + i * 3 + 2] / 100
    ])
  return { mean: points(mean), modes: modes.map(points) }
}

/** The pelvis: its 23 landmarks, and how they lie to each other in the shape model. */
export const pelvisAnatomy = (): Anatomy => ({
  name: 'pelvis',
  landmarkNames: PELVIS_LANDMARKS.landmarks.map(l => `${l.name} ${l.side}`),
  mirror: mirrorPermutation(PELVIS_LANDMARKS),
  prior: pelvisLandmarkPrior()
})
