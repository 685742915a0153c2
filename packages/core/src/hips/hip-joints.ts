import { IDENTITY3, type Mat4, normalize, sub, type Vec3 } from '../geometry/linear.js'
import { applyRigid } from '../geometry/rigid.js'
import { PELVIS_LANDMARKS } from '../landmarks/definitions.js'
import { fitShapePrior } from '../landmarks/shape-prior.js'
import { pelvisLandmarkPrior, pelvisShape } from '../phantom/shape-model.js'
import { absoluteOrientation } from '../pose/absolute-orientation.js'
import { resampleVolume } from '../volume/resample.js'
import { indexToLps, type Volume } from '../volume/volume.js'

/** A hip: the ball of the femur in its socket, LPS mm. */
export interface HipJoint {
  readonly side: 'left' | 'right'
  /** What the femur turns about. */
  readonly centre: Vec3
  /** Of the femoral head. */
  readonly radius: number
  /** Unit vector from the head along the femur's neck. */
  readonly neck: Vec3
}

/** How far, in degrees of the sphere, the socket leaves the head open about the neck: out there the head has no surface of its own. */
const OPEN_COS = Math.cos((55 * Math.PI) / 180)

/** From the head along the neck in a left hip; the mean over positions of the leg. */
const NECK_LEFT: Vec3 = [0.8, 0, -0.6]

/** How much smaller a head is than its socket, with the cartilage of both. */
const CARTILAGE_MM = 3
const LEAST_RADIUS = 17
const MOST_RADIUS = 31
/** How far the shape model may be off, and how far it usually is. */
const SEARCH_MM = 10
const OFF_MM = 5
const OFF_RADIUS_MM = 4
/** What being that far off costs, HU. */
const PRIOR_HU = 15
/** A step of less at the head's surface is none: there is no head where the model has one. */
const LEAST_STEP_HU = 40

const GRID_MM = 1

const limited = (step: number) => Math.max(-200, Math.min(200, step))

/**
 * The sockets as the shape model has them for given landmarks: centre and radius, LPS mm. Null for fewer than four landmarks.
 * @param points in the order of `PELVIS_LANDMARKS`, LPS mm, null where unknown; any beyond these are left out
 */
export function expectedSockets(
  points: readonly (Vec3 | null)[]
): Record<'left' | 'right', { readonly centre: Vec3; readonly radius: number }> | null {
  const fit = fitShapePrior(pelvisLandmarkPrior(), points.slice(0, PELVIS_LANDMARKS.landmarks.length))
  if (!fit) return null
  const shape = pelvisShape(fit.weights)
  const place: Mat4 = absoluteOrientation(shape.landmarks, fit.landmarks)
  const socket = ({ centre, radius }: typeof shape.leftAcetabulum) => ({
    centre: applyRigid(place, centre),
    radius
  })
  return { left: socket(shape.leftAcetabulum), right: socket(shape.rightAcetabulum) }
}

/**
 * Finds the hips of a CT: where the shape model expects a socket, the sphere at whose surface a joint space lies between bone and bone, all
 * over but towards the neck (as Daugman's integro-differential operator finds circles, in 3D).
 * @param ct HU
 * @param points landmarks in the order of `PELVIS_LANDMARKS`, LPS mm; null where unknown
 * @returns the hips that the CT shows whole: none, one or both
 */
export function findHipJoints(ct: Volume, points: readonly (Vec3 | null)[]): HipJoint[] {
  const sockets = expectedSockets(points)
  if (!sockets) return []
  return (['left', 'right'] as const).flatMap(side => {
    const joint = findHead(ct, side, sockets[side].centre, sockets[side].radius - CARTILAGE_MM)
    return joint ? [joint] : []
  })
}

function findHead(ct: Volume, side: HipJoint['side'], guess: Vec3, size: number): HipJoint | null {
  const reach = MOST_RADIUS + SEARCH_MM + 22
  const n = Math.ceil((2 * reach) / GRID_MM) + 1
  const origin = guess.map(x => x - reach) as unknown as Vec3
  const box = resampleVolume(ct, { spacing: GRID_MM, origin, size: [n, n, n], direction: IDENTITY3 })
  const at = (x: number, y: number, z: number) =>
    box.data[
      (Math.round((z - origin[2]) / GRID_MM) * n + Math.round((y - origin[1]) / GRID_MM)) * n +
        Math.round((x - origin[0]) / GRID_MM)
    ]
  const directions = spherePoints(300)
  let neck = normalize([side === 'left' ? NECK_LEFT[0] : -NECK_LEFT[0], NECK_LEFT[1], NECK_LEFT[2]])
  const expected = Math.min(MOST_RADIUS, Math.max(LEAST_RADIUS, size))
  /**
   * Mean over the surface of how much darker the joint space is than the head and, where the socket covers it, than the socket: worn
   * joints with spurs have stronger edges further out, but no dark shell. Steps count up to a limit, so that the hardest bone does not outvote the rest.
   */
  const value = ([x, y, z, r]: readonly number[]) => {
    let sum = 0
    let count = 0
    for (const d of directions) {
      const open = d[0] * neck[0] + d[1] * neck[1] + d[2] * neck[2]
      if (open > OPEN_COS) continue
      const along = (far: number) => at(x + far * d[0], y + far * d[1], z + far * d[2])
      const gap = along(r + CARTILAGE_MM / 2)
      sum += limited(along(r - 1.5) - gap)
      if (open < 0) sum += limited(along(r + CARTILAGE_MM + 1.5) - gap)
      count++
    }
    const off = Math.hypot(x - guess[0], y - guess[1], z - guess[2]) / OFF_MM
    return sum / count - PRIOR_HU * (off ** 2 + ((r - expected) / OFF_RADIUS_MM) ** 2)
  }
  let best = [...guess, expected]
  let most = -Infinity
  // All centres on a coarse grid with all radii, then ever smaller steps about the best.
  for (const [range, step, radii] of [
    [SEARCH_MM, 2.5, 7],
    [2, 1, 2],
    [0.8, 0.4, 0.8]
  ]) {
    const from = best
    for (let dx = -range; dx <= range; dx += step)
      for (let dy = -range; dy <= range; dy += step)
        for (let dz = -range; dz <= range; dz += step)
          for (let dr = -radii; dr <= radii; dr += step / 2) {
            const tried = [from[0] + dx, from[1] + dy, from[2] + dz, from[3] + dr]
            if (Math.hypot(tried[0] - guess[0], tried[1] - guess[1], tried[2] - guess[2]) > SEARCH_MM)
              continue
            if (tried[3] < LEAST_RADIUS || tried[3] > MOST_RADIUS) continue
            const found = value(tried)
            if (found > most) [best, most] = [tried, found]
          }
    neck = neckOf(best, neck, at)
    most = value(best)
  }
  const [x, y, z, radius] = best
  const centre: Vec3 = [x, y, z]
  return most > LEAST_STEP_HU && shownWhole(ct, centre, radius) ? { side, centre, radius, neck } : null
}

/** Where the bone beyond the head lies, by mean shift from a first direction. */
function neckOf(
  [x, y, z, r]: readonly number[],
  first: Vec3,
  at: (x: number, y: number, z: number) => number
): Vec3 {
  let neck = first
  const directions = spherePoints(600)
  const weights = directions.map(d => {
    let sum = 0
    for (let far = r + 4; far <= r + 18; far += 2)
      sum += Math.min(400, Math.max(0, at(x + far * d[0], y + far * d[1], z + far * d[2]) - 100))
    return sum
  })
  for (let round = 0; round < 8; round++) {
    const mean = [0, 0, 0]
    directions.forEach((d, i) => {
      // Close about the axis: beyond lie the socket's rims.
      if (d[0] * neck[0] + d[1] * neck[1] + d[2] * neck[2] < NECK_CONE_COS) return
      for (let k = 0; k < 3; k++) mean[k] += weights[i] * d[k]
    })
    if (!(Math.hypot(...mean) > 0)) return neck
    neck = normalize(mean as unknown as Vec3)
  }
  return neck
}
const NECK_CONE_COS = Math.cos((40 * Math.PI) / 180)

/** Whether a sphere lies within the voxel centres of a CT. */
function shownWhole(ct: Volume, centre: Vec3, radius: number): boolean {
  const from = indexToLps(ct, [0, 0, 0])
  return [0, 1, 2].every(a => {
    const axis = [ct.direction[a], ct.direction[3 + a], ct.direction[6 + a]]
    const d = sub(centre, from)
    const along = d[0] * axis[0] + d[1] * axis[1] + d[2] * axis[2]
    return along >= radius && along <= (ct.size[a] - 1) * ct.spacing[a] - radius
  })
}

/** Directions spread evenly (Fibonacci lattice). */
function spherePoints(n: number): Vec3[] {
  const golden = Math.PI * (3 - Math.sqrt(5))
  return Array.from({ length: n }, (_, i) => {
    const z = 1 - (2 * i + 1) / n
    const r = Math.sqrt(1 - z * z)
    return [r * Math.cos(golden * i), r * Math.sin(golden * i), z]
  })
}
