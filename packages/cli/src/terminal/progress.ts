import type { OnProgress, Progress } from '@raypose/pipeline'
import { clock } from './duration.js'
import { type Milestone, timeLeft, withMilestone } from './time-left.js'

/** Where progress is shown: standard error, in life. */
export interface ProgressTarget {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

export interface ProgressOptions {
  readonly quiet?: boolean
  /** Seconds of some steady clock. */
  readonly now?: () => number
}

export interface ProgressReporter {
  readonly report: OnProgress
  /** Ends the line that is being drawn. Call it before anything else is written, whatever came of the work. */
  readonly end: () => void
}

/** Seconds between two redraws of a terminal's line, and between two lines of a log. */
const REDRAW = 0.1
const LOG_EVERY = 10
const BAR = 20

/**
 * Shows progress: on a terminal one line that is redrawn, elsewhere (a file, a pipe) a line for each stage and one at
 * most every 10 seconds. With `quiet` nothing at all.
 */
export function createProgress(target: ProgressTarget, options: ProgressOptions = {}): ProgressReporter {
  if (options.quiet) return { report: () => {}, end: () => {} }
  const now = options.now ?? (() => performance.now() / 1000)
  return target.isTTY ? redrawnLine(target, now) : logLines(target, now)
}

/** One stage of the work, from its first report on. */
interface Stage {
  readonly name: string
  readonly started: number
  milestones: Milestone[]
  latest: Progress
}

/** Progress with a fraction that can be drawn. */
const sane = (p: Progress): Progress => ({
  ...p,
  fraction: Number.isFinite(p.fraction) ? Math.max(0, Math.min(1, p.fraction)) : 0
})

const begin = (p: Progress, time: number): Stage => ({
  name: p.stage,
  started: time,
  milestones: [{ time, fraction: p.fraction }],
  latest: p
})

function advance(stage: Stage, p: Progress, time: number): void {
  stage.latest = p
  const last = stage.milestones[stage.milestones.length - 1]
  if (p.fraction > last.fraction)
    stage.milestones = withMilestone(stage.milestones, { time, fraction: p.fraction })
}

/** Seconds left now; the estimate of the last milestone runs down until the next. */
function remaining(stage: Stage, time: number): number | null {
  const left = timeLeft(stage.milestones)
  if (left === null) return null
  return Math.max(0, left - (time - stage.milestones[stage.milestones.length - 1].time))
}

const percent = (p: Progress) => `${Math.floor(100 * p.fraction + 1e-9)} %`

function redrawnLine(target: ProgressTarget, now: () => number): ProgressReporter {
  let stage: Stage | null = null
  let drawn = Number.NEGATIVE_INFINITY
  let ticker: ReturnType<typeof setInterval> | null = null
  const draw = (s: Stage) => {
    const time = now()
    drawn = time
    const left = remaining(s, time)
    const full = Math.round(BAR * s.latest.fraction)
    const parts = [
      s.name,
      `${'█'.repeat(full)}${'░'.repeat(BAR - full)}`,
      percent(s.latest).padStart(5),
      `${clock(time - s.started)}${left === null ? '' : `, ${clock(left)} left`}`,
      s.latest.detail ?? ''
    ]
    // A line that wraps could not be redrawn.
    const line = parts
      .filter(Boolean)
      .join('  ')
      .slice(0, Math.max(1, (target.columns ?? 80) - 1))
    target.write(`\r\x1b[2K${line}`)
  }
  const close = () => {
    if (!stage) return
    const { name, latest, started } = stage
    const done = latest.fraction >= 1 ? '' : `  ${percent(latest)}`
    target.write(`\r\x1b[2K${name}${done}  ${clock(now() - started)}\n`)
    stage = null
  }
  return {
    report(raw) {
      const p = sane(raw)
      const time = now()
      if (stage?.name !== p.stage) {
        close()
        stage = begin(p, time)
        draw(stage)
      } else {
        advance(stage, p, time)
        if (time - drawn >= REDRAW || p.fraction >= 1) draw(stage)
      }
      // So that the clock runs on while a long step says nothing.
      ticker ??= setInterval(() => stage && draw(stage), 1000).unref()
    },
    end() {
      if (ticker) clearInterval(ticker)
      ticker = null
      close()
    }
  }
}

function logLines(target: ProgressTarget, now: () => number): ProgressReporter {
  let stage: Stage | null = null
  let written = Number.NEGATIVE_INFINITY
  const write = (s: Stage, time: number) => {
    written = time
    const left = remaining(s, time)
    const parts = [
      ...(s.latest.fraction > 0 ? [percent(s.latest)] : []),
      ...(time - s.started >= 1 ? [clock(time - s.started)] : []),
      ...(left === null || s.latest.fraction >= 1 ? [] : [`${clock(left)} left`]),
      ...(s.latest.detail ? [s.latest.detail] : [])
    ]
    target.write(`${s.name}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}\n`)
  }
  return {
    report(raw) {
      const p = sane(raw)
      const time = now()
      if (stage?.name !== p.stage) {
        stage = begin(p, time)
        write(stage, time)
      } else {
        advance(stage, p, time)
        if (time - written >= LOG_EVERY) write(stage, time)
      }
    },
    end() {
      stage = null
    }
  }
}
