import {
  ArgumentError,
  createRandom,
  DEGREE,
  drawFemurTurns,
  type FemurTurns,
  movableFemurs,
  type Volume,
  VolumeError
} from '@raypose/core'
import { readTargets } from './targets.js'

export interface MovedFemurs {
  readonly volume: Volume
  /** Degrees about each axis, of the femurs that moved; null where none did. */
  readonly degrees: Partial<FemurTurns> | null
  readonly notes: readonly string[]
}

export interface FemurWish {
  /** Largest turn about each axis, degrees. */
  readonly degrees: number
  /** Whether it was asked for by itself, not as part of a preset. */
  readonly explicit: boolean
  /** File of the CT's landmarks. */
  readonly landmarks?: string
  readonly seed: number
}

/**
 * A CT with its femurs turned, for a simulated X-ray.
 * @throws ArgumentError, VolumeError where that was asked for explicitly and cannot be done; as a part of a preset it is left out with a note
 */
export async function withFemursMoved(volume: Volume, wish: FemurWish): Promise<MovedFemurs> {
  const still = (notes: readonly string[]): MovedFemurs => ({ volume, degrees: null, notes })
  if (!(wish.degrees > 0)) return still([])
  if (wish.landmarks === undefined) {
    if (wish.explicit)
      throw new ArgumentError(
        'Nothing says where the hips are in the CT, so its femurs cannot be moved',
        'Give the landmarks of the pelvis: --landmarks NAME.landmarks.json.'
      )
    return still(['The femurs are as in the CT: to move them, give its landmarks (--landmarks).'])
  }
  const movable = movableFemurs(volume, await readTargets(wish.landmarks))
  if (movable.joints.length === 0) {
    const what = 'The CT shows no femoral head whole where the landmarks lead to expect one'
    if (wish.explicit)
      throw new VolumeError(what, 'Check that the landmarks belong to this CT, or leave --femurs out.')
    return still([`${what}: the femurs stay.`])
  }
  const turns = drawFemurTurns(createRandom(wish.seed + 9797), wish.degrees)
  const inDegrees = ({ flexion, abduction, rotation }: FemurTurns['left']) => ({
    flexion: flexion / DEGREE,
    abduction: abduction / DEGREE,
    rotation: rotation / DEGREE
  })
  return {
    volume: movable.move(turns),
    degrees: Object.fromEntries(movable.joints.map(({ side }) => [side, inDegrees(turns[side])])),
    notes: []
  }
}
