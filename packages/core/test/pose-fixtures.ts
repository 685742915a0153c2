import { PAPER_DETECTOR, project } from '../src/geometry/camera.js'
import { centroid, type Mat4, type Vec2, type Vec3 } from '../src/geometry/linear.js'
import { DEGREE } from '../src/geometry/rotation.js'
import { poseFromView } from '../src/geometry/view.js'
import { PELVIS_LANDMARKS } from '../src/landmarks/definitions.js'
import type { Random } from '../src/random/random.js'

/** The mean landmarks of the pelvis: symmetric in pairs, some of them nearly in planes, as in a patient. */
export const LANDMARKS: readonly Vec3[] = PELVIS_LANDMARKS.landmarks.map(l => l.mean)

/** A view of the paper's range: γ ±40°, α ±15°, β ±10°, offsets ±20 mm. */
export const randomView = (random: Random, points: readonly Vec3[] = LANDMARKS): Mat4 =>
  poseFromView(
    {
      alpha: random.uniform(-15, 15) * DEGREE,
      beta: random.uniform(-10, 10) * DEGREE,
      gamma: random.uniform(-40, 40) * DEGREE,
      translation: [random.uniform(-20, 20), random.uniform(-20, 20), random.uniform(-20, 20)]
    },
    centroid(points)
  )

/** Pixels of points under a pose, with Gaussian noise of `sigma` pixels on each axis. */
export const seen = (points: readonly Vec3[], cameraFromLps: Mat4, random?: Random, sigma = 0): Vec2[] =>
  points.map(p => {
    const { u, v } = project({ detector: PAPER_DETECTOR, cameraFromLps }, p)
    return random ? [u + sigma * random.normal(), v + sigma * random.normal()] : [u, v]
  })

/** Adds `count` wild detections, anywhere on the detector; returns which. */
export function addOutliers(pixels: Vec2[], count: number, random: Random): number[] {
  const chosen = random.shuffle(pixels.map((_, i) => i)).slice(0, count)
  for (const i of chosen) pixels[i] = [random.uniform(0, 239), random.uniform(0, 187)]
  return chosen
}
