import type { Renderer } from '../src/drr/renderer.js'
import type { Camera } from '../src/geometry/camera.js'
import type { Vec3 } from '../src/geometry/linear.js'
import { rigidPoseVariables } from '../src/registration/pose-variables.js'

/**
 * The six derivatives of a renderer's image with respect to the pose, by central differences.
 * @param centre LPS mm
 */
export function poseDifferences(renderer: Renderer, camera: Camera, centre: Vec3): Float32Array[] {
  const variables = rigidPoseVariables(camera.cameraFromLps, centre, { rotation: 1, inPlane: 1, depth: 1 })
  return Array.from({ length: 6 }, (_, a) => {
    // Small, since the differences are wrong where a side of the volume passes between them, but above float32.
    const h = a < 3 ? 1e-4 : 0.01
    const at = (x: number) =>
      renderer.render({
        ...camera,
        cameraFromLps: variables.poseAt(Array.from({ length: 6 }, (_, b) => (b === a ? x : 0)))
      }).data
    const [ahead, behind] = [at(h), at(-h)]
    return ahead.map((x, n) => (x - behind[n]) / (2 * h))
  })
}
