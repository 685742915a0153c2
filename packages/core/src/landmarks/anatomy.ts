import { distance, type Vec3 } from '../geometry/linear.js'
import type { ShapePrior } from './shape-prior.js'

/** All that is known of an anatomy beyond one patient: what a network that finds it carries along. */
export interface Anatomy {
  /** For people and for telling anatomies apart: "pelvis", "fourth lumbar vertebra". */
  readonly name: string
  readonly landmarkNames: readonly string[]
  /** For each landmark the position (from 0) of its like on the other side, its own for a median one; null: no symmetry is known. */
  readonly mirror: readonly number[] | null
  /** How the landmarks lie to each other; mm, axes along LPS. */
  readonly prior: ShapePrior
}

/**
 * Mirror partners of landmarks whose names end in " R", " L" or " M" (median), each right one with its left one.
 * @returns null where names are not of that kind, or a partner is missing
 */
export function mirrorFromNames(names: readonly string[]): number[] | null {
  const partners = names.map(name => {
    const side = / ([RLM])$/.exec(name)?.[1]
    if (!side) return -1
    return names.indexOf(side === 'M' ? name : `${name.slice(0, -1)}${side === 'R' ? 'L' : 'R'}`)
  })
  return partners.every(i => i >= 0) ? partners : null
}

/** Root mean square distance of the prior's mean landmarks from their centre, mm: how large an anatomy is. */
export function priorRadius({ mean }: ShapePrior): number {
  const centre = [0, 1, 2].map(k => mean.reduce((s, p) => s + p[k] / mean.length, 0)) as unknown as Vec3
  return Math.sqrt(mean.reduce((s, p) => s + distance(p, centre) ** 2 / mean.length, 0))
}
