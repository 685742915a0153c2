import type { RegistrationStatus } from '../register/assessment/assess.js'
import type { ProtocolRow } from './rows.js'

/** Whether a method knew which of its poses were right. */
export interface Honesty {
  /** Views by the status that their pose was given, and whether it is a success by the first criterion. */
  readonly statuses: readonly {
    readonly status: RegistrationStatus
    readonly successes: number
    readonly failures: number
  }[]
  /** Views that the method itself gave up, without a pose. */
  readonly withoutPose: number
  /** Failures with a pose that is `accepted`: the error that matters most. */
  readonly acceptedFailures: { readonly count: number; readonly of: number }
  /** Successes that are `rejected`. */
  readonly falseAlarms: { readonly count: number; readonly of: number }
  /** Stated probabilities held against what happened. */
  readonly calibration: readonly Calibration[]
}

export interface Calibration {
  /** What is stated: a TRE of the final pose beyond 2 or 10 mm. */
  readonly treAboveMm: 2 | 10
  readonly count: number
  /** Mean probability, and share of the views that it happened in. */
  readonly stated: number
  readonly happened: number
  /** Mean squared difference of probability and outcome (Brier 1950): 0 is perfect. */
  readonly brier: number
  /** Of the same share stated for every view. */
  readonly brierOfShare: number
}

export const STATUSES: readonly RegistrationStatus[] = ['accepted', 'doubtful', 'rejected']

/** Limits that probabilities are stated for. */
export const STATED_TRE = [
  { treAboveMm: 2, key: 'probabilityTreAbove2mm' },
  { treAboveMm: 10, key: 'probabilityTreAbove10mm' }
] as const

/** One stated probability and what happened. */
export interface Statement {
  readonly row: ProtocolRow
  readonly probability: number
  readonly happened: boolean
}

/** What was stated of the final poses, where anything was. */
export const statements = (
  rows: readonly ProtocolRow[],
  { treAboveMm, key }: (typeof STATED_TRE)[number]
): Statement[] =>
  rows.flatMap(row => {
    const probability = row[key]
    if (probability === null || !row.final) return []
    // An error that is not a number counts as the worst.
    return [{ row, probability, happened: !(row.final.tre <= treAboveMm) }]
  })

/**
 * Sums up what a method said of its own poses. Null where it says nothing.
 * @param isSuccess of the final pose
 */
export function honestyOf(
  rows: readonly ProtocolRow[],
  isSuccess: (row: ProtocolRow) => boolean
): Honesty | null {
  const judged = rows.filter(r => r.status !== null && r.final)
  if (judged.length === 0) return null
  const statuses = STATUSES.map(status => {
    const mine = judged.filter(r => r.status === status)
    const successes = mine.filter(isSuccess).length
    return { status, successes, failures: mine.length - successes }
  })
  const sum = (of: (s: (typeof statuses)[number]) => number) => statuses.reduce((n, s) => n + of(s), 0)
  const count = (status: RegistrationStatus) => statuses.find(s => s.status === status)
  return {
    statuses,
    withoutPose: rows.filter(r => !r.final).length,
    acceptedFailures: { count: count('accepted')?.failures ?? 0, of: sum(s => s.failures) },
    falseAlarms: { count: count('rejected')?.successes ?? 0, of: sum(s => s.successes) },
    calibration: STATED_TRE.flatMap(stated => calibrationOf(stated.treAboveMm, statements(rows, stated)))
  }
}

function calibrationOf(treAboveMm: 2 | 10, list: readonly Statement[]): Calibration[] {
  if (list.length === 0) return []
  const mean = (of: (s: Statement) => number) => list.reduce((sum, s) => sum + of(s), 0) / list.length
  const happened = mean(s => Number(s.happened))
  return [
    {
      treAboveMm,
      count: list.length,
      stated: mean(s => s.probability),
      happened,
      brier: mean(s => (s.probability - Number(s.happened)) ** 2),
      brierOfShare: happened * (1 - happened)
    }
  ]
}
