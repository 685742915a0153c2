import type { Camera } from '../geometry/camera.js'
import { distance, type Vec3 } from '../geometry/linear.js'
import type { Image } from '../image/image.js'
import { BONE_LABELS, type BoneLabels } from './femur-labels.js'
import type { HipJoint } from './hip-joints.js'

/** What of the femurs may lie elsewhere in an X-ray than in the CT: all but the heads, which turn in place. */
export interface LooseFemurs {
  /** x, y, z a point, LPS mm. */
  readonly points: Float32Array
  /** How far each may have moved or is from the next, mm. */
  readonly reach: Float32Array
}

/** A point of a femur is expected to move by this share of its distance from the joint: the sine of some 9°. */
const LOOSE = 0.15
const MOST_REACH = 15

/** The femurs of labelled bones, without their heads. */
export function looseFemurs(labels: BoneLabels, joints: readonly HipJoint[]): LooseFemurs {
  const points: number[] = []
  const reach: number[] = []
  const { size, spacing, origin, data } = labels
  for (let k = 0, o = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++)
      for (let i = 0; i < size[0]; i++, o++) {
        const side =
          data[o] === BONE_LABELS.leftFemur ? 'left' : data[o] === BONE_LABELS.rightFemur ? 'right' : null
        const joint = side && joints.find(h => h.side === side)
        if (!joint) continue
        const p: Vec3 = [origin[0] + i * spacing, origin[1] + j * spacing, origin[2] + k * spacing]
        const far = distance(p, joint.centre)
        if (far <= joint.radius + spacing) continue
        points.push(...p)
        reach.push(0.7 * spacing + Math.min(MOST_REACH, LOOSE * (far - joint.radius)))
      }
  return { points: Float32Array.from(points), reach: Float32Array.from(reach) }
}

/**
 * Which pixels show pelvis alone: 1, or `inside` where a ray passes where a femur is or may have moved to.
 * @returns weights for similarities, one for each pixel
 */
export function femurShadow(
  femurs: LooseFemurs,
  { detector, cameraFromLps: m }: Camera,
  inside: number
): Image {
  const [width, height] = detector.size
  const data = new Float32Array(width * height).fill(1)
  const [fu, fv] = [detector.sdd / detector.pixel[0], detector.sdd / detector.pixel[1]]
  const { points, reach } = femurs
  for (let n = 0, p = 0; n < reach.length; n++, p += 3) {
    const [x, y, z] = [points[p], points[p + 1], points[p + 2]]
    const depth = m[8] * x + m[9] * y + m[10] * z + m[11]
    if (!(depth > 0)) continue
    const u = detector.principalPoint[0] + (fu * (m[0] * x + m[1] * y + m[2] * z + m[3])) / depth
    const v = detector.principalPoint[1] + (fv * (m[4] * x + m[5] * y + m[6] * z + m[7])) / depth
    const ru = (fu * reach[n]) / depth
    const rv = (fv * reach[n]) / depth
    const [u0, u1] = [Math.max(0, Math.ceil(u - ru)), Math.min(width - 1, Math.floor(u + ru))]
    const [v0, v1] = [Math.max(0, Math.ceil(v - rv)), Math.min(height - 1, Math.floor(v + rv))]
    for (let row = v0; row <= v1; row++)
      data.fill(inside, row * width + u0, row * width + Math.max(u0, u1 + 1))
  }
  return { width, height, data }
}
