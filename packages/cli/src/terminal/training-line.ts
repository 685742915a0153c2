import type { TrainingStep } from '@raypose/pipeline'

/** Columns of the curve. */
const COLUMNS = 16
const BARS = '▁▂▃▄▅▆▇█'

/** The course of a loss as one short line of text. */
export interface LossTrace {
  /** @param progress share of the work done, 0 to 1 */
  add(progress: number, loss: number): void
  text(): string
}

/**
 * Collects a loss over the whole of the work, a column for each sixteenth of it: the lowest bar is the smallest loss so far, the
 * highest the largest.
 */
export function lossTrace(): LossTrace {
  const columns: number[] = []
  return {
    add(progress, loss) {
      if (Number.isFinite(loss)) columns[Math.min(COLUMNS - 1, Math.floor(progress * COLUMNS))] = loss
    },
    text() {
      const seen = columns.filter(Number.isFinite)
      const low = Math.min(...seen)
      const span = Math.max(...seen) - low
      return seen.map(l => BARS[span > 0 ? Math.round(((l - low) / span) * (BARS.length - 1)) : 0]).join('')
    }
  }
}

/** What is worth seeing of a training beside its progress, what matters most first: a narrow terminal cuts the end off. */
export function trainingDetail(
  s: Pick<TrainingStep, 'step' | 'loss' | 'imagesPerSecond'>,
  validationMm: number | null,
  trace: string
): string {
  return [
    `loss ${s.loss.toFixed(3)}`,
    ...(validationMm === null ? [] : [`validation ${validationMm.toFixed(2)} mm`]),
    `${s.imagesPerSecond.toFixed(1)} images/s`,
    `step ${s.step}`,
    trace
  ].join(', ')
}
