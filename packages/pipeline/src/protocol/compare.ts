import {
  groupedBootstrap,
  holmAdjusted,
  mcnemarExact,
  type PoseErrors,
  statistics,
  wilcoxonSignedRank
} from '@raypose/core'
import type { EarlierView } from './results.js'
import type { CriterionRate } from './summary.js'

/** Rates that are compared: successes of all views, failures that were accepted, and successes that were rejected, of the views judged in both. */
export type ChangedRate = 'success' | 'acceptedFailure' | 'falseAlarm'

/** What changed in one measure of one method, over the views that both runs have. */
export interface Change {
  readonly method: string
  readonly stage: 'initial' | 'final'
  readonly what: keyof PoseErrors | ChangedRate
  readonly pairs: number
  /** Medians of both runs, or the two rates. */
  readonly before: number
  readonly after: number
  /** Mean of after − before with a 95 % interval that takes patients, not views, for independent; null for rates. */
  readonly difference: { readonly mean: number; readonly low: number; readonly high: number } | null
  /** Two-sided: Wilcoxon's signed-rank test, or McNemar's for rates; adjusted by Holm over all changes of a comparison. */
  readonly p: number
  readonly verdict: 'better' | 'worse' | 'no more than noise'
}

export interface Comparison {
  readonly pairs: number
  /** Views that only one of the runs has, or that are not the same view in both. */
  readonly unpaired: number
  readonly changes: readonly Change[]
}

const COMPARED: readonly { stage: 'initial' | 'final'; key: keyof PoseErrors }[] = [
  { stage: 'initial', key: 'tre' },
  { stage: 'initial', key: 'projectionDistance' },
  { stage: 'final', key: 'tre' },
  { stage: 'final', key: 'projectionDistance' }
]
/** Chance of a false alarm in the whole comparison. */
const LEVEL = 0.05
/** Views whose C-arm differs by more than this (degrees, mm) are not the same. */
const SAME_PLACE = 0.01

/**
 * Compares two runs view by view.
 * @param criterion what a success is
 */
export function compareRuns(
  before: readonly EarlierView[],
  after: readonly EarlierView[],
  criterion: SuccessCriterion
): Comparison {
  const key = (v: EarlierView) => JSON.stringify([v.patient, v.method, v.view])
  const old = new Map(before.map(v => [key(v), v]))
  const pairs = after.flatMap(v => {
    const o = old.get(key(v))
    return o && samePlace(o, v) ? [{ before: o, after: v }] : []
  })
  const methods = [...new Set(pairs.map(p => p.after.method))]
  const raw = methods.flatMap(method => {
    const mine = pairs.filter(p => p.after.method === method)
    return [
      ...COMPARED.flatMap(({ stage, key }) => measureChange(method, stage, key, mine)),
      ...rateChanges(method, mine, criterion)
    ]
  })
  const adjusted = holmAdjusted(raw.map(c => c.p))
  return {
    pairs: pairs.length,
    unpaired: before.length + after.length - 2 * pairs.length,
    changes: raw.map(({ direction, ...c }, i) => ({
      ...c,
      p: adjusted[i],
      verdict:
        adjusted[i] < LEVEL && direction !== 0 ? (direction < 0 ? 'better' : 'worse') : 'no more than noise'
    }))
  }
}

type RawChange = Omit<Change, 'verdict'> & { /** Below 0: better. */ readonly direction: number }
interface Pair {
  readonly before: EarlierView
  readonly after: EarlierView
}

const samePlace = (a: EarlierView, b: EarlierView) =>
  a.place.every((x, i) => x === b.place[i] || Math.abs((x ?? 0) - (b.place[i] ?? 0)) <= SAME_PLACE)

function measureChange(
  method: string,
  stage: 'initial' | 'final',
  what: keyof PoseErrors,
  pairs: readonly Pair[]
): RawChange[] {
  // No pose is the largest error there is.
  const of = (v: EarlierView) => v[stage][what] ?? Number.POSITIVE_INFINITY
  const both = pairs.map(p => ({ patient: p.after.patient, before: of(p.before), after: of(p.after) }))
  const differences = both.map(p => (p.after === p.before ? 0 : p.after - p.before))
  const test = wilcoxonSignedRank(differences)
  const finite = both.filter(p => Number.isFinite(p.before) && Number.isFinite(p.after))
  if (finite.length === 0) return []
  const groups = [...new Set(finite.map(p => p.patient))].map(name =>
    finite.filter(p => p.patient === name).map(p => p.after - p.before)
  )
  return [
    {
      method,
      stage,
      what,
      pairs: both.length,
      before: statistics(both.map(p => p.before)).median,
      after: statistics(both.map(p => p.after)).median,
      difference: groupedBootstrap(groups, 1),
      p: test.p,
      direction: test.positive - test.negative
    }
  ]
}

type SuccessCriterion = Pick<CriterionRate, 'measure' | 'comparison' | 'threshold'>

const succeeds = (v: EarlierView, c: SuccessCriterion): boolean => {
  const e = v.final[c.measure]
  return e !== null && e !== undefined && (c.comparison === '<' ? e < c.threshold : e > c.threshold)
}

/** Rates of a method: of success, and where both runs say what they think of a pose, of being wrong about it. */
function rateChanges(method: string, pairs: readonly Pair[], c: SuccessCriterion): RawChange[] {
  const judged = pairs.filter(p => p.before.status !== null && p.after.status !== null)
  const success = rateChange(method, 'success', pairs, v => succeeds(v, c), -1)
  if (judged.length === 0) return [success]
  return [
    success,
    rateChange(method, 'acceptedFailure', judged, v => v.status === 'accepted' && !succeeds(v, c), 1),
    rateChange(method, 'falseAlarm', judged, v => v.status === 'rejected' && succeeds(v, c), 1)
  ]
}

/** @param sign of more: −1 where that is better */
function rateChange(
  method: string,
  what: ChangedRate,
  pairs: readonly Pair[],
  meets: (v: EarlierView) => boolean,
  sign: 1 | -1
): RawChange {
  const gained = pairs.filter(p => !meets(p.before) && meets(p.after)).length
  const lost = pairs.filter(p => meets(p.before) && !meets(p.after)).length
  const rate = (which: 'before' | 'after') => pairs.filter(p => meets(p[which])).length / pairs.length
  return {
    method,
    stage: 'final',
    what,
    pairs: pairs.length,
    before: rate('before'),
    after: rate('after'),
    difference: null,
    p: mcnemarExact(gained, lost),
    direction: sign * (gained - lost)
  }
}
