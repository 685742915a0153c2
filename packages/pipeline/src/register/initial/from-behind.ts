import { composeRigid, type Mat4, mirrorImage, type Vec2 } from '@raypose/core'
import type { Detector as LandmarkDetector } from '@raypose/network'

/**
 * Which side of the patient the X-ray tube stands on: in front of a patient on the back, as in the geometry contract, or behind (beneath the table),
 * as C-arms are mostly used.
 */
export type TubeSide = 'front' | 'behind'

/**
 * A network of pictures taken from the front, for pictures taken from behind. Along parallel rays both show the same, each the other's mirror
 * image; so it is shown the mirror image, and its columns are turned back. The camera stays the true one.
 * @param size of the network's pictures, pixels
 */
export function seenFromBehind(
  network: Pick<LandmarkDetector, 'detect'>,
  [width, height]: Vec2
): Pick<LandmarkDetector, 'detect'> {
  return {
    async detect(images) {
      const found = await network.detect(images.map(data => mirrorImage({ width, height, data }).data))
      return found.map(detections => detections.map(d => ({ ...d, u: width - 1 - d.u })))
    }
  }
}

/** Half a turn about the picture's columns. */
// biome-ignore format: a matrix
const HALF_TURN: Mat4 = [
  -1, 0, 0, 0,
  0, 1, 0, 0,
  0, 0, -1, 0,
  0, 0, 0, 1
]

/**
 * The pose of the same rotation, seen from the front: of two cameras that look along the same lines from opposite sides the one that a
 * network and its weights by view know. Only its angles mean anything.
 */
export const fromTheFront = (cameraFromLps: Mat4): Mat4 => {
  // The optical axis in LPS is the third row: from anterior to posterior, +y, for a tube in front.
  const front = cameraFromLps[9] >= 0
  return front ? cameraFromLps : composeRigid(HALF_TURN, cameraFromLps)
}
