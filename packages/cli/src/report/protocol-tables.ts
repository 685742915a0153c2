import type { PoseErrors } from '@raypose/core'
import {
  type Change,
  type ChangedRate,
  type CriterionRate,
  type HeldAgainst,
  type MethodSummary,
  type PublishedFigure,
  STATUSES
} from '@raypose/pipeline'
import { duration, fixed, percentage } from './format.js'
import { MEASURES } from './measures.js'

/** Tables of a protocol run as plain text cells: terminal and page show the same. */

export interface PlainTable {
  readonly columns: readonly { readonly title: string; readonly numeric?: boolean }[]
  readonly rows: readonly (readonly string[])[]
}

const numeric = (title: string) => ({ title, numeric: true })

export const measureName = (key: keyof PoseErrors): string => {
  const m = MEASURES.find(x => x.key === key)
  return m ? `${m.name}, ${m.unit}` : key
}

const SHORT: Partial<Record<keyof PoseErrors, string>> = {
  tre: 'TRE',
  treInPlane: 'in-plane TRE',
  treDepth: 'depth TRE',
  projectionDistance: 'mPD',
  reprojectionDistance: 'mRPD',
  cameraTranslation: 'source position',
  cameraRotationDeg: 'rotation'
}
export const shortName = (key: keyof PoseErrors): string => SHORT[key] ?? key

const unitOf = (key: keyof PoseErrors) => MEASURES.find(m => m.key === key)?.unit ?? ''

export const conditionOf = (c: Pick<CriterionRate, 'measure' | 'comparison' | 'threshold'>): string =>
  `${shortName(c.measure)} ${c.comparison} ${fixed(c.threshold, c.threshold % 1 ? 1 : 0)} ${unitOf(c.measure)}`

export const rateText = (r: { readonly count: number; readonly of: number } | undefined): string =>
  r && r.of > 0 ? `${r.count} of ${r.of} (${percentage(r.count / r.of, 1)})` : '–'

export const meanText = (s: { readonly mean: number; readonly std: number } | undefined): string =>
  s ? `${fixed(s.mean, 2)} ± ${fixed(s.std, 2)}` : '–'

/** Every measure of one pose of some methods. */
export function measureTable(
  methods: readonly MethodSummary[],
  which: 'initial' | 'final' | 'finalOfSuccesses',
  titles: (method: string) => string
): PlainTable {
  return {
    columns: [
      { title: 'Measure' },
      { title: 'Method' },
      numeric('mean ± std'),
      numeric('median'),
      numeric('p95'),
      numeric('max'),
      numeric('views')
    ],
    rows: MEASURES.flatMap(m =>
      methods.map((s, i) => {
        const v = s[which]?.measures[m.key]
        return [
          i === 0 ? `${m.name}, ${m.unit}` : '',
          titles(s.method),
          meanText(v),
          fixed(v?.median, 2),
          fixed(v?.p95, 2),
          fixed(v?.max, 2),
          String(s[which]?.count ?? 0)
        ]
      })
    )
  }
}

/** How often each criterion is met, by method. */
export function rateTable(
  methods: readonly MethodSummary[],
  which: 'initialRates' | 'finalRates',
  titles: (method: string) => string
): PlainTable {
  const criteria = methods[0]?.[which] ?? []
  return {
    columns: [
      { title: 'Method' },
      ...criteria.map(c => numeric(`${c.title}: ${conditionOf(c)}`)),
      numeric('no pose')
    ],
    rows: methods.map(s => [titles(s.method), ...s[which].map(rateText), String(s.views - s.poses)])
  }
}

/** What counts most, one line a method: for terminals, patients and ablations. */
export function shortTable(
  rows: readonly { readonly name: string; readonly summary: MethodSummary }[],
  head: string
): PlainTable {
  return {
    columns: [
      { title: head },
      numeric('views'),
      numeric('initial TRE, mm'),
      numeric('p95'),
      numeric('final TRE, mm'),
      numeric('median'),
      numeric('p95'),
      numeric('final mPD, mm'),
      numeric('median'),
      numeric('success'),
      numeric('time')
    ],
    rows: rows.map(({ name, summary: s }) => [
      name,
      String(s.views),
      meanText(s.initial?.measures.tre),
      fixed(s.initial?.measures.tre.p95, 1),
      meanText(s.final?.measures.tre),
      fixed(s.final?.measures.tre.median, 2),
      fixed(s.final?.measures.tre.p95, 2),
      meanText(s.final?.measures.projectionDistance),
      fixed(s.final?.measures.projectionDistance.median, 2),
      rateText(s.finalRates[0]),
      duration(s.seconds.total?.median)
    ])
  }
}

const WHAT: Record<'success' | 'seconds', string> = { success: 'Success rate', seconds: 'Time, s' }

/** Published figures beside one's own. */
export function publishedTable(
  published: readonly HeldAgainst[],
  titles: (method: string) => string
): PlainTable {
  const what = (f: PublishedFigure) =>
    `${f.stage === 'initial' ? 'Initialisation' : titles(f.method)}: ${f.what === 'success' || f.what === 'seconds' ? WHAT[f.what] : measureName(f.what)}${f.over === 'successes' ? ' (successes only)' : ''}`
  const value = (v: HeldAgainst['ours'] | PublishedFigure, f: PublishedFigure) => {
    if (f.what === 'success')
      return v.count !== undefined && v.of ? rateText({ count: v.count, of: v.of }) : '–'
    if (v.mean === undefined) return '–'
    const digits = f.what === 'seconds' ? 3 : 1
    return `${fixed(v.mean, digits)}${v.std === undefined ? '' : ` ± ${fixed(v.std, digits)}`}`
  }
  return {
    columns: [
      { title: 'Figure' },
      numeric('here'),
      numeric('views'),
      numeric('published'),
      { title: 'by' },
      { title: 'under' }
    ],
    rows: published.map(({ figure: f, ours }) => [
      what(f),
      value(ours, f),
      String(ours.of),
      value(f, f),
      f.source,
      f.conditions ?? ''
    ])
  }
}

/** How many poses of each status were right, and how often a method was wrong about its own. Methods that say nothing are left out. */
export function statusTable(
  methods: readonly MethodSummary[],
  titles: (method: string) => string
): PlainTable | null {
  const judged = methods.flatMap(m => (m.honesty ? [{ method: m.method, honesty: m.honesty }] : []))
  if (judged.length === 0) return null
  return {
    columns: [
      { title: 'Method' },
      { title: 'Outcome' },
      ...STATUSES.map(numeric),
      numeric('no pose'),
      numeric('so wrongly judged')
    ],
    rows: judged.flatMap(({ method, honesty: h }) => [
      [
        titles(method),
        'success',
        ...h.statuses.map(s => String(s.successes)),
        '',
        `${rateText(h.falseAlarms)} rejected`
      ],
      [
        '',
        'failure',
        ...h.statuses.map(s => String(s.failures)),
        String(h.withoutPose),
        `${rateText(h.acceptedFailures)} accepted`
      ]
    ])
  }
}

/** Stated probabilities beside the shares that came true. */
export function calibrationTable(
  methods: readonly MethodSummary[],
  titles: (method: string) => string
): PlainTable | null {
  const rows = methods.flatMap(m =>
    (m.honesty?.calibration ?? []).map(c => [
      titles(m.method),
      `TRE > ${c.treAboveMm} mm`,
      percentage(c.stated, 1),
      percentage(c.happened, 1),
      fixed(c.brier, 4),
      fixed(c.brierOfShare, 4),
      String(c.count)
    ])
  )
  return rows.length === 0
    ? null
    : {
        columns: [
          { title: 'Method' },
          { title: 'Stated' },
          numeric('mean probability'),
          numeric('happened'),
          numeric('Brier score'),
          numeric('of the share alone'),
          numeric('views')
        ],
        rows
      }
}

const CHANGED_RATES: Record<ChangedRate, string> = {
  success: 'success rate',
  acceptedFailure: 'failures accepted, of all judged',
  falseAlarm: 'successes rejected, of all judged'
}
const isRate = (what: Change['what']): what is ChangedRate => what in CHANGED_RATES

/** What changed against an earlier run. */
export function changeTable(changes: readonly Change[], titles: (method: string) => string): PlainTable {
  const rate = (c: Change, x: number) => (isRate(c.what) ? percentage(x, 1) : fixed(x, 3))
  const p = (x: number) => (x < 0.001 ? '< 0.001' : fixed(x, 3))
  return {
    columns: [
      { title: 'Method' },
      { title: 'Measure' },
      numeric('before'),
      numeric('now'),
      numeric('mean difference [95 %]'),
      numeric('p'),
      numeric('views'),
      { title: 'so it is' }
    ],
    rows: changes.map(c => [
      titles(c.method),
      isRate(c.what) ? CHANGED_RATES[c.what] : `${c.stage} ${shortName(c.what)}, median`,
      rate(c, c.before),
      rate(c, c.after),
      c.difference
        ? `${fixed(c.difference.mean, 3)} [${fixed(c.difference.low, 3)}, ${fixed(c.difference.high, 3)}]`
        : '',
      p(c.p),
      String(c.pairs),
      c.verdict
    ])
  }
}

/** Lists of what has the same key, in the order in which keys come up. */
export function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const k = key(item)
    const group = groups.get(k)
    if (group) group.push(item)
    else groups.set(k, [item])
  }
  return groups
}
