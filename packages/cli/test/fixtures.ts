import {
  createRandom,
  DEGREE,
  fulfils,
  geometryToJson,
  type Image,
  PAPER_DETECTOR,
  poseErrors,
  poseFromView,
  successCriteria,
  summarise,
  type Vec3,
  type View
} from '@raypose/core'
import type {
  EvaluatedView,
  Evaluation,
  PatientManifest,
  PatientParts,
  RegistrationJson
} from '@raypose/pipeline'

/** A disc whose border is a ramp of one pixel, on nothing. */
export const disc = (width: number, height: number, cx: number, cy: number, radius: number): Image => ({
  width,
  height,
  data: Float32Array.from({ length: width * height }, (_, i) =>
    Math.max(0, Math.min(1, radius + 0.5 - Math.hypot((i % width) - cx, Math.floor(i / width) - cy)))
  )
})

/** The smallest PNG there is: one black pixel. */
export const TINY_PNG = Uint8Array.from(
  Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==',
    'base64'
  )
)

const TARGETS: readonly Vec3[] = [
  [0, 0, 0],
  [60, 20, -30],
  [-50, -40, 60]
]

const view = (alphaDeg: number, betaDeg: number, gammaDeg: number, z: number): View => ({
  alpha: alphaDeg * DEGREE,
  beta: betaDeg * DEGREE,
  gamma: gammaDeg * DEGREE,
  translation: [0, 0, z]
})

/** An evaluation with real errors of made-up poses; view 2 is far off, view 4 gave none. */
export function anEvaluation(count = 6): Evaluation {
  const random = createRandom(11)
  const near = (v: View, by: number): View => ({
    ...v,
    gamma: v.gamma + by * DEGREE * random.normal(),
    translation: [v.translation[0] + 2 * by, v.translation[1] + 6 * by, v.translation[2]]
  })
  const views = Array.from({ length: count }, (_, index): EvaluatedView => {
    const v = view(0, 5 * (index % 3), -40 + 16 * index, 30 * (index % 2))
    const truth = poseFromView(v, [0, 0, 0])
    const base = { index, view: v, truth, visibleLandmarks: 20 - index }
    if (index === 4)
      return {
        ...base,
        initialPose: null,
        finalPose: null,
        initial: null,
        final: null,
        similarity: null,
        timings: null,
        failure: 'Only 3 landmarks <were> found'
      }
    const initialPose = poseFromView(near(v, 0.8), [0, 0, 0])
    const finalPose = poseFromView(near(v, index === 2 ? 9 : 0.05), [0, 0, 0])
    return {
      ...base,
      initialPose,
      finalPose,
      initial: poseErrors(PAPER_DETECTOR, initialPose, truth, TARGETS),
      final: poseErrors(PAPER_DETECTOR, finalPose, truth, TARGETS),
      similarity: { before: 0.8, after: 0.95 },
      timings: { detect: 0.03, initialPose: 0.02, refine: 1.25, total: 1.3 }
    }
  })
  const rows = (which: 'initial' | 'final') => views.flatMap(v => v[which] ?? [])
  const [success] = successCriteria(PAPER_DETECTOR)
  return {
    format: 'raypose-evaluation',
    version: '0.1.0',
    patientSha256: 'ab12',
    conditions: {
      preset: 'paper',
      renderer: 'reference',
      seed: 5,
      targets: '3 reference landmarks',
      views: `${count} views`
    },
    detector: PAPER_DETECTOR,
    views,
    initial: summarise(rows('initial'), PAPER_DETECTOR),
    final: summarise(rows('final'), PAPER_DETECTOR),
    init: null,
    timings: null,
    successes: rows('final').filter(e => fulfils(e, success)).length,
    seconds: 12
  }
}

export function aRegistration(): RegistrationJson {
  const pose = (gammaDeg: number) => poseFromView(view(0, 0, gammaDeg, 0), [0, 0, 0])
  return {
    format: 'raypose-registration',
    version: '0.1.0',
    status: 'doubtful',
    assessment: {
      status: 'doubtful',
      reasons: ['A quarter of the picture does not fit (0.21).'],
      probability: 0.875,
      probabilityTreAbove2mm: 0.25,
      probabilityTreAbove10mm: 0.125,
      covariance: Array.from({ length: 36 }, (_, i) => (i % 7 === 0 ? 0.01 : 0)),
      ellipsoid: {
        centre: [0, 0, 0],
        axes: [
          { mm: 1.25, direction: [0, 1, 0] },
          { mm: 0.2, direction: [1, 0, 0] },
          { mm: 0.1, direction: [0, 0, 1] }
        ]
      },
      expectedTreMm: 1.4,
      evidence: null
    },
    geometry: geometryToJson(PAPER_DETECTOR, pose(12)),
    initialCameraFromLps: Array.from(pose(13)),
    cameraFromCt: Array.from(pose(12)),
    lpsFromCt: [1, 0, 0, 0, 1, 0, 0, 0, 1],
    view: { alphaDeg: 0, betaDeg: 0, gammaDeg: 12, translationMm: [0, 0, 0] },
    landmarks: [
      { name: 'ischial spine R', u: 100.25, v: 80.5, confidence: 0.93, residualMm: 1.46, inlier: true },
      { name: 'pubic tubercle <L>', u: 12, v: 15, confidence: 0.08, residualMm: 71.2, inlier: false }
    ],
    similarity: { name: 'gncc', before: 0.4321, after: 0.8765 },
    evaluations: 137,
    reprojectionRmsMm: 1.46,
    initialCovariance: Array.from({ length: 36 }, (_, i) => (i % 7 === 0 ? (i < 21 ? 1e-6 : 4) : 0)),
    initialConfidence: {
      value: 0.97,
      word: 'high',
      reason: '12 of the 14 landmarks that the pose shows were found where it has them',
      evidence: { expected: 14, confirmed: 12, contradicting: 1, reprojectionRmsMm: 1.46, similarity: 0.91 }
    },
    normalisation: {
      intensity: 'linear',
      bright: 'exposure',
      mirrored: true,
      tube: 'behind',
      rotationDeg: 92.5,
      settled: { intensity: 'given', bright: 'given', mirrored: 'found', tube: 'found', rotation: 'found' },
      fieldShare: 0.81,
      tried: 3
    },
    timingsSeconds: { detect: 0.031, initialPose: 0.004, refine: 1.5, total: 1.535 },
    inputs: { xray: { file: '/data/a & b.dcm', sha256: 'f00d' }, patient: { sha256: 'beef' } },
    parameters: { similarity: 'gncc', threads: 2 },
    notes: ['The X-ray is 8 bits <deep>.']
  }
}

export const aManifest = (): PatientManifest => ({
  format: 'raypose-patient',
  formatVersion: 1,
  version: '0.1.0',
  created: '2026-01-01T00:00:00.000Z',
  anatomy: 'pelvis',
  hips: [],
  isocenter: [1, -2, 3],
  lpsFromCt: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  notes: ['The CT: 512 × 512 × 160 voxels <fine>.'],
  detector: { sdd: 1200, pixel: [1.6, 1.6], size: [240, 188], principalPoint: [119.5, 93.5] },
  landmarks: [
    {
      name: 'ischial spine R',
      point: [1.25, 2, 3],
      source: 'rays',
      inside: true,
      rays: 77,
      pairs: 1234,
      support: 0.91,
      spreadMm: 2.34,
      surfaceDistanceMm: 1.1,
      priorResidualMm: 5,
      validationMm: 0.9,
      weight: 1
    },
    {
      name: 'sacral promontory M',
      point: [4, 5, 6],
      source: 'prior',
      reason: 'seen in 2 views',
      inside: true,
      rays: 2,
      pairs: 0,
      support: null,
      spreadMm: null,
      surfaceDistanceMm: null,
      priorResidualMm: null,
      validationMm: null,
      weight: 0.25
    }
  ],
  provenance: { ct: { sha256: 'c7' }, steps: 600 },
  validation: {
    before: {
      visible: 2000,
      meanMm: 5.61,
      medianMm: 4.21,
      recall: 0.8,
      confidentMeanMm: 4.4,
      falsePositives: 0.05
    },
    after: {
      visible: 2000,
      meanMm: 1.61,
      medianMm: 1.11,
      recall: 0.97,
      confidentMeanMm: 1.4,
      falsePositives: 0.01
    }
  },
  curve: [
    [0, 8],
    [100, 4],
    [200, 2.5],
    [300, 2.25]
  ],
  validationCurve: [
    [100, 4.5],
    [200, 2.5]
  ],
  worstViews: [],
  files: { network: { sha256: 'aa', bytes: 1 }, volume: { sha256: 'bb', bytes: 2 } },
  integrity: 'cc'
})

/** Landmarks of a patient that was prepared well, as a manifest has them. */
export const preparedLandmarks = (
  points: readonly Vec3[],
  names: readonly string[] = points.map((_, i) => `${i}`)
): PatientParts['landmarks'] =>
  points.map((p, i) => ({
    name: names[i],
    point: [p[0], p[1], p[2]],
    source: 'rays',
    rays: 9,
    pairs: 9,
    spreadMm: 1,
    surfaceDistanceMm: 1,
    priorResidualMm: 1,
    validationMm: 1,
    weight: 1
  }))
