import type { Vec3 } from '@raypose/core'
import { fixed } from './format.js'

export interface ViewInDegrees {
  readonly alphaDeg: number
  readonly betaDeg: number
  readonly gammaDeg: number
  /** LPS mm. */
  readonly translationMm: Vec3
}

/** Below these an angle or an offset is as good as none. */
const LEAST_DEGREES = 0.05
const LEAST_MM = 0.05

/**
 * Where the C-arm stands, in words. At zero the X-ray source is in front of the patient and the beam runs front to back;
 * γ carries the source around the patient, α tilts it along the body, β turns the picture (geometry contract, "View angles").
 */
export function poseInWords({ alphaDeg, betaDeg, gammaDeg, translationMm }: ViewInDegrees): string {
  const turn = (degrees: number, positive: string, negative: string) =>
    Math.abs(degrees) < LEAST_DEGREES
      ? null
      : `${fixed(Math.abs(degrees), 1)}° ${degrees > 0 ? positive : negative}`
  const turns = [
    // Right-handed about the patient's left-right axis: a source in front goes towards the feet.
    turn(gammaDeg, 'towards the patient’s left', 'towards the patient’s right'),
    turn(alphaDeg, 'towards the feet', 'towards the head')
  ].filter(t => t !== null)
  // Right-handed about the beam, which runs away from the source.
  const roll = turn(betaDeg, 'clockwise', 'counterclockwise')
  const move = (mm: number, positive: string, negative: string) =>
    Math.abs(mm) < LEAST_MM ? null : `${fixed(Math.abs(mm), 1)} mm ${mm > 0 ? positive : negative}`
  const moves = [
    move(translationMm[0], 'to the patient’s left', 'to the patient’s right'),
    move(translationMm[1], 'to the back', 'to the front'),
    move(translationMm[2], 'towards the head', 'towards the feet')
  ].filter(m => m !== null)
  return [
    turns.length > 0
      ? `Seen from straight in front of the patient, the X-ray source is turned ${joined(turns)}.`
      : 'The X-ray source is straight in front of the patient.',
    roll ? `The C-arm is rolled about its beam by ${roll}, as seen from the source.` : null,
    moves.length > 0
      ? `Its centre is off the isocentre of the patient by ${joined(moves)}.`
      : 'Its centre is the isocentre of the patient.'
  ]
    .filter(s => s !== null)
    .join(' ')
}

const joined = (parts: readonly string[]): string =>
  parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts[parts.length - 1]}`
