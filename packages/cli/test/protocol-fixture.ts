import {
  createRandom,
  DEGREE,
  heightRange,
  type Mat4,
  PAPER_DETECTOR,
  poseErrors,
  poseFromView,
  rigidPoseVariables,
  type Vec3
} from '@raypose/core'
import {
  type Comparison,
  compareRuns,
  type Judgement,
  type Protocol,
  type ProtocolRow,
  type ProtocolRun,
  protocolResults,
  readProtocol,
  viewsOf
} from '@raypose/pipeline'
import { protocolViews } from '../../pipeline/src/protocol/stage.js'

const TARGETS: readonly Vec3[] = [
  [-50, 10, -61],
  [50, 10, -61],
  [0, -63, -8],
  [-88, -17, 31],
  [88, -17, 31],
  [-110, -68, 79],
  [110, -68, 79],
  [0, 9, 110]
]
const ORIGIN: Vec3 = [0, 0, 0]
const SCALE = { rotation: DEGREE, inPlane: 1, depth: 5 }

/** A run with real errors of made-up poses: `far` is how far from the truth the first method's poses are. */
export async function aProtocolRun(
  patients: readonly string[],
  sample: number,
  far = 1
): Promise<ProtocolRun> {
  const shipped = await readProtocol('paper')
  const { default: raypose, 'bobyqa-ncc': ncc, 'front-ncc': front } = shipped.methods
  const protocol: Protocol = {
    ...shipped,
    views: { ...shipped.views, sample },
    methods: { default: raypose, 'bobyqa-ncc': ncc, 'front-ncc': front },
    figures: shipped.figures.filter(f => f.method !== 'bobyqa-lncc')
  }
  const views = protocolViews(protocol, heightRange(TARGETS, ORIGIN))
  const random = createRandom(4)
  const rows: ProtocolRow[] = []
  for (const [p, patient] of patients.entries())
    for (const [m, method] of Object.keys(protocol.methods).entries())
      for (const [view, v] of views.entries()) {
        const truth = poseFromView(v, ORIGIN)
        const near = (by: number): Mat4 =>
          rigidPoseVariables(truth, ORIGIN, SCALE).poseAt(
            Array.from({ length: 6 }, () => by * random.normal())
          )
        const lost = m === 0 && p === 1 && view === 2
        const initialPose = lost ? null : near(1 + Math.abs(v.gamma) * 2 + p * 0.2)
        const finalPose = lost ? null : near(random.uniform(0, 1) < 0.03 ? 8 : far * (0.05 + 0.1 * m))
        const errors = (pose: Mat4 | null) => pose && poseErrors(PAPER_DETECTOR, pose, truth, TARGETS)
        const probability = lost ? null : random.uniform(0, 1) ** 0.2
        const gross = probability === null ? null : 1 - probability
        // The first method alone judges its own poses.
        const judgement: Judgement =
          m > 0 || gross === null
            ? {
                status: null,
                probability: null,
                probabilityTreAbove2mm: null,
                probabilityTreAbove10mm: null
              }
            : {
                status: gross < 0.2 ? 'accepted' : gross < 0.6 ? 'doubtful' : 'rejected',
                probability,
                probabilityTreAbove2mm: Math.sqrt(gross),
                probabilityTreAbove10mm: gross
              }
        rows.push({
          patient,
          method,
          view,
          alphaDeg: v.alpha / DEGREE,
          betaDeg: Math.round(v.beta / DEGREE),
          gammaDeg: Math.round(v.gamma / DEGREE),
          offsetMm: [0, 0, v.translation[2]],
          visible: 8,
          truth,
          initialPose,
          finalPose,
          initial: errors(initialPose),
          final: errors(finalPose),
          initialProbability: probability,
          ...judgement,
          seconds: lost ? {} : { detect: 0.04, initialPose: 0.02, refine: 0.4 + m, total: 0.48 + m },
          ...(lost ? { failure: 'Only <3> landmarks were found' } : {})
        })
      }
  return {
    protocol,
    version: '0.1.0',
    patients: patients.map(name => ({
      name,
      views: views.length,
      targets: TARGETS.length,
      targetKind: 'landmarks',
      bundleSha256: 'b'.repeat(64),
      ctSha256: 'c'.repeat(64),
      source: { name, ct: null, bundle: null, landmarks: TARGETS, isocenter: ORIGIN }
    })),
    rows,
    machine: 'a made-up processor, 2 cores',
    workers: 2,
    seconds: 812
  }
}

/** The run with everything that a report can show. */
export async function aProtocolReport(patients: readonly string[], sample: number, png: Uint8Array) {
  const run = await aProtocolRun(patients, sample)
  const before = await aProtocolRun(patients, sample, 3)
  const captureRange = ['default', 'bobyqa-ncc'].flatMap((method, i) =>
    [5, 10, 20, 30, 45, 60].map(treMm => ({
      method,
      treMm,
      successes: Math.max(0, Math.round(54 - (treMm * treMm * (i + 1)) / 90)),
      of: 54
    }))
  )
  const bare = protocolResults(run)
  const ablations = ['N′', 'N'].map(arm => ({
    ablation: 'network',
    title: 'Network N′ or N',
    arm,
    methods: bare.summary.overall.slice(0, 1)
  }))
  const results = protocolResults(run, { captureRange, ablations })
  const old = protocolResults(before)
  const comparison: Comparison = compareRuns(
    viewsOf(old.columns, old.rows),
    viewsOf(results.columns, results.rows),
    { measure: 'projectionDistance', comparison: '<', threshold: 9.6 }
  )
  const first = run.rows.filter(r => r.method === 'default' && r.patient === patients[0])
  return {
    results,
    run,
    comparison,
    scene: {
      targets: TARGETS,
      isocenter: ORIGIN,
      views: first.map(r => ({ truth: r.truth, estimate: r.initialPose, title: `View ${r.view}` }))
    },
    gallery: run.rows
      .filter(r => r.failure || r.view === 1)
      .slice(0, 10)
      .map(row => ({ row, png }))
  }
}
