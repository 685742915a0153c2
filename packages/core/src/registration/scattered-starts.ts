import type { Mat4, Vec3 } from '../geometry/linear.js'
import { DEGREE } from '../geometry/rotation.js'
import { createRandom } from '../random/random.js'
import { asSix } from './pose-model.js'
import { type PoseScale, rigidPoseVariables } from './pose-variables.js'

/** Standard deviations of a start whose pose is hardly known: a pose from few landmarks, a C-arm's angles. */
export const START_SPREAD: PoseScale = { rotation: 6 * DEGREE, inPlane: 12, depth: 30 }

/**
 * Poses about a start to begin from besides it: first the pose itself and pairs along its weak direction, depth, then pairs drawn at
 * random and turned round.
 * @param start cameraFromLps
 * @param centre what rotations turn about, LPS mm
 * @param count of poses in all, the start among them
 */
export function scatteredStarts(
  start: Mat4,
  centre: Vec3,
  count: number,
  spread: PoseScale = START_SPREAD,
  seed = 1
): Mat4[] {
  const variables = rigidPoseVariables(start, centre, spread)
  const random = createRandom(seed)
  const draws: number[][] = [[0, 0, 0, 0, 0, 0]]
  for (const depth of [1, -1]) draws.push([0, 0, 0, 0, 0, depth])
  while (draws.length < count) {
    const draw = asSix({ rotation: 1, inPlane: 1, depth: 1 }).map(() => random.normal())
    // With its opposite, so that no side is left out.
    draws.push(
      draw,
      draw.map(x => -x)
    )
  }
  return draws.slice(0, Math.max(1, count)).map(x => variables.poseAt(x))
}
