import {
  ArgumentError,
  DEGREE,
  type Detector,
  type Mat4,
  poseErrors,
  poseFromView,
  type Random,
  rigidPoseVariables,
  type Vec3
} from '@raypose/core'
import type { Start } from './schema.js'

/** Starts that need no network. */
export type GivenStart = Exclude<Start, { kind: 'network' }>

/** What a start is made from. */
export interface StartPlace {
  readonly detector: Detector
  readonly truth: Mat4
  /** LPS mm; rotations turn about it. */
  readonly isocenter: Vec3
  readonly sourceToIsocenter: number
  readonly targets: readonly Vec3[]
  readonly random: Random
}

/** How a displacement is shared out: 1° counts as much as 3 mm along the detector and 10 mm in depth, the weak direction of one view. */
const UNIT = { rotation: DEGREE, inPlane: 3, depth: 10 }
/** Beyond this many units no displacement is sought. */
const FURTHEST = 90

/**
 * The pose that a registration without a network starts from: camera_from_lps.
 * @throws ArgumentError where no displacement in the drawn direction has the TRE asked for
 */
export function givenStart(start: GivenStart, place: StartPlace): Mat4 {
  const { truth, isocenter, random } = place
  if (start.kind === 'fixed')
    return poseFromView(
      {
        alpha: start.alphaDeg * DEGREE,
        beta: start.betaDeg * DEGREE,
        gamma: start.gammaDeg * DEGREE,
        translation: start.offsetMm
      },
      isocenter,
      place.sourceToIsocenter
    )
  const draws = Array.from({ length: 6 }, () => random.normal())
  if (start.kind === 'perturbed') {
    const scale = {
      rotation: start.rotationDeg * DEGREE,
      inPlane: start.inPlaneMm,
      depth: start.depthMm
    }
    return rigidPoseVariables(truth, isocenter, scale).poseAt(draws)
  }
  const variables = rigidPoseVariables(truth, isocenter, UNIT)
  const length = Math.hypot(...draws)
  const poseAt = (far: number) => variables.poseAt(draws.map(d => (far * d) / length))
  const tre = (far: number) => poseErrors(place.detector, poseAt(far), truth, place.targets).tre
  let [low, high] = [0, 1]
  while (tre(high) < start.treMm) {
    if (high > FURTHEST)
      throw new ArgumentError(
        `No pose near the truth has a TRE of ${start.treMm} mm`,
        'Ask for a smaller displacement.'
      )
    low = high
    high *= 2
  }
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (tre(middle) < start.treMm) low = middle
    else high = middle
  }
  return poseAt(high)
}
