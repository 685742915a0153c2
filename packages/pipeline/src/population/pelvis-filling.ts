import {
  addBone,
  createNoise,
  createPhantom,
  drawHardware,
  PELVIS_LANDMARKS,
  type PelvisShape,
  type Random,
  type SphereMesh,
  type TriangleSurface,
  type Vec3,
  type Volume
} from '@raypose/core'
import { fitAcetabulum } from '../shape-model/acetabulum.js'
import { rigidOnto, transformPoints } from '../shape-model/align.js'
import { HIP_JOINTS } from '../shape-model/fit-shape-model.js'
import { shapeNormals } from './ct-fit.js'
import { spreadPoints } from './ct-warp.js'
import { landmarkName, type Shape, type SurfaceModel, shapeLandmarks } from './surface-model.js'

/*
 * What is known of one anatomy, the pelvis of the phantom: femurs, spine, coccyx and soft tissue around the surfaces, and prostheses of
 * the hip. All other anatomies are filled by `fill.ts`.
 */

/** Whether the phantom knows this anatomy: its three bones and its 23 landmarks, by name and in order. */
export const isPelvis = (model: Pick<SurfaceModel, 'bones' | 'landmarks'>): boolean =>
  ['left-hip', 'right-hip', 'sacrum'].every(name => model.bones.some(b => b.name === name)) &&
  model.landmarks.length === PELVIS_LANDMARKS.landmarks.length &&
  model.landmarks.every((l, i) => l.name === landmarkName(PELVIS_LANDMARKS.landmarks[i]))

/** Box of the filled CT, mm: the whole width of most bodies. */
const EXTENT: Vec3 = [450, 330, 400]

/** A CT of the phantom around surfaces of a pelvis, and the shape where the phantom has it. */
export function fillPelvis(
  model: SurfaceModel,
  shape: Shape,
  seed: number,
  spacing = 1.5
): { ct: Volume<Int16Array>; shape: Shape } {
  const phantom = createPhantom({
    seed,
    spacing,
    size: EXTENT.map(e => Math.round(e / spacing)) as unknown as Vec3,
    shape: pelvisOf(model, shape),
    completeness: 0.97
  })
  const placed = flat(phantom.landmarks)
  const place = rigidOnto(flat(shapeLandmarks(model, shape)), placed)
  return { ct: phantom.ct, shape: transformPoints(shape, place) }
}

/** Paints prostheses and screws of the phantom into a CT. In place; axes along LPS, cubic voxels. */
export function addPelvisHardware(
  model: SurfaceModel,
  ct: Volume<Int16Array>,
  shape: Shape,
  random: Random
): { parts: string[] } {
  const bones = drawHardware(random, pelvisOf(model, shape))
  const metal = new Float32Array(ct.data.length)
  const none = createNoise(random, 100, [0, 0, 0], [1, 1, 1])
  for (const b of bones) addBone(metal, { size: ct.size, spacing: ct.spacing[0], origin: ct.origin }, b, none)
  for (let i = 0; i < metal.length; i++)
    if (metal[i] > ct.data[i] && metal[i] > 0) ct.data[i] = Math.min(32767, Math.round(metal[i]))
  return { parts: bones.map(b => b.name) }
}

function pelvisOf(model: SurfaceModel, shape: Shape): PelvisShape {
  const normals = shapeNormals(model, shape)
  const part = (name: string) => {
    const b = model.bones.find(x => x.name === name)!
    const slice = (a: Float64Array) => a.slice(b.start * 3, (b.start + b.count) * 3)
    const vertices = slice(shape)
    return {
      surface: { vertices, faces: b.faces },
      mesh: roughSpheres(vertices, slice(normals)),
      normals: slice(normals)
    }
  }
  const parts = { left: part('left-hip'), right: part('right-hip'), sacrum: part('sacrum') }
  const landmarks = shapeLandmarks(model, shape)
  const [left, right] = HIP_JOINTS.map(([bone, inferior, superior, side]) => {
    const p = bone === 'left-hip' ? parts.left : parts.right
    const guess = [0, 1, 2].map(k => (landmarks[inferior][k] + landmarks[superior][k]) / 2)
    const [x, y, z, radius] = fitAcetabulum(p.surface.vertices, p.normals, [
      guess[0] + side * 6,
      guess[1],
      guess[2]
    ])
    return { centre: [x, y, z] as Vec3, radius }
  })
  const surfaces: Record<'leftHip' | 'rightHip' | 'sacrum', TriangleSurface> = {
    leftHip: parts.left.surface,
    rightHip: parts.right.surface,
    sacrum: parts.sacrum.surface
  }
  return {
    leftHip: parts.left.mesh,
    rightHip: parts.right.mesh,
    sacrum: parts.sacrum.mesh,
    surfaces,
    landmarks,
    leftAcetabulum: left,
    rightAcetabulum: right
  }
}

/** A few small balls just under the surface: where the bone is, roughly. */
function roughSpheres(vertices: Float64Array, normals: Float64Array): SphereMesh {
  const which = spreadPoints(vertices, 80)
  const radius = 3
  const spheres = new Float64Array(which.length * 4)
  which.forEach((v, i) => {
    for (let k = 0; k < 3; k++) spheres[i * 4 + k] = vertices[v * 3 + k] - radius * normals[v * 3 + k]
    spheres[i * 4 + 3] = radius
  })
  return { spheres, wedges: Uint16Array.from(which.keys(), i => i) }
}

const flat = (points: readonly Vec3[]): Float64Array => Float64Array.from(points.flat())
