// Fits the status model to the cases of tools/calibrate-status.mjs and judges it on scenes that it has not seen.
import { impossible, MOST_OFF, STATUS_FEATURES, statusFeatures } from '@raypose/pipeline'
import { auc, brier, fitLogistic, logLoss, predict, standardiser } from './logistic.mjs'
import { reliabilitySvg } from './reliability-svg.mjs'

const SUCCESS_MM = 9.6
const RIDGES = [0.03, 0.1, 0.3, 1, 3, 10]
/** Every third scene is never fitted to. */
const HELD_OUT = 3
const FOLDS = 5
/** No pose is accepted with a chance of failure above this, whatever the cases say. */
const MOST_ACCEPTED = 0.2
/** As few successes are rejected in cross-validation, as long as the limit is between these. */
const FALSE_ALARMS = 0.02
const REJECT = { from: 0.5, to: 0.9 }
/** Median of χ² with six degrees of freedom. */
const CHI2_MEDIAN = 5.348

/** Which way a feature may count: nothing that speaks for a pose is to speak against it because others say more. Others are free. */
const SIGNS = {
  coarse: -1,
  middle: -1,
  fine: -1,
  ofIdealCoarse: -1,
  ofIdealMiddle: -1,
  ofIdealFine: -1,
  typicalCoarse: -1,
  typicalMiddle: -1,
  weakestQuarter: -1,
  agreeingStarts: -1,
  overRival: -1,
  overSearched: -1,
  outstanding: -1,
  moved: 1,
  landmarkMedian: 1,
  expectedTre: 1,
  expectedMpd: 1
}

const fitSigned = (x, y, ridge) =>
  fitLogistic(
    x,
    y,
    ridge,
    STATUS_FEATURES.map(name => SIGNS[name] ?? 0)
  )

/** What is predicted: a pose of somebody or something else is off by any measure. */
const LABELS = {
  failure: r => +(!r.own || r.mpd > SUCCESS_MM),
  above2mm: r => +(!r.own || r.tre > 2),
  above10mm: r => +(!r.own || r.tre > 10)
}
/** By the paper's measure of success: what must not be accepted, and alone may be rejected. */
const failed = LABELS.failure
const off = LABELS.above10mm

export function fitStatusModel(all) {
  // These are found by tests of their own (solve.ts, assessment/mirror.ts).
  const rows = all.filter(r => r.kind !== 'contradicting' && r.kind !== 'mirrored')
  const scenes = [...new Set(rows.map(r => r.scene))].sort((a, b) => a - b)
  const fittedScenes = scenes.filter((_, i) => i % HELD_OUT !== HELD_OUT - 1)
  const fitted = rows.filter(r => fittedScenes.includes(r.scene))
  const kept = rows.filter(r => !fittedScenes.includes(r.scene))

  const own = fitted.filter(r => !failed(r) && r.mahalanobis !== null).map(r => r.mahalanobis)
  const covarianceScale = quantile(own, 0.5) / CHI2_MEDIAN
  // Expected errors are in standard deviations of the scaled covariance.
  const vector = r => {
    const e = r.evidence
    const k = Math.sqrt(covarianceScale)
    const f = statusFeatures({
      ...e,
      overRival: e.overRival ?? Number.NaN,
      overSearched: e.overSearched ?? Number.NaN,
      outstanding: e.outstanding ?? Number.NaN,
      expectedTreMm: Math.min(1000, e.expectedTreMm * k),
      depthStdMm: Math.min(1000, e.depthStdMm * k),
      expectedMpdMm: Math.min(1000, e.expectedMpdMm * k)
    })
    return STATUS_FEATURES.map(name => f[name])
  }
  const scaling = standardiser(fitted.map(vector))
  const x = rs => rs.map(r => scaling.apply(vector(r)))
  const models = {}
  const outOfFold = {}
  for (const [name, label] of Object.entries(LABELS)) {
    const tries = RIDGES.map(ridge => ({ ridge, p: crossValidated(fitted, fittedScenes, x, label, ridge) }))
    const loss = t => logLoss(t.p, fitted.map(label))
    const best = tries.reduce((a, b) => (loss(b) < loss(a) ? b : a))
    outOfFold[name] = best.p
    models[name] = { ...fitSigned(x(fitted), fitted.map(label), best.ridge), ridge: best.ridge }
  }
  // A quarter of the least probability that any failure got in cross-validation, but for those that are rejected by rule: with half of it a
  // failure of a patient that the model had not seen was once accepted.
  const ruledOut = r => impossible(r.evidence, true).length > 0
  const least = Math.min(1, ...outOfFold.failure.filter((_, i) => failed(fitted[i]) && !ruledOut(fitted[i])))
  const accept = Math.min(MOST_ACCEPTED, least / 4)
  // Of the failures most are far above; what lies between is doubtful.
  const ofSuccesses = outOfFold.failure.filter((_, i) => !failed(fitted[i])).sort((a, b) => a - b)
  const reject = Math.min(REJECT.to, Math.max(REJECT.from, quantile(ofSuccesses, 1 - FALSE_ALARMS)))
  const statusOf = (p, gross, r) =>
    ruledOut(r) || p >= reject ? 'rejected' : p < accept && gross < MOST_OFF ? 'accepted' : 'doubtful'

  const held = Object.fromEntries(
    Object.entries(LABELS).map(([name, label]) => {
      const p = x(kept).map(r => predict(models[name], r))
      const y = kept.map(label)
      return [name, { p, y, auc: auc(p, y), brier: brier(p, y) }]
    })
  )
  const status = kept.map((r, i) => statusOf(held.failure.p[i], held.above10mm.p[i], r))
  const table = {}
  kept.forEach((r, i) => {
    const group = r.own
      ? `${r.kind}, ${r.preset}, ${failed(r) ? 'failure' : off(r) ? 'off along the beam' : 'success'}`
      : r.kind
    table[group] ??= { accepted: 0, doubtful: 0, rejected: 0 }
    table[group][status[i]]++
  })
  const successes = kept.map((r, i) => [r, status[i]]).filter(([r]) => !failed(r))
  const failures = kept.map((r, i) => [r, status[i]]).filter(([r]) => failed(r))
  const heldOwn = kept.filter(r => !failed(r) && r.reported !== null).map(r => r.reported)
  const round = v => (v === null ? null : Number(v.toPrecision(5)))
  const figures = {
    scenes: scenes.length,
    fittedCases: fitted.length,
    heldOutCases: kept.length,
    heldOutFailures: failures.length,
    heldOutFailuresAccepted: failures.filter(([, s]) => s === 'accepted').length,
    heldOutOffAlongBeam: successes.filter(([r]) => off(r)).length,
    heldOutOffAlongBeamAccepted: successes.filter(([r, s]) => off(r) && s === 'accepted').length,
    heldOutSuccesses: successes.length,
    heldOutSuccessesNotAccepted: successes.filter(([, s]) => s !== 'accepted').length,
    heldOutSuccessesRejected: successes.filter(([, s]) => s === 'rejected').length,
    aucFailure: round(held.failure.auc),
    brierFailure: round(held.failure.brier),
    auc2mm: round(held.above2mm.auc),
    brier2mm: round(held.above2mm.brier),
    auc10mm: round(held.above10mm.auc),
    brier10mm: round(held.above10mm.brier),
    withinHalfOfChiSquare: round(heldOwn.filter(m => m < CHI2_MEDIAN).length / heldOwn.length),
    within95OfChiSquare: round(heldOwn.filter(m => m < 12.592).length / heldOwn.length)
  }
  const model = {
    features: [...STATUS_FEATURES],
    mean: scaling.mean.map(round),
    std: scaling.std.map(round),
    failure: { offset: round(models.failure.offset), weights: models.failure.weights.map(round) },
    above2mm: { offset: round(models.above2mm.offset), weights: models.above2mm.weights.map(round) },
    above10mm: { offset: round(models.above10mm.offset), weights: models.above10mm.weights.map(round) },
    accept: round(accept),
    reject: round(reject),
    covarianceScale: round(covarianceScale),
    figures
  }
  const module = `// Generated by tools/calibrate-status.mjs from ${rows.length} simulated registrations of ${scenes.length} procedural patients; do not edit.
// Fitted to ${fittedScenes.length} patients; figures are of the ${scenes.length - fittedScenes.length} others.
export const STATUS_MODEL = ${JSON.stringify(model, null, 2)} as const
`
  const svg = reliabilitySvg([
    { title: 'mPD > 9.6 mm or another patient', ...held.failure },
    { title: 'TRE > 2 mm', ...held.above2mm },
    { title: 'TRE > 10 mm', ...held.above10mm }
  ])
  const weights = STATUS_FEATURES.map((n, i) =>
    [n.padEnd(16), ...Object.keys(LABELS).map(l => models[l].weights[i].toFixed(2).padStart(7))].join(' ')
  )
  return {
    module,
    svg,
    text: [
      JSON.stringify(figures, null, 2),
      `covariance scale ${covarianceScale.toFixed(3)}, accept below ${accept.toFixed(4)}, reject from ${reject.toFixed(3)}, ridges ${Object.keys(
        LABELS
      )
        .map(l => models[l].ridge)
        .join(', ')}`,
      `over the mirror image by (least, median, most): right ${spread(all.filter(r => !failed(r)))}, mirrored ${spread(all.filter(r => r.kind === 'mirrored'))}`,
      ...weights,
      ...Object.entries(table)
        .sort()
        .map(([g, c]) => `${g}: ${c.accepted} accepted, ${c.doubtful} doubtful, ${c.rejected} rejected`)
    ].join('\n')
  }
}

/** Probabilities from models that did not see the case's scene. */
function crossValidated(rows, scenes, x, label, ridge) {
  const p = new Array(rows.length)
  const folds = Math.min(FOLDS, scenes.length)
  for (let f = 0; f < folds; f++) {
    const out = scenes.filter((_, i) => i % folds === f)
    const rest = rows.filter(r => !out.includes(r.scene))
    if (rest.length === 0) return rows.map(() => 0.5)
    const m = fitSigned(x(rest), rest.map(label), ridge)
    rows.forEach((r, i) => {
      if (out.includes(r.scene)) p[i] = predict(m, x([r])[0])
    })
  }
  return p
}

/** What the mirror test (assessment/mirror.ts) goes by. */
function spread(rows) {
  const values = rows.map(r => r.evidence.overMirror)
  return [0, 0.5, 1].map(q => quantile(values, q)?.toFixed(3) ?? '–').join(', ')
}

function quantile(values, q) {
  const s = [...values].sort((a, b) => a - b)
  return s[Math.min(s.length - 1, Math.floor(q * s.length))]
}
