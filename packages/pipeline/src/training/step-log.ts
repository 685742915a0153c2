import type { LoggedStep } from './run-folder.js'
import type { TrainingStep } from './train-options.js'

/** Sums steps up for the log: pass every step, get an entry every so many. */
export function stepSummary(every: number, batchSize: number): (s: TrainingStep) => LoggedStep | null {
  let steps = 0
  let [train, wait, feed, views] = [0, 0, 0, 0]
  let from = performance.now()
  return s => {
    steps++
    train += s.trainSeconds
    wait += s.waitSeconds
    feed += s.feedSeconds
    views += s.viewSeconds
    if (s.step % every !== 0) return null
    const wall = (performance.now() - from) / 1000
    const { step, loss, gradientNorm, lr, seconds } = s
    const share = (part: number) => Number((part / wall).toFixed(4))
    const entry: LoggedStep = {
      step,
      loss,
      gradientNorm,
      lr,
      seconds,
      imagesPerSecond: (steps * batchSize) / wall,
      shares: { training: share(train), waiting: share(wait), feeding: share(feed), views: share(views) }
    }
    steps = 0
    ;[train, wait, feed, views] = [0, 0, 0, 0]
    from = performance.now()
    return entry
  }
}
