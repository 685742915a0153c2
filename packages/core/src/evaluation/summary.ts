import { ArgumentError } from '../errors.js'
import type { Detector } from '../geometry/camera.js'
import type { PoseErrors } from './measures.js'

/** A yes-or-no judgement of a pose: `measure` on the given side of `thresholdMm`. */
export interface Criterion {
  readonly name: 'success' | 'strictSuccess' | 'subMillimetre' | 'grossFailure'
  readonly measure: 'projectionDistance' | 'tre'
  readonly comparison: '<' | '>'
  readonly thresholdMm: number
}

/** Percentage of the detector width that the paper allows the mean projection distance (section 3). */
export const PAPER_SUCCESS_PERCENT = 2.5

/** The criteria of the geometry contract; the paper's depends on the width of the detector (9.6 mm at 384 mm). */
export const successCriteria = (d: Detector): readonly Criterion[] => [
  {
    name: 'success',
    measure: 'projectionDistance',
    comparison: '<',
    thresholdMm: (PAPER_SUCCESS_PERCENT * d.size[0] * d.pixel[0]) / 100
  },
  { name: 'strictSuccess', measure: 'tre', comparison: '<', thresholdMm: 2 },
  { name: 'subMillimetre', measure: 'tre', comparison: '<', thresholdMm: 1 },
  { name: 'grossFailure', measure: 'tre', comparison: '>', thresholdMm: 10 }
]

/** Whether a pose fulfils a criterion. An error that is not a number counts as the worst. */
export function fulfils(errors: PoseErrors, c: Criterion): boolean {
  const e = errors[c.measure]
  const value = Number.isNaN(e) ? Number.POSITIVE_INFINITY : e
  return c.comparison === '<' ? value < c.thresholdMm : value > c.thresholdMm
}

export interface Statistics {
  readonly mean: number
  /** Sample standard deviation (n − 1); 0 for a single value, NaN if a value is infinite. */
  readonly std: number
  readonly median: number
  /** 95th percentile, linear between order statistics. */
  readonly p95: number
  readonly max: number
}

/** A rate never goes without its threshold. */
export interface Rate extends Criterion {
  readonly count: number
  readonly of: number
  readonly rate: number
}

export interface Summary {
  readonly count: number
  readonly measures: { readonly [K in keyof PoseErrors]: Statistics }
  readonly rates: readonly Rate[]
}

/** @throws ArgumentError without a value. */
export function statistics(values: readonly number[]): Statistics {
  if (values.length === 0)
    throw new ArgumentError('There is no value to summarise', 'Evaluate at least one view.')
  const n = values.length
  const sorted = Float64Array.from(values).sort()
  const mean = sorted.reduce((s, x) => s + x, 0) / n
  const squares = sorted.reduce((s, x) => s + (x - mean) ** 2, 0)
  return {
    mean,
    std: n > 1 ? Math.sqrt(squares / (n - 1)) : 0,
    median: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    max: sorted[n - 1]
  }
}

/** Statistics and rates over the poses of an evaluation. @throws ArgumentError without a row. */
export function summarise(rows: readonly PoseErrors[], detector: Detector): Summary {
  const of = (key: keyof PoseErrors) => statistics(rows.map(r => r[key]))
  return {
    count: rows.length,
    measures: {
      tre: of('tre'),
      treInPlane: of('treInPlane'),
      treDepth: of('treDepth'),
      projectionDistance: of('projectionDistance'),
      reprojectionDistance: of('reprojectionDistance'),
      cameraTranslation: of('cameraTranslation'),
      cameraRotationDeg: of('cameraRotationDeg')
    },
    rates: successCriteria(detector).map(c => {
      const count = rows.filter(r => fulfils(r, c)).length
      return { ...c, count, of: rows.length, rate: count / rows.length }
    })
  }
}

/** Quantile q of sorted values, linear between order statistics. */
function quantile(sorted: Float64Array, q: number): number {
  const h = (sorted.length - 1) * q
  const i = Math.floor(h)
  const next = sorted[Math.min(i + 1, sorted.length - 1)]
  // Where nothing is to be interpolated, an infinite neighbour must not turn the result into NaN.
  return h === i || sorted[i] === next ? sorted[i] : sorted[i] + (h - i) * (next - sorted[i])
}
