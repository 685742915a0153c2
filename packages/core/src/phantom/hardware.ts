import { add, cross, mulMat3Vec3, normalize, scale, sub, type Vec3 } from '../geometry/linear.js'
import { DEGREE, rotationX, rotationY } from '../geometry/rotation.js'
import type { Random } from '../random/random.js'
import type { Bone } from './bones.js'
import type { PelvisShape } from './shape-model.js'

/** Metal as a CT shows it: titanium to cobalt-chrome, HU. */
const METAL_HU: readonly [number, number] = [3000, 9000]

/**
 * Metal in and around a pelvis: hip prostheses (cup, head, neck and stem in place of what they replace), and screws
 * through the sacroiliac joints, the acetabular columns or the pubic rami, some of them with a plate.
 */
export function drawHardware(random: Random, pelvis: PelvisShape): Bone[] {
  const parts: Bone[] = []
  const joints = [pelvis.leftAcetabulum, pelvis.rightAcetabulum]
  const kind = random.next()
  if (kind < 0.55) {
    const both = random.chance(0.25)
    const first = random.integer(2)
    parts.push(...prosthesis(random, joints[first], first === 0 ? 1 : -1))
    if (both) parts.push(...prosthesis(random, joints[1 - first], first === 0 ? -1 : 1))
  }
  if (kind > 0.45) {
    const count = 1 + random.integer(5)
    for (let i = 0; i < count; i++) parts.push(screw(random, pelvis))
  }
  return parts
}

const metal = (random: Random): Pick<Bone, 'cortexMm' | 'cortexHu' | 'insideHu' | 'textureHu'> => {
  const hu = random.uniform(...METAL_HU)
  return { cortexMm: 2, cortexHu: hu, insideHu: hu, textureHu: 0 }
}

/** @param lateral +1 for the left hip (+L), −1 for the right one */
function prosthesis(random: Random, joint: PelvisShape['leftAcetabulum'], lateral: number): Bone[] {
  const head = random.uniform(11, 19)
  const c = joint.centre
  const lean = mulMat3Vec3(
    rotationX(random.uniform(-8, 15) * DEGREE),
    mulMat3Vec3(rotationY(random.uniform(-8, 8) * DEGREE), [0, 0, -1])
  )
  const shoulder = add(c, [
    lateral * random.uniform(28, 42),
    random.uniform(-6, 10),
    random.uniform(-38, -22)
  ])
  const tip = add(shoulder, scale(lean, random.uniform(90, 170)))
  const width = random.uniform(6, 9)
  const stem = Float64Array.from([...c, head, ...shoulder, width, ...tip, random.uniform(4, 6)])
  // The neck is thinner than the head: a sphere pair of its own.
  const neck = Float64Array.from([...c, 6, ...shoulder, 7])
  const parts: Bone[] = [
    {
      name: 'prosthesis stem',
      mesh: { spheres: stem, wedges: Uint16Array.from([0, 0, 0, 1, 2, 2]) },
      cylinders: [],
      ...metal(random)
    },
    {
      name: 'prosthesis neck',
      mesh: { spheres: neck, wedges: Uint16Array.from([0, 1, 1]) },
      cylinders: [],
      ...metal(random)
    }
  ]
  if (random.chance(0.8))
    parts.push({
      name: 'prosthesis cup',
      mesh: {
        spheres: Float64Array.from([...add(c, [lateral * 2, 0, 2]), joint.radius + random.uniform(-1, 2)]),
        wedges: Uint16Array.from([0, 0, 0])
      },
      cylinders: [],
      // Open towards the leg: the hollow takes away the lower, outer half.
      hollow: {
        centre: add(c, [lateral * 9, 0, -10]),
        radius: joint.radius + random.uniform(2, 4)
      },
      ...metal(random)
    })
  return parts
}

/** A rod between two bony points, or a screw that starts outside and ends inside. */
function screw(random: Random, pelvis: PelvisShape): Bone {
  const bone = random.next() < 0.6 ? [pelvis.leftHip, pelvis.rightHip][random.integer(2)] : pelvis.sacrum
  const spheres = bone.spheres
  const pick = (): Vec3 => {
    const i = random.integer(spheres.length / 4) * 4
    return [spheres[i], spheres[i + 1], spheres[i + 2]]
  }
  const from = pick()
  let axis = sub(pick(), from)
  if (Math.hypot(...axis) < 10) axis = cross(from, [0.3, 0.5, 1])
  const length = random.uniform(25, 130)
  const to = add(from, scale(normalize(axis), length))
  const r = random.uniform(1.6, 4)
  return {
    name: 'screw',
    mesh: {
      spheres: Float64Array.from([...from, r * random.uniform(1, 1.9), ...to, r]),
      wedges: Uint16Array.from([0, 1, 1])
    },
    cylinders: [],
    ...metal(random)
  }
}
