import { outputFor, type Renderer, withDerivatives } from '../drr/renderer.js'
import { DEGREE } from '../geometry/rotation.js'
import { asSix, UNIT_SCALE } from './pose-model.js'
import { type PoseScale, rigidPoseVariables } from './pose-variables.js'

/** Half the distances between renders: small against what a pose is off, large against rounding. */
const STEPS: PoseScale = { rotation: 0.1 * DEGREE, inPlane: 0.2, depth: 1 }

/** Derivatives for a renderer that has none of its own, by central differences: thirteen renders instead of one. */
export function withFiniteDifferences(
  renderer: Pick<Renderer, 'render'>,
  steps: PoseScale = STEPS
): Required<Pick<Renderer, 'renderWithDerivatives'>> {
  const half = asSix(steps)
  return {
    renderWithDerivatives(camera, centre, out) {
      const result = withDerivatives(camera, outputFor(camera, out, 7))
      const variables = rigidPoseVariables(camera.cameraFromLps, centre, UNIT_SCALE)
      result.image.data.set(renderer.render(camera).data)
      result.derivatives.forEach((derivative, k) => {
        const at = (sign: number) =>
          renderer.render({
            ...camera,
            cameraFromLps: variables.poseAt(half.map((h, j) => (j === k ? sign * h : 0)))
          }).data
        // A renderer may write both into one buffer of its own.
        derivative.set(at(1))
        const before = at(-1)
        for (let i = 0; i < derivative.length; i++)
          derivative[i] = (derivative[i] - before[i]) / (2 * half[k])
      })
      return result
    }
  }
}
