import { type Mat3, mulMat3 } from '../geometry/linear.js'
import { DEGREE, rotationX, rotationY, rotationZ } from '../geometry/rotation.js'
import type { Random } from '../random/random.js'

/** Further than this from where the CT has it, about each axis, the flesh of the hip cannot follow smoothly. */
export const MOST_FEMUR_DEGREES = 25

/** How a femur is turned in its socket, radians; zero: as the CT has it. */
export interface FemurTurn {
  /** About the patient's left-right axis: knee forward. */
  readonly flexion: number
  /** About the front-back axis: knee outward. */
  readonly abduction: number
  /** About the long axis: toes outward. */
  readonly rotation: number
}

export interface FemurTurns {
  readonly left: FemurTurn
  readonly right: FemurTurn
}

/** Turns of both femurs, each angle drawn evenly from ±`degrees`: √(mean square) of the whole angle is about `degrees`. */
export function drawFemurTurns(random: Random, degrees: number): FemurTurns {
  const angle = () => random.uniform(-degrees, degrees) * DEGREE
  const turn = (): FemurTurn => ({ flexion: angle(), abduction: angle(), rotation: angle() })
  return { left: turn(), right: turn() }
}

/** A turn as a rotation in LPS: long axis first, then out, then forward. */
export function femurRotation({ flexion, abduction, rotation }: FemurTurn, side: 'left' | 'right'): Mat3 {
  const s = side === 'left' ? 1 : -1
  return mulMat3(mulMat3(rotationX(-flexion), rotationY(-s * abduction)), rotationZ(s * rotation))
}
