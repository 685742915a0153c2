import { PoseError } from '../errors.js'
import { pelvisFrame } from '../geometry/anatomical.js'
import type { Mat4, Vec3 } from '../geometry/linear.js'
import { landmarkPosition, PELVIS_LANDMARKS } from './definitions.js'

/**
 * Anterior pelvic plane frame from the 23 pelvis landmarks: both ASIS, and the pubic tubercles or, where one of
 * them is missing, the inferior symphysis.
 *
 * @param points LPS mm in the order of {@link PELVIS_LANDMARKS}, null where unknown
 * @returns app_from_lps
 * @throws PoseError naming the landmark that is missing; GeometryError as {@link pelvisFrame}.
 */
export function pelvisFrameFromLandmarks(points: readonly (Vec3 | null)[]): Mat4 {
  const find = (name: string, side: 'R' | 'L' | 'M') => points[landmarkPosition(PELVIS_LANDMARKS, name, side)]
  const need = (name: string, side: 'R' | 'L' | 'M'): Vec3 => {
    const p = find(name, side)
    if (!p)
      throw new PoseError(
        `The frame of the pelvis needs the landmark "${name}" (${side}), which is unknown`,
        'Give it, or use the scanner frame.'
      )
    return p
  }
  const right = find('pubic tubercle', 'R')
  const left = find('pubic tubercle', 'L')
  return pelvisFrame({
    asisRight: need('anterior superior iliac spine', 'R'),
    asisLeft: need('anterior superior iliac spine', 'L'),
    pubis:
      right && left
        ? [(right[0] + left[0]) / 2, (right[1] + left[1]) / 2, (right[2] + left[2]) / 2]
        : need('inferior pubic symphysis', 'M')
  })
}
