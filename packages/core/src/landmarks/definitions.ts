import { ArgumentError } from '../errors.js'
import type { Vec3 } from '../geometry/linear.js'

/** Right, left, or on the median plane. */
export type Side = 'R' | 'L' | 'M'

/** One anatomical landmark of a set. */
export interface Landmark {
  /** 1-based number, as the literature and reports count; arrays of points are in the same order, from 0. */
  readonly index: number
  readonly name: string
  readonly side: Side
  /** Number of the same landmark on the other side; its own for a median one. */
  readonly mirror: number
  /** Mean position in LPS axes about an origin in the middle of the pelvis, mm: for placement, not for accuracy. */
  readonly mean: Vec3
}

/** The landmarks a network detects, in the order of its output maps. */
export interface LandmarkSet {
  readonly id: string
  readonly landmarks: readonly Landmark[]
}

const row = (index: number, name: string, side: Side, mirror: number, mean: Vec3): Landmark => ({
  index,
  name,
  side,
  mirror,
  mean
})

/** Two symmetric landmarks, the right one first; `left` is the mean position of the left one. */
const pair = (index: number, name: string, left: Vec3): Landmark[] => [
  row(index, name, 'R', index + 1, [-left[0], left[1], left[2]]),
  row(index + 1, name, 'L', index, left)
]

const median = (index: number, name: string, mean: Vec3): Landmark => row(index, name, 'M', index, mean)

/**
 * The 23 landmarks of the pelvis, after Bier et al. 2018 (the paper's reference [1]). Mean positions are rounded
 * means over 28 patients of the I-STAR pelvis atlas (Han et al. 2019, CC BY 4.0); standard deviations 3–10 mm.
 */
export const PELVIS_LANDMARKS: LandmarkSet = {
  id: 'pelvis-23',
  landmarks: [
    ...pair(1, 'ischial tuberosity', [50, 10, -61]),
    ...pair(3, 'posterior border of obturator foramen', [50, 2, -35]),
    median(5, 'inferior pubic symphysis', [0, -40, -28]),
    median(6, 'superior pubic symphysis', [0, -63, -8]),
    ...pair(7, 'pubic tubercle', [27, -68, -10]),
    ...pair(9, 'superior border of obturator foramen', [43, -39, -4]),
    ...pair(11, 'inferior acetabular rim', [69, -12, -11]),
    ...pair(13, 'superolateral acetabular rim', [88, -17, 31]),
    ...pair(15, 'ischial spine', [52, 39, 6.5]),
    ...pair(17, 'sacroiliac joint at the pelvic brim', [54, 11, 76]),
    ...pair(19, 'anterior inferior iliac spine', [95, -54, 47]),
    ...pair(21, 'anterior superior iliac spine', [110, -68, 79]),
    median(23, 'sacral promontory', [0, 9, 110])
  ]
}

/** For each landmark, the position (from 0) of its mirror partner: what a left-right flip of an image does to maps. */
export const mirrorPermutation = (set: LandmarkSet): number[] => set.landmarks.map(l => l.mirror - 1)

/**
 * Position (from 0) of a landmark by name and side.
 * @throws ArgumentError if the set has none.
 */
export function landmarkPosition(set: LandmarkSet, name: string, side: Side): number {
  const i = set.landmarks.findIndex(l => l.name === name && l.side === side)
  if (i < 0)
    throw new ArgumentError(
      `The landmark set ${set.id} has no "${name}" on side ${side}`,
      `It has: ${[...new Set(set.landmarks.map(l => l.name))].join(', ')}.`
    )
  return i
}
