import {
  centredDetector,
  type Detector,
  type Mat4,
  PAPER_SOURCE_TO_ISOCENTER,
  rigid,
  rotationZ,
  toDetectorPixel
} from '@raypose/core'

/** The detector that a network was trained for, on an X-ray's source: same ray slopes, centred on its picture, turned in its plane. */
export interface Eye {
  readonly detector: Detector
  /** Turn of the eye against the X-ray's detector about the optical axis, radians. */
  readonly turn: number
}

/**
 * Centred on the picture, not on the principal point: an off-centre beam still shows its whole picture to the network.
 * @param turn clockwise turn of the picture (head-up is 0), radians: the eye is turned with it
 */
export function networkEye(trained: Detector, xray: Detector, turn = 0): Eye {
  const scale = xray.sdd / trained.sdd
  const d = centredDetector(xray.sdd, [trained.pixel[0] * scale, trained.pixel[1] * scale], trained.size)
  const middle = toDetectorPixel((xray.size[0] - 1) / 2, (xray.size[1] - 1) / 2, xray, d, -turn)
  const detector: Detector = {
    ...d,
    principalPoint: [
      d.principalPoint[0] - (middle.u - (d.size[0] - 1) / 2),
      d.principalPoint[1] - (middle.v - (d.size[1] - 1) / 2)
    ]
  }
  return { detector, turn }
}

/** Where the patient's middle usually is: the paper's share of the distance from source to detector, mm from the source. */
export const usualDepth = (sdd: number): number => (PAPER_SOURCE_TO_ISOCENTER / 1200) * sdd

/** The rotation that takes coordinates of a turned camera to those of the X-ray's: cameraFromLps = this · eyeFromLps. */
export const cameraFromEye = (turn: number): Mat4 => rigid(rotationZ(turn), [0, 0, 0])

/** How far the patient's head is turned clockwise from the top of the picture under a pose, radians in (−π, π]. */
export const pictureRotation = (cameraFromLps: Mat4): number =>
  // Where superior (+z in LPS) points in the picture; up is −row.
  Math.atan2(cameraFromLps[2], -cameraFromLps[6])
