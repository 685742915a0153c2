import type { FigureTarget } from './figures.js'

/** What `bench register` measures. */
export interface RegisterFigures {
  /** From detected landmarks to the final pose, wall clock; the network is not part of it. */
  readonly secondsMedian: number
  readonly secondsP95: number
  /** DRRs with derivatives, median: does not depend on the machine or what else it does. */
  readonly renders: number
  /** Preset `c-arm`, single view. */
  readonly treMedianMm: number
  /** Preset `paper`, mean. */
  readonly mpdMeanMm: number
  /** Registrations within the paper's success threshold, share of all. */
  readonly success: number
  /** Preset `c-arm`, pairs of views 70° apart. */
  readonly twoViewsTreMedianMm: number
  /** Evaluations of BOBYQA over NLopt's on standard functions; null without `nlopt-js`. */
  readonly bobyqaVsNloptEvaluations: number | null
}

export type RegisterFigure = keyof RegisterFigures

export const REGISTER_TARGETS: readonly FigureTarget<RegisterFigure>[] = [
  { figure: 'secondsMedian', most: 1 },
  { figure: 'secondsP95', most: 2 },
  { figure: 'treMedianMm', most: 1 },
  { figure: 'mpdMeanMm', most: 0.5 },
  { figure: 'success', least: 1 },
  { figure: 'twoViewsTreMedianMm', most: 0.4 },
  { figure: 'bobyqaVsNloptEvaluations', most: 1.1 }
]
