import { type Criterion, fulfils, type PoseErrors, successCriteria } from '@raypose/core'
import type { EvaluatedView, Evaluation } from '@raypose/pipeline'
import { fixed } from './format.js'

/** The error measures as reports name them. */
export const MEASURES: readonly {
  readonly key: keyof PoseErrors
  readonly name: string
  readonly unit: string
}[] = [
  { key: 'tre', name: 'Target registration error (TRE)', unit: 'mm' },
  { key: 'treInPlane', name: 'TRE parallel to the detector', unit: 'mm' },
  { key: 'treDepth', name: 'TRE in depth', unit: 'mm' },
  { key: 'projectionDistance', name: 'Projection distance (mPD)', unit: 'mm' },
  { key: 'reprojectionDistance', name: 'Reprojection distance (mRPD)', unit: 'mm' },
  { key: 'cameraTranslation', name: 'Source position', unit: 'mm' },
  { key: 'cameraRotationDeg', name: 'Camera rotation', unit: '°' }
]

const CRITERION_NAMES: Record<Criterion['name'], string> = {
  success: 'Success (paper)',
  strictSuccess: 'Strict success',
  subMillimetre: 'Sub-millimetre',
  grossFailure: 'Gross failure'
}

/** How often a criterion is met, over all views: one without a pose meets none that is a success. */
export interface CountedCriterion extends Criterion {
  readonly title: string
  /** With its threshold, always: "mPD < 9.6 mm". */
  readonly condition: string
  readonly initial: number
  readonly final: number
  readonly of: number
}

export function countCriteria(e: Evaluation): CountedCriterion[] {
  const count = (c: Criterion, which: 'initial' | 'final') =>
    e.views.filter(v => {
      const errors = v[which]
      return errors !== null && fulfils(errors, c)
    }).length
  return successCriteria(e.detector).map(c => ({
    ...c,
    title: CRITERION_NAMES[c.name],
    condition: `${c.measure === 'tre' ? 'TRE' : 'mPD'} ${c.comparison} ${fixed(c.thresholdMm, c.thresholdMm % 1 ? 1 : 0)} mm`,
    initial: count(c, 'initial'),
    final: count(c, 'final'),
    of: e.views.length
  }))
}

/** Views from the worst final pose to the best; those without one come first. */
export const worstFirst = (views: readonly EvaluatedView[]): EvaluatedView[] => {
  const badness = (v: EvaluatedView) => v.final?.projectionDistance ?? Number.POSITIVE_INFINITY
  return [...views].sort((a, b) => (badness(a) === badness(b) ? a.index - b.index : badness(b) - badness(a)))
}
