import type { RegistrationEvidence } from './evidence.js'
import { statusFeatures } from './status-features.js'
import { STATUS_MODEL } from './status-model.data.js'

/** Standardised features are cut here: a case unlike any other must not outvote everything else. */
const LIMIT = 4

/** Fitted to simulated registrations by `tools/calibrate-status.mjs`; see docs/registration.md. */
export interface StatusProbabilities {
  /** Of an mPD beyond the paper's 9.6 mm, or an X-ray that does not show this patient at all: what the status goes by. */
  readonly failure: number
  /** Of a mean TRE beyond 2 mm, … */
  readonly treAbove2mm: number
  /** … beyond 10 mm, which a pose that is right in the picture may have along the beam. */
  readonly treAbove10mm: number
}

/** What simulated successes and failures with such evidence came to. */
export function statusProbabilities(e: RegistrationEvidence): StatusProbabilities {
  const { features, mean, std, failure, above2mm, above10mm } = STATUS_MODEL
  const values = statusFeatures(e)
  const x = features.map((name, k) => Math.max(-LIMIT, Math.min(LIMIT, (values[name] - mean[k]) / std[k])))
  const probability = ({ offset, weights }: { offset: number; weights: readonly number[] }) =>
    1 / (1 + Math.exp(-x.reduce((s, v, k) => s + v * weights[k], offset)))
  const treAbove10mm = probability(above10mm)
  return {
    failure: probability(failure),
    treAbove2mm: Math.max(treAbove10mm, probability(above2mm)),
    treAbove10mm
  }
}

/** Chances of failure below which a pose is accepted, and from which it is rejected. */
export const STATUS_LIMITS = { accept: STATUS_MODEL.accept, reject: STATUS_MODEL.reject } as const

/** What covariances from curvature are multiplied with. */
export const COVARIANCE_SCALE: number = STATUS_MODEL.covarianceScale
