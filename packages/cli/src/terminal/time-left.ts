/** How far work was at a moment: seconds, and a fraction from 0 to 1. */
export interface Milestone {
  readonly time: number
  readonly fraction: number
}

/** Below this much time or work, any estimate would be a guess. */
const LEAST_SECONDS = 2
const LEAST_FRACTION = 0.005

/**
 * Seconds left at the last milestone, from the pace over the later half of the time so far: neither a slow start
 * (compiling, first phantoms, a run that was resumed half-way) nor a moment's stutter counts for much.
 * Null where it is too early to say.
 */
export function timeLeft(milestones: readonly Milestone[]): number | null {
  const first = milestones[0]
  const last = milestones[milestones.length - 1]
  if (!first || last.time - first.time < LEAST_SECONDS || last.fraction - first.fraction < LEAST_FRACTION)
    return null
  const middle = (first.time + last.time) / 2
  let from = first
  for (const m of milestones) if (m.time <= middle) from = m
  const pace = (last.fraction - from.fraction) / (last.time - from.time)
  return pace > 0 ? (1 - last.fraction) / pace : null
}

const MOST_MILESTONES = 512

/** The milestones with one more; long runs keep every other one, which is enough for {@link timeLeft}. */
export function withMilestone(milestones: readonly Milestone[], next: Milestone): Milestone[] {
  const kept =
    milestones.length < MOST_MILESTONES ? milestones : milestones.filter((_, i) => i === 0 || i % 2 === 1)
  return [...kept, next]
}
