import { ArgumentError } from '../errors.js'
import type { View } from '../geometry/view.js'

/** How far landmarks can be trusted, by where the C-arm stands: a table over α and γ. Radians. */
export interface ViewWeights {
  /** Borders between the regions, ascending: n borders make n + 1 regions. */
  readonly alpha: readonly number[]
  readonly gamma: readonly number[]
  /** Weights in (0, 1] by region (γ fastest), then landmark. */
  readonly weights: readonly (readonly number[])[]
}

/** One detection whose truth is known. */
export interface ValidatedDetection {
  readonly view: Pick<View, 'alpha' | 'gamma'>
  readonly landmark: number
  /** mm at the isocentre. */
  readonly errorMm: number
}

export interface ViewWeightOptions {
  /** Regions along α and along γ. */
  readonly regions: readonly [alpha: number, gamma: number]
  /** Error that even a perfect landmark is thought to have, mm: bounds the ratio of weights. */
  readonly floorMm: number
  /** Errors beyond this count as this, mm: they are outliers, which the pose is robust to anyway. */
  readonly ceilingMm: number
  /** How many detections the coarser estimate counts for where it is blended with a finer one. */
  readonly priorCount: number
}

export const VIEW_WEIGHT_DEFAULTS: ViewWeightOptions = {
  regions: [3, 3],
  floorMm: 1,
  ceilingMm: 15,
  priorCount: 6
}

/**
 * Weights of landmarks for a pose from their validation errors (the paper's own suggestion, section 4; by region as its successor's
 * pose-dependent weights): inverse of the mean squared error. A region has few views, so its mean square is drawn towards the landmark's
 * over all views, and that towards the mean of all landmarks, as if it counted for `priorCount` detections.
 *
 * @param landmarks how many landmarks there are
 * @param range the views' ranges of α and γ, divided evenly
 * @throws ArgumentError for regions that are not positive whole numbers
 */
export function viewWeights(
  detections: readonly ValidatedDetection[],
  landmarks: number,
  range: { readonly alpha: readonly [number, number]; readonly gamma: readonly [number, number] },
  options: Partial<ViewWeightOptions> = {}
): { readonly overall: readonly number[]; readonly byView: ViewWeights } {
  const o = { ...VIEW_WEIGHT_DEFAULTS, ...options }
  if (!o.regions.every(n => Number.isInteger(n) && n > 0))
    throw new ArgumentError(
      `${o.regions.join(' × ')} regions of views are none`,
      'Give two positive whole numbers.'
    )
  const borders = ([from, to]: readonly [number, number], n: number) =>
    Array.from({ length: n - 1 }, (_, i) => from + ((to - from) * (i + 1)) / n)
  const alpha = borders(range.alpha, o.regions[0])
  const gamma = borders(range.gamma, o.regions[1])
  const square = (e: number) => Math.min(Number.isFinite(e) ? e : o.ceilingMm, o.ceilingMm) ** 2
  const blend = (list: readonly ValidatedDetection[], prior: number) =>
    (list.reduce((s, d) => s + square(d.errorMm), 0) + o.priorCount * prior) / (list.length + o.priorCount)
  const all = detections.length
    ? detections.reduce((s, d) => s + square(d.errorMm), 0) / detections.length
    : o.ceilingMm ** 2
  const of = Array.from({ length: landmarks }, (_, l) => detections.filter(d => d.landmark === l))
  const each = of.map(list => blend(list, all))
  const regions = Array.from({ length: o.regions[0] * o.regions[1] }, (_, r) =>
    of.map((list, l) =>
      blend(
        list.filter(d => regionOf(alpha, gamma, d.view) === r),
        each[l]
      )
    )
  )
  const best = Math.min(...each, ...regions.flat()) + o.floorMm ** 2
  const weight = (meanSquare: number) => best / (meanSquare + o.floorMm ** 2)
  return {
    overall: each.map(weight),
    byView: { alpha, gamma, weights: regions.map(r => r.map(weight)) }
  }
}

/** The weights of the landmarks for a view; outside the table's range, those of its nearest region. */
export const weightsForView = (table: ViewWeights, view: Pick<View, 'alpha' | 'gamma'>): readonly number[] =>
  table.weights[regionOf(table.alpha, table.gamma, view)]

function regionOf(
  alpha: readonly number[],
  gamma: readonly number[],
  view: Pick<View, 'alpha' | 'gamma'>
): number {
  const along = (borders: readonly number[], x: number) => borders.filter(b => x >= b).length
  return along(alpha, view.alpha) * (gamma.length + 1) + along(gamma, view.gamma)
}
