import { distance, type Vec3 } from '../geometry/linear.js'
import type { Anatomy } from './anatomy.js'

/** Something that two landmarks have wrong with each other, and which of them to give up. */
export interface Confusion {
  /** Position (from 0) of the landmark that is not believed. */
  readonly landmark: number
  /** What is wrong, for people. */
  readonly reason: string
}

export interface ConfusionOptions {
  /** A point this near to where it belongs is never given up, mm. */
  readonly gateMm: number
  /** Two landmarks at less than this share of the distance they should have are the same point found twice. */
  readonly duplicateShare: number
}

export const CONFUSION_DEFAULTS: ConfusionOptions = { gateMm: 12, duplicateShare: 0.4 }

/**
 * Landmarks of a patient that were taken for each other: one that lies where its partner of the other side belongs, and two that
 * were found in the same place. Detections in single views look right in both cases; only the 3D arrangement tells.
 *
 * @param points found points, LPS mm; null where there is none
 * @param expected where a shape prior fitted to all of them has each (`fitShapePrior(…).landmarks`)
 */
export function findConfusions(
  anatomy: Pick<Anatomy, 'landmarkNames' | 'mirror'>,
  points: readonly (Vec3 | null)[],
  expected: readonly Vec3[],
  options: Partial<ConfusionOptions> = {}
): Confusion[] {
  const o = { ...CONFUSION_DEFAULTS, ...options }
  const name = (i: number) => anatomy.landmarkNames[i]
  const found = new Map<number, string>()
  const off = (i: number) => distance(points[i]!, expected[i])
  points.forEach((p, i) => {
    const partner = anatomy.mirror?.[i] ?? i
    if (!p || partner === i || off(i) <= o.gateMm) return
    if (distance(p, expected[partner]) < off(i) / 2)
      found.set(i, `it lies where ${name(partner)} belongs: the sides were mixed up`)
  })
  for (let i = 0; i < points.length; i++)
    for (let j = i + 1; j < points.length; j++) {
      const [p, q] = [points[i], points[j]]
      if (!p || !q || found.has(i) || found.has(j)) continue
      if (distance(p, q) >= o.duplicateShare * distance(expected[i], expected[j])) continue
      const [worse, other] = off(i) > off(j) ? [i, j] : [j, i]
      if (off(worse) > o.gateMm)
        found.set(
          worse,
          `it was found ${distance(p, q).toFixed(0)} mm from ${name(other)}: the same point twice`
        )
    }
  return [...found].map(([landmark, reason]) => ({ landmark, reason }))
}
