import type { ViewsLevel } from '@raypose/core'

/** With this share of the picture to compare, landmarks need not hold the pose more than levels say. */
const ENOUGH = 0.4
/** What all landmarks missed cost at any level, in units of the similarity, for each time that {@link ENOUGH} holds the share. */
const HOLD = 0.01

/**
 * The similarity is a mean over what can be compared, and says the less the less that is; landmarks say as much as ever. Where the field
 * hardly meets the CT they are what holds the pose, to the last level.
 */
export function heldByLandmarks(levels: readonly ViewsLevel[], share: number): readonly ViewsLevel[] {
  const scarce = ENOUGH / Math.max(share, 0.01)
  if (scarce <= 1) return levels
  return levels.map(l => ({
    ...l,
    landmarkWeight: (l.landmarkWeight ?? 0) * scarce + HOLD * (scarce - 1)
  }))
}
