import {
  composeRigid,
  createPhantom,
  createRandom,
  createWasmRenderer,
  DEGREE,
  type Image,
  invertRigid,
  linearise,
  type Mat4,
  mirrorImage,
  PAPER_DETECTOR,
  poseErrors,
  poseFromView,
  project,
  simulateReading,
  type Vec3,
  XRAY_PRESETS,
  XrayError
} from '@raypose/core'
import { afterAll, describe, expect, it } from 'vitest'
import { assess, MOST_OFF } from '../src/register/assessment/assess.js'
import { registrationEvidence } from '../src/register/assessment/evidence.js'
import { covarianceScaleAt } from '../src/register/assessment/fitted-covariance.js'
import { statusFeatures } from '../src/register/assessment/status-features.js'
import { STATUS_MODEL } from '../src/register/assessment/status-model.data.js'
import {
  COVARIANCE_SCALE,
  STATUS_LIMITS,
  statusProbabilities
} from '../src/register/assessment/status-model.js'
import { PLAIN_READING } from '../src/register/initial/types.js'
import { refineViews } from '../src/register/refine.js'
import { prepareRefinement } from '../src/register/refinement-volume.js'
import { relativeGeometry } from '../src/register/relative-geometry.js'
import { type SolvedPatient, solveDefault, solveLoosely } from '../src/register/solve.js'
import { createTracker } from '../src/register/track.js'

const DETECTOR = PAPER_DETECTOR
const phantom = createPhantom({ seed: 71, spacing: 2 })
const other = createPhantom({ seed: 72, spacing: 2 })
const ct = prepareRefinement(phantom.ct)
const renderer = createWasmRenderer(phantom.ct)
const otherRenderer = createWasmRenderer(other.ct)
afterAll(() => {
  ct.dispose()
  renderer.dispose()
  otherRenderer.dispose()
})
const centre = phantom.isocenter
const patient: SolvedPatient = { ct, landmarks: phantom.landmarks, centre }

const poseAt = (gamma: number, translation: Vec3 = [3, 6, -8]): Mat4 =>
  poseFromView({ alpha: 5 * DEGREE, beta: 3 * DEGREE, gamma: gamma * DEGREE, translation }, centre)
const truth = poseAt(12)
const start = poseAt(15, [6, 20, -12])

function shoot(pose: Mat4, from = renderer, seed = 4): Image {
  const integrals = from.render({ detector: DETECTOR, cameraFromLps: pose })
  const reading = simulateReading(integrals, DETECTOR.pixel[0], XRAY_PRESETS['c-arm'], createRandom(seed))
  return linearise(reading, { kind: 'intensity' })
}
const solve = (image: Image, hypotheses: readonly Mat4[] = [start]) =>
  solveDefault(patient, [{ image, detector: DETECTOR, hypotheses, landmarks: [] }], {}, {})
const tre = (found: Mat4, wanted = truth) => poseErrors(DETECTOR, found, wanted, phantom.landmarks).tre

describe('a registration', () => {
  it('that is right is accepted, with an error of about the size that it expects', () => {
    const { cameras, assessment: a } = solve(shoot(truth))
    expect(a.status).toBe('accepted')
    expect(1 - a.probability).toBeLessThan(STATUS_LIMITS.accept)
    expect(a.probabilityTreAbove10mm).toBeLessThan(STATUS_LIMITS.accept)
    expect(a.probabilityTreAbove10mm).toBeLessThan(MOST_OFF)
    expect(a.probabilityTreAbove2mm).toBeGreaterThanOrEqual(a.probabilityTreAbove10mm)
    expect(tre(cameras[0])).toBeLessThan(5 * a.expectedTreMm!)
    expect(a.covariance).toHaveLength(36)
    // The longest axis of the ellipsoid lies along the beam.
    const [longest] = a.ellipsoid!.axes
    const m = cameras[0]
    const beam = [m[8], m[9], m[10]]
    expect(Math.abs(longest.direction.reduce((s, x, k) => s + x * beam[k], 0))).toBeGreaterThan(0.9)
    expect(longest.mm).toBeCloseTo(Math.sqrt(a.covariance![35]), 1)
  })

  const bad: [string, () => ReturnType<typeof solve>, RegExp][] = [
    [
      'of another patient',
      () =>
        solve(
          shoot(
            poseFromView({ alpha: 0, beta: 0, gamma: 0.2, translation: [0, 0, 0] }, other.isocenter),
            otherRenderer
          )
        ),
      /agree|mirror/
    ],
    ['of a mirrored picture', () => solve(mirrorImage(shoot(truth))), /mirror image fits better|agree/],
    [
      'of nothing but noise',
      () => {
        const random = createRandom(9)
        return solve({
          width: 240,
          height: 188,
          data: Float32Array.from({ length: 240 * 188 }, () => random.normal())
        })
      },
      /agree/
    ],
    [
      'of a saturated picture',
      () => {
        const image = shoot(truth)
        return solve({ ...image, data: image.data.map((x, i) => (i % 240 > 20 ? 0 : x + 1)) })
      },
      /saturated/
    ],
    [
      'of a field that the CT does not reach',
      () => solve(shoot(truth), [poseAt(12, [900, 0, 0])]),
      /overlap|determine|agree/
    ],
    [
      'from a start behind the source',
      () => solve(shoot(truth), [poseAt(12, [0, -2500, 0])]),
      /overlap|determine|agree/
    ]
  ]
  it.each(bad)('%s is rejected, and says why', (_, run, reason) => {
    const { assessment: a } = run()
    expect(a.status).toBe('rejected')
    expect(a.reasons.join(' ')).toMatch(reason)
    expect(1 - a.probability).toBeGreaterThanOrEqual(STATUS_LIMITS.reject)
    expect(a.probabilityTreAbove10mm).toBeGreaterThanOrEqual(STATUS_LIMITS.reject)
  })

  it('of a constant picture is an error with a name', () => {
    const image = { width: 240, height: 188, data: new Float32Array(240 * 188).fill(3) }
    expect(() => solve(image)).toThrow(XrayError)
  })

  it('whose initial pose was not to be trusted is doubtful at best', () => {
    const refinement = refineViews(
      ct,
      [{ image: shoot(truth), detector: DETECTOR, hypotheses: [start], landmarks: [] }],
      phantom.landmarks,
      centre
    )
    const judged = registrationEvidence(ct, refinement, phantom.landmarks, centre, COVARIANCE_SCALE)
    expect(assess(judged, centre).status).toBe('accepted')
    const refused = assess(judged, centre, { initialRefused: 'Few landmarks agree.' })
    expect(refused.status).toBe('doubtful')
    expect(refused.reasons).toContain('Few landmarks agree.')
    // The pose is 700 mm from the source.
    const beam = (sourceToPatient: number) => ({ beam: { sourceToDetector: 1200, sourceToPatient } })
    expect(assess(judged, centre, beam(720)).status).toBe('accepted')
    const contradicted = assess(judged, centre, beam(900))
    expect(contradicted.status).toBe('doubtful')
    expect(contradicted.reasons[0]).toMatch(/900 mm from source to patient/)
    expect(contradicted.probabilityTreAbove10mm).toBe(0.5)
    expect(contradicted.probabilityTreAbove2mm).toBe(0.5)
    expect(assess(judged, centre, { objections: ['The table moved.'] })).toMatchObject({
      status: 'rejected',
      probability: 0
    })
  })
})

describe('the covariance of a pose', () => {
  it('is wider where there is much noise, up to a limit, and never narrower', () => {
    expect(covarianceScaleAt(0)).toBe(2)
    expect(covarianceScaleAt(0.01)).toBe(2)
    expect(covarianceScaleAt(0.017)).toBeGreaterThan(2.5)
    expect(covarianceScaleAt(0.017)).toBeLessThan(4)
    for (const noise of [0.026, 0.2, 1]) expect(covarianceScaleAt(noise)).toBeCloseTo(4.6, 9)
  })
})

describe('the status model', () => {
  it('has coefficients for its features, and no feature speaks against its meaning', () => {
    const { features, failure, above10mm, above2mm, mean, std, accept, reject } = STATUS_MODEL
    const models = [failure, above10mm, above2mm]
    for (const list of [...models.map(m => m.weights), mean, std]) expect(list).toHaveLength(features.length)
    expect(accept).toBeLessThan(reject)
    const good = [
      'coarse',
      'middle',
      'fine',
      'weakestQuarter',
      'agreeingStarts',
      'overRival',
      'overSearched',
      'outstanding'
    ]
    features.forEach((name, k) => {
      const sign = good.includes(name)
        ? -1
        : ['moved', 'landmarkMedian', 'expectedTre', 'expectedMpd'].includes(name)
          ? 1
          : 0
      for (const m of models) expect(m.weights[k] * sign).toBeGreaterThanOrEqual(0)
    })
  })

  it('takes a rival that is none for a clear advantage, and is sure of nothing without end', () => {
    const evidence = {
      similarity: [0, 0, 0] as const,
      ofIdeal: [0, 0, 0] as const,
      typicalOfIdeal: [0, 0] as const,
      weakestQuarter: -1,
      overMirror: -5,
      agreeingStarts: 0,
      overRival: Number.NaN,
      overSearched: Number.NaN,
      outstanding: Number.NaN,
      movedMm: 1e6,
      landmarks: null,
      expectedTreMm: 1e3,
      depthStdMm: 1e3,
      expectedMpdMm: 1e3,
      usableShare: 0,
      clippedShare: 1,
      noise: 0
    }
    expect(statusFeatures(evidence).overRival).toBe(statusFeatures({ ...evidence, overRival: 2 }).overRival)
    expect(statusFeatures(evidence)).toMatchObject({ searched: 0 })
    expect(statusFeatures({ ...evidence, outstanding: 1 })).toMatchObject({ searched: 1, outstanding: 1 })
    expect(statusFeatures(evidence).outstanding).toBe(
      statusFeatures({ ...evidence, outstanding: 100 }).outstanding
    )
    expect(statusFeatures(evidence).overSearched).toBe(
      statusFeatures({ ...evidence, overSearched: 2 }).overSearched
    )
    const p = statusProbabilities(evidence)
    expect(p.failure).toBeGreaterThan(0.9)
    expect(p.treAbove10mm).toBeGreaterThan(0.9)
    expect(p.treAbove10mm).toBeLessThanOrEqual(p.treAbove2mm)
  })
})

describe('two X-rays', () => {
  const second = poseAt(-55)
  const relative = composeRigid(second, invertRigid(truth))
  const turned = (degrees: number) => composeRigid(poseAt(-55 + degrees), invertRigid(truth))
  const pair = (cameraFromFirst: Mat4 | undefined) => [
    { image: shoot(truth), detector: DETECTOR, hypotheses: [start], landmarks: [] },
    {
      image: shoot(second, renderer, 6),
      detector: DETECTOR,
      hypotheses: [poseAt(-52, [8, 0, -4])],
      landmarks: [],
      cameraFromFirst
    }
  ]

  it('of known relative geometry leave less of the depth open than one', () => {
    const both = solveDefault(patient, pair(relative), {}, {})
    const [one] = pair(relative)
    const single = solveDefault(patient, [one], {}, {})
    expect(both.assessment.status).toBe('accepted')
    expect(both.assessment.expectedTreMm!).toBeLessThan(single.assessment.expectedTreMm! / 2)
    expect(tre(both.cameras[1], second)).toBeLessThan(0.5)
  })

  it('that contradict each other are rejected', () => {
    const { assessment } = solveDefault(patient, pair(turned(9)), {}, {})
    expect(assessment.status).toBe('rejected')
    expect(assessment.reasons[0]).toMatch(/contradict/)
  })

  it('of roughly known geometry keep it where it holds, and give it up where it does not', () => {
    const held = solveLoosely(patient, pair(relative), [{}, {}], {})
    expect('joint' in held && held.joint.assessment.status).toBe('accepted')
    const given = solveLoosely(patient, pair(turned(4)), [{}, {}], {})
    expect('apart' in given).toBe(true)
    if ('apart' in given) {
      expect(given.apart.map(a => a.assessment.status)).toEqual(['accepted', 'accepted'])
      expect(tre(given.apart[1].cameras[0], second)).toBeLessThan(1)
    }
  })

  it('have the relative geometry of their camera poses, else of the C-arm’s angles, else none', () => {
    const none = { cameraFromLps: null, positioner: null, sourceToPatient: null }
    const placed = [truth, second].map(cameraFromLps => ({ ...none, cameraFromLps }))
    const tracked = relativeGeometry(placed)
    expect(tracked.source).toBe('tracked')
    tracked.cameraFromFirst[1]!.forEach((x, i) => expect(x).toBeCloseTo(relative[i], 9))
    expect(relativeGeometry([placed[0], none]).source).toBe('unknown')
    expect(relativeGeometry(placed, 'angles').source).toBe('unknown')
    const armed = [0, 30].map(degrees => ({
      ...none,
      positioner: { primary: degrees * DEGREE, secondary: 0 },
      sourceToPatient: 700
    }))
    const { source, cameraFromFirst } = relativeGeometry(armed)
    expect(source).toBe('angles')
    // The isocentre stays on both axes, and the C-arm turned by 30° about the picture's vertical.
    const m = cameraFromFirst[1]!
    expect(m[8] * 0 + m[10] * 700 + m[11]).toBeCloseTo(700, 6)
    expect(m[2] * 700 + m[3]).toBeCloseTo(0, 6)
    expect(m[5]).toBeCloseTo(1, 9)
    expect(m[0]).toBeCloseTo(Math.cos(30 * DEGREE), 9)
  })
})

describe('a sequence', () => {
  const motion = Array.from({ length: 5 }, (_, k) => poseAt(12 + k, [3 + 2 * k, 6, -8 + 3 * k]))
  const nothing = { width: 240, height: 188, data: new Float32Array(240 * 188) }

  /** Landmarks that are 15 mm off find every frame; `looks` counts how often they were asked. */
  const tracker = (poseOf: () => Mat4) => {
    const looks = { count: 0 }
    const track = createTracker({
      ...patient,
      async look({ image, detector }) {
        looks.count++
        const hypothesis = composeRigid(poseOf(), [1, 0, 0, 9, 0, 1, 0, 12, 0, 0, 1, 0, 0, 0, 0, 1])
        const camera = { detector, cameraFromLps: hypothesis }
        const initial = {
          accepted: true,
          hypotheses: [{ cameraFromLps: hypothesis }],
          detections: phantom.landmarks.map((p, i) => ({
            name: String(i),
            ...project(camera, p),
            confidence: 0,
            residualMm: 0,
            inlier: false
          })),
          normalisation: { ...PLAIN_READING, mirrored: false }
        }
        return { initial: initial as never, image, detector, circumstances: {} }
      }
    })
    return { track, looks }
  }

  it('is followed from frame to frame, over an empty one, without landmarks', async () => {
    let at = 0
    const { track, looks } = tracker(() => motion[at])
    const found = []
    for (at = 0; at < motion.length; at++) {
      if (at === 3) found.push(await track.next(nothing, DETECTOR))
      found.push(await track.next(shoot(motion[at], renderer, 10 + at), DETECTOR))
    }
    expect(found.map(f => f.how)).toEqual([
      'initialised',
      'followed',
      'followed',
      'lost',
      'followed',
      'followed'
    ])
    expect(found.map(f => f.index)).toEqual([0, 1, 2, 3, 4, 5])
    expect(looks.count).toBe(1)
    const poses = found.flatMap(f => f.cameraFromLps ?? [])
    expect(poses).toHaveLength(5 * 16)
    found
      .filter(f => f.cameraFromLps)
      .forEach((f, k) => expect(tre(f.cameraFromLps!, motion[k])).toBeLessThan(1))
  })

  it('that is lost begins anew from landmarks', async () => {
    const far = poseAt(-35, [-40, 30, 50])
    let now = truth
    const { track, looks } = tracker(() => now)
    expect((await track.next(shoot(now), DETECTOR)).how).toBe('initialised')
    now = far
    const again = await track.next(shoot(far), DETECTOR)
    expect(again.how).toBe('initialised')
    expect(tre(again.cameraFromLps!, far)).toBeLessThan(2)
    expect(looks.count).toBe(2)
  })
})
