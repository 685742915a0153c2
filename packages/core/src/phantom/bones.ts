import { add, type Mat3, mulMat3, mulMat3Vec3, type Vec3 } from '../geometry/linear.js'
import { DEGREE, rotationX, rotationY, rotationZ } from '../geometry/rotation.js'
import type { Random } from '../random/random.js'
import { bendingField } from './noise.js'
import { type PelvisShape, pelvisShape, shapeModes } from './shape-model.js'
import type { SphereMesh } from './sphere-mesh.js'
import type { TriangleSurface } from './surface.js'

/** An elliptic cylinder with a slight waist: a vertebral body. */
export interface Cylinder {
  readonly centre: Vec3
  /** Columns: lateral, posterior and upward axis of the body. */
  readonly axes: Mat3
  /** Half width, half depth, half height, mm. */
  readonly half: Vec3
}

/** One bone: a solid with its own cortical shell. */
export interface Bone {
  readonly name: string
  readonly mesh: SphereMesh
  readonly cylinders: readonly Cylinder[]
  /** The bone's surface where it is known: then `mesh` and `cylinders` say only roughly where the bone is. */
  readonly surface?: TriangleSurface
  /** A sphere cut out of the bone (the hollow of the acetabulum). */
  readonly hollow?: { readonly centre: Vec3; readonly radius: number }
  /** Thickness of the cortical shell, mm, and its density, HU. */
  readonly cortexMm: number
  readonly cortexHu: number
  /** Mean density of the cancellous bone or marrow inside, HU, and how much its texture varies. */
  readonly insideHu: number
  readonly textureHu: number
}

/** How much a population of phantoms varies. */
export interface BoneVariation {
  /** Largest weight of a shape mode, standard deviations. */
  readonly modeLimit: number
  /** 1: femurs, spine and coccyx are always there; training leaves some out. */
  readonly completeness: number
  /** This shape as it is, instead of one drawn from the model. */
  readonly shape?: PelvisShape
  /** Standard deviation of a smooth random displacement of the shape, mm: variation that the model's modes do not hold (default 0). */
  readonly bendMm?: number
}

/** Overall size and proportions. The atlas says nothing of sex: only mean proportions from anatomy textbooks enter here. */
export type Sex = 'female' | 'male'

/** Bones of one random pelvis with its neighbours, and its landmarks: mm, LPS axes, origin in the pelvis's middle. */
export function drawBones(
  random: Random,
  sex: Sex,
  variation: BoneVariation
): { bones: Bone[]; landmarks: Vec3[]; pelvis: PelvisShape } {
  const weights = Array.from({ length: shapeModes() }, () =>
    Math.max(-variation.modeLimit, Math.min(variation.modeLimit, random.normal()))
  )
  const drawnSize = (sex === 'female' ? 0.98 : 1.03) * (1 + 0.03 * Math.max(-2, Math.min(2, random.normal())))
  const size = variation.shape ? 1 : drawnSize
  const widen = variation.shape ? 1 : sex === 'female' ? 1.015 : 0.99
  const tilt = mulMat3(
    mulMat3(rotationX(random.uniform(-12, 12) * DEGREE), rotationZ(random.uniform(-4, 4) * DEGREE)),
    rotationY(random.uniform(-4, 4) * DEGREE)
  )
  const shape: Mat3 = mulMat3(tilt, [size * widen, 0, 0, 0, size, 0, 0, 0, size])
  const straight = transformPelvis(variation.shape ?? pelvisShape(weights), shape, size)
  const pelvis = variation.bendMm ? bendPelvis(straight, random, variation.bendMm) : straight
  const { surfaces } = pelvis
  const density = drawDensity(random)
  const bones: Bone[] = [
    {
      name: 'left hip',
      mesh: pelvis.leftHip,
      cylinders: [],
      ...(surfaces ? { surface: surfaces.leftHip } : { hollow: pelvis.leftAcetabulum }),
      ...density(random)
    },
    {
      name: 'right hip',
      mesh: pelvis.rightHip,
      cylinders: [],
      ...(surfaces ? { surface: surfaces.rightHip } : { hollow: pelvis.rightAcetabulum }),
      ...density(random)
    },
    {
      name: 'sacrum',
      mesh: pelvis.sacrum,
      cylinders: [],
      ...(surfaces ? { surface: surfaces.sacrum } : {}),
      ...density(random, 0.7)
    }
  ]
  const present = () => random.chance(variation.completeness)
  if (present()) {
    bones.push(
      ...femur(random, 'left', pelvis.leftAcetabulum, density),
      ...femur(random, 'right', pelvis.rightAcetabulum, density)
    )
  }
  if (present()) bones.push(...lumbarSpine(random, pelvis, size, density))
  if (present()) bones.push(lowerSacrum(random, pelvis, size, density))
  return { bones, landmarks: pelvis.landmarks as Vec3[], pelvis }
}

type Density = (
  random: Random,
  cortexFactor?: number
) => Pick<Bone, 'cortexMm' | 'cortexHu' | 'insideHu' | 'textureHu'>

/** From healthy to osteoporotic: one draw for the patient, a little variation for each bone. */
function drawDensity(random: Random): Density {
  const cortexMm = random.uniform(0.9, 2.4)
  const cortexHu = random.uniform(450, 1150)
  const insideHu = random.uniform(40, 330)
  const textureHu = random.uniform(20, 110)
  return (r, cortexFactor = 1) => ({
    cortexMm: cortexMm * cortexFactor * r.uniform(0.85, 1.15),
    cortexHu: cortexHu * r.uniform(0.9, 1.1),
    insideHu: insideHu * r.uniform(0.85, 1.15),
    textureHu
  })
}

/** A bone from spheres [x, y, z, r] and wedges, placed by `m·p + t`; radii scale with `s`. */
function place(
  spheres: readonly (readonly number[])[],
  wedges: readonly number[],
  m: Mat3,
  t: Vec3,
  s = 1
): SphereMesh {
  const out = new Float64Array(spheres.length * 4)
  spheres.forEach(([x, y, z, r], i) =>
    out.set([...add(mulMat3Vec3(m, [x * s, y * s, z * s]), t), r * s], i * 4)
  )
  return { spheres: out, wedges: Uint16Array.from(wedges) }
}

/**
 * Proximal femur turned about the centre of its head. In its own frame x is lateral, y posterior and −z along the shaft; neck-shaft angle
 * about 126°, anteversion about 14° (Gray's Anatomy), lengths scaled by the head's radius.
 */
function femur(
  random: Random,
  side: 'left' | 'right',
  joint: PelvisShape['leftAcetabulum'],
  density: Density
): Bone[] {
  const head = Math.min(29, Math.max(19, joint.radius - random.uniform(2, 4)))
  const s = head / 23
  const neck = random.uniform(0.92, 1.08)
  const version = random.uniform(4, 24) * DEGREE
  const mirror: Mat3 = side === 'left' ? [1, 0, 0, 0, 1, 0, 0, 0, 1] : [-1, 0, 0, 0, 1, 0, 0, 0, 1]
  const leg = mulMat3(
    mulMat3(rotationX(random.uniform(-8, 22) * DEGREE), rotationY(random.uniform(-14, 14) * DEGREE)),
    rotationZ(random.uniform(-30, 25) * DEGREE)
  )
  // Left: x lateral is +L. The right femur is the mirror image of a left one, hence the mirror before and after.
  const m = mulMat3(mulMat3(mirror, leg), rotationZ(version))
  const x = 39 * neck
  const z = -28 * neck
  const spheres = [
    [0, 0, 0, 23],
    [8, 0, -6, 15],
    [21 * neck, 0, -15 * neck, 14],
    [x - 6, 0, z + 3, 17],
    [x, 0, z - 6, 18],
    [x + 9, 4, z + 13, 13],
    [x + 7, 10, z + 24, 8],
    [x - 14, 9, z - 25, 8],
    [x - 2, 2, z - 44, 16]
  ]
  const wedges = [0, 0, 0, 1, 2, 2, 2, 3, 3, 3, 4, 5, 5, 6, 6, 4, 7, 8, 3, 4, 7, 4, 8, 8]
  const shaftSpheres = [
    [x - 2, 2, z - 30, 16.5],
    [x - 2, 2, z - 60, 15.5],
    [x - 6, -2, z - 130, 14.5],
    [x - 12, 0, z - 260, 15]
  ]
  return [
    {
      name: `${side} femur`,
      mesh: place(spheres, wedges, m, joint.centre, s),
      cylinders: [],
      ...density(random)
    },
    {
      name: `${side} femoral shaft`,
      mesh: place(shaftSpheres, [0, 1, 1, 1, 2, 2, 2, 3, 3], m, joint.centre, s),
      cylinders: [],
      ...density(random),
      cortexMm: random.uniform(4, 7.5),
      insideHu: random.uniform(-20, 60)
    }
  ]
}

/** L5 to L2 above the promontory, along a lordosis that straightens upward. */
function lumbarSpine(random: Random, pelvis: PelvisShape, size: number, density: Density): Bone[] {
  const bones: Bone[] = []
  const promontory = pelvis.landmarks[22]
  let lean = random.uniform(15, 42) * DEGREE
  const scoliosis = random.uniform(-5, 5) * DEGREE
  let at = add(
    promontory,
    mulMat3Vec3(rotationX(lean), [
      random.uniform(-2, 2),
      random.uniform(13, 18) * size,
      random.uniform(6, 11)
    ])
  )
  for (let level = 0; level < 4; level++) {
    const half: Vec3 = [
      random.uniform(22, 28) * size,
      random.uniform(15.5, 19.5) * size,
      random.uniform(12, 14.5) * size
    ]
    const axes = mulMat3(rotationX(lean), rotationY(scoliosis * level * 0.5 + random.uniform(-2, 2) * DEGREE))
    const up = (p: Vec3): Vec3 => mulMat3Vec3(axes, p)
    const centre = add(at, up([0, 0, half[2]]))
    const y = half[1]
    const spheres: number[][] = []
    const wedges: number[] = []
    const rod = (a: number[], b: number[]) => {
      wedges.push(spheres.length, spheres.length + 1, spheres.length + 1)
      spheres.push(a, b)
    }
    for (const s of [-1, 1]) {
      const transverse = random.uniform(33, 44)
      rod([s * 14, y - 3, 4, 5], [s * 17, y + 18, 2, 5])
      rod([s * 16, y + 8, 2, 5], [s * transverse, y + random.uniform(10, 16), random.uniform(0, 8), 3])
      rod([s * 15, y + 16, -17, 6], [s * 18, y + 18, 13, 6])
      rod([s * 14, y + 18, 0, 4], [0, y + 27, -5, 4])
    }
    rod([0, y + 28, -4, 3.2], [0, y + random.uniform(40, 54), -12, 4.5])
    bones.push({
      name: `L${5 - level}`,
      mesh: place(spheres, wedges, axes, centre, size),
      cylinders: [{ centre, axes, half }],
      ...density(random, 0.6)
    })
    at = add(at, up([0, 0, 2 * half[2] + random.uniform(7, 11) * size]))
    lean -= random.uniform(6, 14) * DEGREE
  }
  return bones
}

/** S4, S5 and the coccyx, which the atlas leaves out: they continue the sacrum's curve. */
function lowerSacrum(random: Random, pelvis: PelvisShape, size: number, density: Density): Bone {
  const s = pelvis.sacrum.spheres
  const byHeight = Array.from({ length: s.length / 4 }, (_, i) => i).sort(
    (a, b) => s[a * 4 + 2] - s[b * 4 + 2]
  )
  const lowest = byHeight.slice(0, Math.max(3, Math.round(byHeight.length * 0.06)))
  let at: Vec3 = [0, 0, 0]
  for (const i of lowest)
    at = add(at, [s[i * 4] / lowest.length, s[i * 4 + 1] / lowest.length, s[i * 4 + 2] / lowest.length])
  at = add(at, [0, 0, 4])
  let bend = random.uniform(-5, 25) * DEGREE
  const curl = random.uniform(9, 20) * DEGREE
  let halfWidth = random.uniform(20, 27) * size
  const spheres: number[][] = []
  const wedges: number[] = []
  for (let k = 0; k <= 7; k++) {
    const r = Math.max(4, Math.min(8, halfWidth * 0.6)) * size
    const w = Math.max(0, halfWidth - r)
    const i = spheres.length
    spheres.push([at[0] - w, at[1] + 2, at[2], r], [at[0], at[1], at[2], r], [at[0] + w, at[1] + 2, at[2], r])
    if (k > 0) wedges.push(i - 3, i - 2, i, i - 2, i, i + 1, i - 2, i - 1, i + 1, i - 1, i + 1, i + 2)
    const step = random.uniform(9, 12) * size
    at = add(at, [0, Math.sin(bend) * step, -Math.cos(bend) * step])
    bend -= curl
    halfWidth -= random.uniform(3, 4.5)
    if (halfWidth < 3) break
  }
  return {
    name: 'lower sacrum and coccyx',
    mesh: { spheres: Float64Array.from(spheres.flat()), wedges: Uint16Array.from(wedges) },
    cylinders: [],
    ...density(random, 0.6)
  }
}

/** Displaces bones and landmarks together, by a field that varies over centimetres. */
const bendPelvis = (p: PelvisShape, random: Random, sigmaMm: number): PelvisShape =>
  mapPelvis(p, bendingField(random, sigmaMm, random.uniform(45, 110), [-180, -130, -160], [180, 130, 190]))

/** A pelvis whose points are moved; radii keep, times `size`. */
function mapPelvis(p: PelvisShape, move: (q: Vec3) => Vec3, size = 1): PelvisShape {
  const mesh = (b: SphereMesh): SphereMesh => {
    const out = b.spheres.slice()
    for (let i = 0; i < out.length; i += 4) {
      out.set(move([out[i], out[i + 1], out[i + 2]]), i)
      out[i + 3] *= size
    }
    return { spheres: out, wedges: b.wedges }
  }
  const joint = (j: PelvisShape['leftAcetabulum']) => ({ centre: move(j.centre), radius: j.radius * size })
  const surface = (b: TriangleSurface): TriangleSurface => {
    const vertices = b.vertices.slice()
    for (let i = 0; i < vertices.length; i += 3)
      vertices.set(move([vertices[i], vertices[i + 1], vertices[i + 2]]), i)
    return { vertices, faces: b.faces }
  }
  return {
    ...(p.surfaces
      ? {
          surfaces: {
            leftHip: surface(p.surfaces.leftHip),
            rightHip: surface(p.surfaces.rightHip),
            sacrum: surface(p.surfaces.sacrum)
          }
        }
      : {}),
    leftHip: mesh(p.leftHip),
    rightHip: mesh(p.rightHip),
    sacrum: mesh(p.sacrum),
    landmarks: p.landmarks.map(move),
    leftAcetabulum: joint(p.leftAcetabulum),
    rightAcetabulum: joint(p.rightAcetabulum)
  }
}

const transformPelvis = (p: PelvisShape, m: Mat3, size: number): PelvisShape =>
  mapPelvis(p, q => mulMat3Vec3(m, q), size)
