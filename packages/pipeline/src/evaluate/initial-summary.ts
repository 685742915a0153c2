import {
  type Detector,
  fulfils,
  type PoseErrors,
  type Statistics,
  statistics,
  successCriteria
} from '@raypose/core'
import type { EvaluatedView } from '../types.js'

/** Figures of the initial poses of an evaluation, with their units in their names. */
export interface InitialSummary {
  readonly treMm: Statistics
  /** The part of the TRE parallel to the detector, and along the optical axis. */
  readonly treInPlaneMm: Statistics
  readonly treDepthMm: Statistics
  readonly projectionDistanceMm: Statistics
  readonly cameraTranslationMm: Statistics
  readonly cameraRotationDeg: Statistics
  /** Share of all views within the paper's threshold; one that was refused is no success. */
  readonly successRate: number
  /** Views without a pose, or whose pose was not trusted. */
  readonly refused: number
}

/** Milliseconds a view, over the views that gave a pose. */
export interface TimingSummary {
  /** From the X-ray in memory to the initial pose. */
  readonly initMs: Statistics
  readonly detectMs: Statistics
  readonly poseMs: Statistics
  readonly refineMs: Statistics
  readonly totalMs: Statistics
}

/** @returns null where no view gave a pose */
export function summariseInitial(views: readonly EvaluatedView[], detector: Detector): InitialSummary | null {
  const rows = views.flatMap(v => (v.initial ? [v.initial] : []))
  if (rows.length === 0) return null
  const of = (key: keyof PoseErrors) => statistics(rows.map(r => r[key]))
  const [success] = successCriteria(detector)
  return {
    treMm: of('tre'),
    treInPlaneMm: of('treInPlane'),
    treDepthMm: of('treDepth'),
    projectionDistanceMm: of('projectionDistance'),
    cameraTranslationMm: of('cameraTranslation'),
    cameraRotationDeg: of('cameraRotationDeg'),
    successRate: rows.filter(r => fulfils(r, success)).length / views.length,
    refused: views.length - rows.length
  }
}

/** @returns null where no view gave a pose */
export function summariseTimings(views: readonly EvaluatedView[]): TimingSummary | null {
  const t = views.flatMap(v => (v.timings ? [v.timings] : []))
  if (t.length === 0) return null
  const ms = (of: (x: (typeof t)[number]) => number) => statistics(t.map(x => 1000 * of(x)))
  return {
    initMs: ms(x => x.detect + x.initialPose),
    detectMs: ms(x => x.detect),
    poseMs: ms(x => x.initialPose),
    refineMs: ms(x => x.refine),
    totalMs: ms(x => x.total)
  }
}
