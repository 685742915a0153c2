import { type Detector, type PoseErrors, type Statistics, statistics } from '@raypose/core'
import { type Honesty, honestyOf } from './honesty.js'
import type { ProtocolRow } from './rows.js'
import { MEASURE_KEYS, type Protocol, type ProtocolCriterion, type PublishedFigure } from './schema.js'

/** Statistics of every measure over some poses. */
export interface MeasureTable {
  readonly count: number
  readonly measures: Readonly<Record<keyof PoseErrors, Statistics>>
}

/** How often a criterion is met, of all views: one without a pose meets none but the failures. */
export interface CriterionRate {
  readonly title: string
  readonly measure: keyof PoseErrors
  readonly comparison: '<' | '>'
  readonly threshold: number
  readonly count: number
  readonly of: number
}

/** One method over some views. */
export interface MethodSummary {
  readonly method: string
  readonly views: number
  /** Views that gave a pose: what the statistics go over. */
  readonly poses: number
  readonly initial: MeasureTable | null
  readonly final: MeasureTable | null
  /** Over the views that the first criterion counts as successes, as the paper reports them. */
  readonly finalOfSuccesses: MeasureTable | null
  readonly initialRates: readonly CriterionRate[]
  readonly finalRates: readonly CriterionRate[]
  /** What it said of its own poses; null for a method that says nothing. */
  readonly honesty: Honesty | null
  /** From X-ray to initial pose, and to final pose, seconds. */
  readonly seconds: { readonly initial: Statistics | null; readonly total: Statistics | null }
}

/** A published figure with what was measured here. */
export interface HeldAgainst {
  readonly figure: PublishedFigure
  readonly ours: {
    readonly mean?: number
    readonly std?: number
    readonly count?: number
    readonly of: number
  }
}

export interface ProtocolSummary {
  readonly overall: readonly MethodSummary[]
  readonly patients: readonly { readonly name: string; readonly methods: readonly MethodSummary[] }[]
  readonly published: readonly HeldAgainst[]
}

/** A criterion for a detector of this width: `measure` on one side of a threshold in mm or degrees. */
export function thresholdOf(
  c: ProtocolCriterion,
  detector: Pick<Detector, 'size' | 'pixel'>
): { readonly comparison: '<' | '>'; readonly threshold: number } {
  if (c.above !== undefined) return { comparison: '>', threshold: c.above }
  if (c.below !== undefined) return { comparison: '<', threshold: c.below }
  const percent = c.belowPercentOfDetectorWidth ?? 0
  return { comparison: '<', threshold: (percent * detector.size[0] * detector.pixel[0]) / 100 }
}

const meets = (e: PoseErrors, c: Pick<CriterionRate, 'measure' | 'comparison' | 'threshold'>): boolean =>
  c.comparison === '<' ? e[c.measure] < c.threshold : !(e[c.measure] <= c.threshold)

/** Whether a row's final pose is a success by the protocol's first criterion. */
export function isSuccess(
  protocol: Pick<Protocol, 'criteria' | 'geometry'>,
  row: Pick<ProtocolRow, 'final'>
): boolean {
  const [c] = criteriaOf(protocol)
  return row.final !== null && meets(row.final, c)
}

/** The protocol's criteria with their thresholds. */
export const criteriaOf = (
  p: Pick<Protocol, 'criteria' | 'geometry'>
): Omit<CriterionRate, 'count' | 'of'>[] =>
  p.criteria.map(c => ({
    title: c.title,
    measure: c.measure,
    ...thresholdOf(c, { size: p.geometry.size, pixel: p.geometry.pixelMm })
  }))

/** All statistics of a run: overall and for each patient. */
export function summariseProtocol(
  protocol: Protocol,
  rows: readonly ProtocolRow[],
  patients: readonly string[]
): ProtocolSummary {
  const overall = summariseMethods(protocol, rows)
  return {
    overall,
    patients: patients.map(name => ({
      name,
      methods: summariseMethods(
        protocol,
        rows.filter(r => r.patient === name)
      )
    })),
    published: protocol.figures.flatMap(figure => {
      const m = overall.find(s => s.method === figure.method)
      return m ? [{ figure, ours: oursFor(figure, m) }] : []
    })
  }
}

/** One summary for each method that has rows, in the order of the protocol; then methods that it does not know (imported ones). */
export function summariseMethods(
  protocol: Pick<Protocol, 'criteria' | 'geometry' | 'methods'>,
  rows: readonly ProtocolRow[]
): MethodSummary[] {
  const known = Object.keys(protocol.methods)
  const others = [...new Set(rows.map(r => r.method))].filter(m => !known.includes(m))
  return [...known, ...others].flatMap(method => {
    const mine = rows.filter(r => r.method === method)
    return mine.length > 0 ? [summariseMethod(protocol, method, mine)] : []
  })
}

function summariseMethod(
  protocol: Pick<Protocol, 'criteria' | 'geometry'>,
  method: string,
  rows: readonly ProtocolRow[]
): MethodSummary {
  const of = (which: 'initial' | 'final') => rows.flatMap(r => r[which] ?? [])
  const rates = (which: 'initial' | 'final') =>
    criteriaOf(protocol).map(c => ({
      ...c,
      count: rows.filter(r => {
        const e = r[which]
        return e === null ? c.comparison === '>' : meets(e, c)
      }).length,
      of: rows.length
    }))
  const seconds = (values: readonly (number | undefined)[]) => {
    const known = values.filter(x => x !== undefined)
    return known.length > 0 ? statistics(known) : null
  }
  return {
    method,
    views: rows.length,
    poses: of('final').length,
    initial: measureTable(of('initial')),
    final: measureTable(of('final')),
    finalOfSuccesses: measureTable(rows.filter(r => isSuccess(protocol, r)).flatMap(r => r.final ?? [])),
    initialRates: rates('initial'),
    finalRates: rates('final'),
    honesty: honestyOf(rows, r => isSuccess(protocol, r)),
    seconds: {
      initial: seconds(
        rows.map(r => (r.seconds.total === undefined ? undefined : r.seconds.total - (r.seconds.refine ?? 0)))
      ),
      total: seconds(rows.map(r => r.seconds.total))
    }
  }
}

function measureTable(errors: readonly PoseErrors[]): MeasureTable | null {
  if (errors.length === 0) return null
  const measures = Object.fromEntries(
    MEASURE_KEYS.map(key => [key, statistics(errors.map(e => e[key]))])
  ) as Record<keyof PoseErrors, Statistics>
  return { count: errors.length, measures }
}

function oursFor(f: PublishedFigure, m: MethodSummary): HeldAgainst['ours'] {
  if (f.what === 'success') {
    const [rate] = f.stage === 'initial' ? m.initialRates : m.finalRates
    return { count: rate.count, of: rate.of }
  }
  if (f.what === 'seconds') {
    const s = f.stage === 'initial' ? m.seconds.initial : m.seconds.total
    return { mean: s?.mean, std: s?.std, of: m.views }
  }
  const table = f.stage === 'initial' ? m.initial : f.over === 'successes' ? m.finalOfSuccesses : m.final
  const s = table?.measures[f.what]
  return { mean: s?.mean, std: s?.std, of: table?.count ?? 0 }
}
