import type { Points } from '../shape-model/align.js'

/** A bone's outer surface in a CT: a fall of at least so many HU over 2 mm, outward, from at least so many HU. */
export interface EdgeRule {
  readonly leastFallHu: number
  readonly leastInsideHu: number
}

export const BONE_EDGE: EdgeRule = { leastFallHu: 90, leastInsideHu: 140 }

const STEP = 0.5
/** Samples in 1 mm. */
const MM = 2

/**
 * For each point the signed distance along its outward normal to the bone's surface in a CT, the nearest one within `reach` mm; NaN
 * where there is none. Only falls of density outward count, so that the surface of a neighbouring bone, which rises, is not taken.
 */
export function boneEdges(
  sample: (x: number, y: number, z: number) => number,
  points: Points,
  normals: Points,
  which: ArrayLike<number>,
  reach: number,
  rule: EdgeRule = BONE_EDGE
): Float64Array {
  const half = Math.ceil(reach / STEP)
  const n = 2 * (half + 2 * MM) + 1
  const profile = new Float64Array(n)
  const fall = new Float64Array(n)
  const out = new Float64Array(which.length).fill(Number.NaN)
  for (let w = 0; w < which.length; w++) {
    const v = which[w] * 3
    for (let s = 0; s < n; s++) {
      const t = (s - half - 2 * MM) * STEP
      profile[s] = sample(
        points[v] + t * normals[v],
        points[v + 1] + t * normals[v + 1],
        points[v + 2] + t * normals[v + 2]
      )
    }
    for (let s = MM; s < n - MM; s++) fall[s] = profile[s - MM] - profile[s + MM]
    let best = Number.POSITIVE_INFINITY
    for (let s = 2 * MM; s < n - 2 * MM; s++) {
      if (!(fall[s] >= rule.leastFallHu && profile[s - MM] >= rule.leastInsideHu)) continue
      if (!(fall[s] >= fall[s - 1] && fall[s] > fall[s + 1])) continue
      // Where a parabola through the three values has its top.
      const bend = fall[s - 1] - 2 * fall[s] + fall[s + 1]
      const shift = bend < 0 ? (fall[s - 1] - fall[s + 1]) / (2 * bend) : 0
      const t = (s + shift - half - 2 * MM) * STEP
      if (Math.abs(t) <= reach && Math.abs(t) < Math.abs(best)) best = t
    }
    if (Number.isFinite(best)) out[w] = best
  }
  return out
}
