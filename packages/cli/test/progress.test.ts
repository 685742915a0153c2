import { describe, expect, it } from 'vitest'
import { clock } from '../src/terminal/duration.js'
import { createProgress } from '../src/terminal/progress.js'
import { textList, textTable } from '../src/terminal/table.js'
import { type Milestone, timeLeft, withMilestone } from '../src/terminal/time-left.js'

/** A target that keeps what is written, and a clock set by hand. */
function setUp(options: { isTTY?: boolean; columns?: number; quiet?: boolean } = {}) {
  const written: string[] = []
  const time = { now: 100 }
  const progress = createProgress(
    { isTTY: options.isTTY, columns: options.columns, write: text => written.push(text) },
    { quiet: options.quiet, now: () => time.now }
  )
  return { written, time, ...progress }
}

describe('clock', () => {
  it.each([
    [0, '0:00'],
    [7.4, '0:07'],
    [59.6, '1:00'],
    [725, '12:05'],
    [3723, '1:02:03'],
    [-3, '0:00']
  ])('shows %f s as %s', (s, text) => expect(clock(s)).toBe(text))
})

describe('timeLeft', () => {
  const steady = (pace: number, seconds: number, from = 0): Milestone[] =>
    Array.from({ length: seconds + 1 }, (_, i) => ({ time: i, fraction: from + pace * i }))

  it('is exact at an even pace, also for work that was resumed', () => {
    expect(timeLeft(steady(0.01, 40))).toBeCloseTo(60, 6)
    expect(timeLeft(steady(0.01, 20, 0.5))).toBeCloseTo(30, 6)
  })

  it('forgets a slow start', () => {
    const slow = Array.from({ length: 11 }, (_, i) => ({ time: i, fraction: 0.0001 * i }))
    const then = Array.from({ length: 40 }, (_, i) => ({ time: 11 + i, fraction: 0.001 + 0.01 * (i + 1) }))
    expect(timeLeft([...slow, ...then])).toBeCloseTo((1 - 0.401) / 0.01, 1)
  })

  it('says nothing too early, and nothing at a standstill', () => {
    expect(timeLeft([])).toBeNull()
    expect(timeLeft(steady(0.01, 1))).toBeNull()
    expect(
      timeLeft([
        { time: 0, fraction: 0.3 },
        { time: 50, fraction: 0.3 }
      ])
    ).toBeNull()
  })

  it('is 0 at the end', () => expect(timeLeft(steady(0.1, 10))).toBeCloseTo(0, 9))

  it('stays right when thousands of milestones are thinned out', () => {
    let kept: Milestone[] = []
    for (let i = 0; i <= 6000; i++) kept = withMilestone(kept, { time: i, fraction: i / 10000 })
    expect(kept.length).toBeLessThan(600)
    expect(kept[0].time).toBe(0)
    expect(timeLeft(kept)).toBeCloseTo(4000, 3)
  })
})

describe('progress on a terminal', () => {
  it('redraws one line with bar, share, time and time left, and leaves a line for each finished stage', () => {
    const p = setUp({ isTTY: true, columns: 120 })
    p.report({ stage: 'Rendering', fraction: 0 })
    for (let i = 1; i <= 10; i++) {
      p.time.now += 3
      p.report({ stage: 'Rendering', fraction: i / 20, detail: 'loss 2.13' })
    }
    expect(p.written.every(w => w.startsWith('\r\x1b[2K') && !w.includes('\n'))).toBe(true)
    expect(p.written.at(-1)).toBe(
      `\r\x1b[2KRendering  ${'█'.repeat(10)}${'░'.repeat(10)}   50 %  0:30, 0:30 left  loss 2.13`
    )
    p.time.now += 30
    p.report({ stage: 'Rendering', fraction: 1 })
    p.report({ stage: 'Training', fraction: 0 })
    p.end()
    const lines = p.written.filter(w => w.endsWith('\n')).map(w => w.replace('\r\x1b[2K', ''))
    expect(lines).toEqual(['Rendering  1:00\n', 'Training  0 %  0:00\n'])
  })

  it('never fills the line, and does not redraw more than ten times a second', () => {
    const p = setUp({ isTTY: true, columns: 40 })
    for (let i = 0; i < 100; i++) {
      p.time.now += 0.01
      p.report({ stage: 'A stage with a name that is rather long', fraction: i / 200 })
    }
    expect(p.written.length).toBeLessThanOrEqual(11)
    for (const w of p.written) expect(w.replace('\r\x1b[2K', '').length).toBeLessThan(40)
    p.end()
  })

  it('bears fractions that are none', () => {
    const p = setUp({ isTTY: true })
    for (const fraction of [Number.NaN, -1, 7]) p.report({ stage: `${fraction}`, fraction })
    p.end()
    expect(p.written.join('')).not.toMatch(/NaN %|Infinity/)
    expect(p.written.join('')).toContain('100 %')
  })
})

describe('progress in a log', () => {
  it('writes a line for each stage and at most one every ten seconds, without control characters', () => {
    const p = setUp()
    for (let i = 0; i <= 100; i++) {
      p.report({ stage: 'Training', fraction: i / 200, detail: `loss ${i}` })
      p.time.now += 0.3
    }
    p.report({ stage: 'Writing', fraction: 0 })
    p.end()
    expect(p.written).toHaveLength(1 + 2 + 1)
    expect(p.written[0]).toBe('Training: loss 0\n')
    expect(p.written[1]).toMatch(/^Training: 1[67] %, 0:10, 0:5\d left, loss 34\n$/)
    expect(p.written.at(-1)).toBe('Writing\n')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    expect(p.written.join('')).not.toMatch(/[\x00-\x09\x0b-\x1f]/)
  })

  it('is silent when quiet', () => {
    const p = setUp({ quiet: true, isTTY: true })
    p.report({ stage: 'Training', fraction: 0.5 })
    p.end()
    expect(p.written).toEqual([])
  })
})

describe('tables', () => {
  it('aligns columns by what is seen', () => {
    const table = textTable(
      [{ title: 'Name' }, { title: 'mm', align: 'right' }],
      [
        ['é', '1.5'],
        ['e\u0301ab', '−12.25']
      ]
    )
    expect(table.split('\n')).toEqual(['Name      mm', '────  ──────', 'é        1.5', 'e\u0301ab   −12.25'])
  })

  it('lists names with values', () => {
    expect(
      textList([
        ['a', 'x'],
        ['long', 'y']
      ])
    ).toBe('a     x\nlong  y')
  })
})
