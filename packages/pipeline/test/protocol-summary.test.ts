import { IDENTITY4, type PoseErrors } from '@raypose/core'
import { beforeAll, describe, expect, it } from 'vitest'
import { compareRuns } from '../src/protocol/compare.js'
import { readProtocol } from '../src/protocol/read-protocol.js'
import { type EarlierView, RESULT_COLUMNS, resultRow, viewsOf } from '../src/protocol/results.js'
import { type ProtocolRow, UNJUDGED } from '../src/protocol/rows.js'
import type { Protocol } from '../src/protocol/schema.js'
import { summariseProtocol } from '../src/protocol/summary.js'
import type { RegistrationStatus } from '../src/register/assessment/assess.js'

let paper: Protocol
beforeAll(async () => {
  paper = await readProtocol('paper')
})

const errors = (tre: number, mpd: number): PoseErrors => ({
  tre,
  treInPlane: 0,
  treDepth: 0,
  projectionDistance: mpd,
  reprojectionDistance: 0,
  cameraTranslation: 0,
  cameraRotationDeg: 0
})

function row(
  patient: string,
  view: number,
  initial: PoseErrors | null,
  final: PoseErrors | null
): ProtocolRow {
  return {
    patient,
    method: 'bobyqa-ncc',
    view,
    alphaDeg: 0,
    betaDeg: 0,
    gammaDeg: view,
    offsetMm: [0, 0, 0],
    visible: 23,
    truth: IDENTITY4,
    initialPose: initial && IDENTITY4,
    finalPose: final && IDENTITY4,
    initial,
    final,
    initialProbability: null,
    ...UNJUDGED,
    seconds: initial ? { refine: 1, total: 1.25 + view } : {}
  }
}

it('sums up as one would by hand', () => {
  const rows = [
    row('a', 0, errors(10, 20), errors(0.5, 1)),
    row('a', 1, errors(14, 9), errors(1.5, 2)),
    row('b', 0, errors(18, 9.7), errors(30, 9.7)),
    row('b', 1, null, null)
  ]
  const { overall, patients, published } = summariseProtocol(paper, rows, ['a', 'b'])
  const [m] = overall
  expect([m.views, m.poses]).toEqual([4, 3])
  // Mean of 10, 14, 18 is 14, standard deviation 4; the 95th percentile lies 0.9 of the way from 14 to 18.
  expect(m.initial?.measures.tre).toMatchObject({ mean: 14, std: 4, median: 14, p95: 17.6, max: 18 })
  // 2.5 % of 384 mm is 9.6 mm: two of four views; the one without a pose counts.
  expect(m.finalRates.map(r => [r.title, r.count, r.of])).toEqual([
    ['Success (paper)', 2, 4],
    ['Strict success', 2, 4],
    ['Sub-millimetre', 1, 4],
    ['Gross failure', 2, 4],
    ['Success (successor)', 3, 4]
  ])
  expect(m.finalRates[0].threshold).toBeCloseTo(9.6, 12)
  // As the paper reports projection distances: of the successes alone.
  expect(m.finalOfSuccesses?.measures.projectionDistance).toMatchObject({ mean: 1.5, max: 2 })
  // Without the second of refinement; views without a pose have no time.
  expect(m.seconds.initial?.mean).toBeCloseTo(0.25 + 1 / 3, 12)
  expect(m.seconds.initial?.max).toBe(1.25)
  expect(patients.map(p => p.methods[0].poses)).toEqual([2, 1])
  const ours = published.map(p => [p.figure.what, p.ours.mean ?? p.ours.count, p.ours.of])
  expect(ours).toContainEqual(['tre', 14, 3])
  expect(ours).toContainEqual(['success', 2, 4])
  expect(ours).toContainEqual(['projectionDistance', 1.5, 2])
})

describe('what a method says of its own poses', () => {
  const judged = (
    view: number,
    mpd: number,
    tre: number,
    status: RegistrationStatus,
    p2: number,
    p10: number
  ) => ({
    ...row('a', view, errors(15, 20), errors(tre, mpd)),
    status,
    probability: 1 - p10,
    probabilityTreAbove2mm: p2,
    probabilityTreAbove10mm: p10
  })
  // Success is an mPD below 9.6 mm.
  const rows: ProtocolRow[] = [
    judged(0, 1, 1, 'accepted', 0.1, 0),
    judged(1, 1, 3, 'accepted', 0.5, 0.1),
    judged(2, 20, 30, 'accepted', 0.6, 0.2),
    judged(3, 2, 2, 'doubtful', 0.4, 0.3),
    judged(4, 20, 25, 'rejected', 1, 1),
    judged(5, 2, 1, 'rejected', 0.9, 0.8),
    row('a', 6, null, null)
  ]

  it('is held against what they are', () => {
    const honesty = summariseProtocol(paper, rows, ['a']).overall[0].honesty
    expect(honesty?.statuses).toEqual([
      { status: 'accepted', successes: 2, failures: 1 },
      { status: 'doubtful', successes: 1, failures: 0 },
      { status: 'rejected', successes: 1, failures: 1 }
    ])
    expect(honesty?.withoutPose).toBe(1)
    expect(honesty?.acceptedFailures).toEqual({ count: 1, of: 2 })
    expect(honesty?.falseAlarms).toEqual({ count: 1, of: 4 })
    const [two, ten] = honesty?.calibration ?? []
    // Beyond 2 mm: views 1, 2 and 4 of six.
    expect(two).toMatchObject({ treAboveMm: 2, count: 6, happened: 0.5, brierOfShare: 0.25 })
    expect(two.stated).toBeCloseTo(3.5 / 6, 12)
    expect(two.brier).toBeCloseTo((0.01 + 0.25 + 0.16 + 0.16 + 0 + 0.81) / 6, 12)
    expect(ten.happened).toBeCloseTo(2 / 6, 12)
    expect(ten.brier).toBeCloseTo((0 + 0.01 + 0.64 + 0.09 + 0 + 0.64) / 6, 12)
  })

  it('is null where nothing is said', () => {
    const silent = [row('a', 0, errors(15, 20), errors(1, 1))]
    expect(summariseProtocol(paper, silent, ['a']).overall[0].honesty).toBeNull()
  })

  it('is compared between runs: fewer accepted failures are better', () => {
    const views = (status: RegistrationStatus) =>
      Array.from({ length: 15 }, (_, i) =>
        judged(i, i < 12 ? 20 : 1, i < 12 ? 30 : 1, i < 12 ? status : 'accepted', 0, 0)
      )
    const table = (list: ProtocolRow[]) => viewsOf(RESULT_COLUMNS, list.map(resultRow))
    const criterion = { measure: 'projectionDistance', comparison: '<', threshold: 9.6 } as const
    const { changes } = compareRuns(table(views('accepted')), table(views('rejected')), criterion)
    // Twelve of twelve in one direction: 2/2¹², times the seven figures of the comparison.
    expect(changes.find(c => c.what === 'acceptedFailure')).toMatchObject({
      pairs: 15,
      before: 12 / 15,
      after: 0,
      p: expect.closeTo(7 * (2 / 4096), 12),
      verdict: 'better'
    })
    expect(changes.find(c => c.what === 'falseAlarm')).toMatchObject({ before: 0, after: 0, p: 1 })
  })
})

describe('a comparison', () => {
  const view = (patient: string, n: number, mpd: number | null): EarlierView => ({
    patient,
    method: 'm',
    view: n,
    place: [0, 0, n, 0, 0, 0],
    initial: { tre: 5, projectionDistance: 5 },
    final: { tre: mpd, projectionDistance: mpd },
    status: null
  })
  const criterion = { measure: 'projectionDistance', comparison: '<', threshold: 9.6 } as const
  const change = (before: EarlierView[], after: EarlierView[], what: string) =>
    compareRuns(before, after, criterion).changes.find(c => c.stage === 'final' && c.what === what)

  it('says better where every view got better, and by how much', () => {
    const before = Array.from({ length: 10 }, (_, i) => view('a', i, 2 + i / 10))
    const after = before.map((v, i) => view('a', v.view, 1 + i / 20))
    const c = change(before, after, 'projectionDistance')
    // All ten in one direction: 2/2¹⁰. Five figures are compared, this one and that of the TRE are the least: Holm takes it 5 times.
    expect(c).toMatchObject({ pairs: 10, p: 5 * (2 / 1024), verdict: 'better' })
    // −1 − i/20 over i = 0 … 9.
    expect(c?.difference?.mean).toBeCloseTo(-1.225, 12)
    expect(change(after, before, 'projectionDistance')?.verdict).toBe('worse')
  })

  it('calls noise noise', () => {
    const before = Array.from({ length: 12 }, (_, i) => view('a', i, 2))
    const after = before.map((v, i) => view('a', v.view, 2 + (i % 2 ? 0.3 : -0.3)))
    for (const c of compareRuns(before, after, criterion).changes)
      expect(c.verdict).toBe('no more than noise')
    expect(compareRuns(before, before, criterion).changes.every(c => c.p === 1)).toBe(true)
  })

  it('counts a lost pose as the worst, and a rate by the views that changed', () => {
    const before = Array.from({ length: 12 }, (_, i) => view('a', i, 1))
    const after = before.map(v => view('a', v.view, v.view < 10 ? null : 1))
    const rate = change(before, after, 'success')
    // Ten lost and none won: 2/2¹⁰, times five figures.
    expect(rate).toMatchObject({ before: 1, after: 2 / 12, p: 5 * (2 / 1024), verdict: 'worse' })
  })

  it('pairs only what is the same view', () => {
    const before = [view('a', 0, 1), view('a', 1, 1), view('b', 0, 1)]
    const after = [view('a', 0, 1), { ...view('a', 1, 1), place: [0, 0, 2, 0, 0, 0] }, view('c', 0, 1)]
    expect(compareRuns(before, after, criterion)).toMatchObject({ pairs: 1, unpaired: 4 })
  })
})
