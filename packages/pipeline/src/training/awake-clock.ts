/** Longer between two beats than a busy machine makes it: the process was stopped. */
const LONGEST_MS = 5000
const BEAT_MS = 1000

/** Seconds that the process ran. */
export interface AwakeClock {
  seconds(): number
  end(): void
}

/**
 * A stopwatch that stands while the process is stopped (a debugger, a job control signal, a machine put to sleep): a time limit is meant for work, and
 * a training that slept through its own would end untrained.
 * @param before seconds on it already
 */
export function awakeClock(before = 0, now: () => number = () => performance.now()): AwakeClock {
  let seconds = before
  let last = now()
  const beat = () => {
    const t = now()
    seconds += Math.min(t - last, LONGEST_MS) / 1000
    last = t
    return seconds
  }
  const timer = setInterval(beat, BEAT_MS)
  timer.unref()
  return { seconds: beat, end: () => clearInterval(timer) }
}
