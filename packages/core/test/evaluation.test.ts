import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ArgumentError } from '../src/errors.js'
import { cameraRotation, cameraTranslation, type PoseErrors, poseErrors } from '../src/evaluation/measures.js'
import { fulfils, statistics, successCriteria, summarise } from '../src/evaluation/summary.js'
import { binnedDetector, PAPER_DETECTOR } from '../src/geometry/camera.js'
import { IDENTITY3, type Vec3 } from '../src/geometry/linear.js'
import { applyRigid, composeRigid, invertRigid, rigid } from '../src/geometry/rigid.js'
import { DEGREE, expSO3, rotationX, rotationZ } from '../src/geometry/rotation.js'
import { poseFromView } from '../src/geometry/view.js'

fc.configureGlobal({ seed: 5 })

const at = (x: number, y: number, z: number) => rigid(IDENTITY3, [x, y, z])
const centre: Vec3 = [0, 0, 0]

describe('the error measures, hand-computed', () => {
  it('of a shift parallel to the detector', () => {
    const e = poseErrors(PAPER_DETECTOR, at(3, 4, 700), at(0, 0, 700), [centre])
    expect(e.tre).toBeCloseTo(5, 12)
    expect(e.treInPlane).toBeCloseTo(5, 12)
    expect(e.treDepth).toBeCloseTo(0, 12)
    expect(e.projectionDistance).toBeCloseTo((5 * 1200) / 700, 9)
    // The ray through (3, 4, 700) passes (0, 0, 700) at 5·700/hypot(5, 700).
    expect(e.reprojectionDistance).toBeCloseTo((5 * 700) / Math.hypot(5, 700), 9)
    expect(e.cameraTranslation).toBeCloseTo(5, 12)
    expect(e.cameraRotationDeg).toBe(0)
  })

  it('of a shift in depth: invisible on the axis, seen beside it', () => {
    const e = poseErrors(PAPER_DETECTOR, at(0, 0, 714), at(0, 0, 700), [centre, [70, 0, 0]])
    expect(e.tre).toBeCloseTo(14, 12)
    expect(e.treInPlane).toBeCloseTo(0, 12)
    expect(e.treDepth).toBeCloseTo(14, 12)
    // 0 and 1200·70·(1/700 − 1/714), averaged.
    expect(e.projectionDistance).toBeCloseTo((1200 * 70 * (1 / 700 - 1 / 714)) / 2, 9)
    // The estimate sees (70, ·, 714); its ray passes (70, 0, 700) at |70·714 − 700·70|/hypot(70, 714).
    expect(e.reprojectionDistance).toBeCloseTo((70 * 14) / Math.hypot(70, 714) / 2, 9)
    expect(e.cameraTranslation).toBeCloseTo(14, 12)
  })

  it('of a rotation about the optical axis', () => {
    const est = rigid(rotationZ(90 * DEGREE), [0, 0, 700])
    const e = poseErrors(PAPER_DETECTOR, est, at(0, 0, 700), [[70, 0, 0]])
    expect(e.cameraRotationDeg).toBeCloseTo(90, 9)
    expect(e.cameraTranslation).toBeCloseTo(0, 9)
    expect(e.tre).toBeCloseTo(70 * Math.SQRT2, 9)
    expect(e.projectionDistance).toBeCloseTo(120 * Math.SQRT2, 9)
  })

  it('of a rotation about the patient: the source moves on a circle', () => {
    const est = rigid(rotationX(60 * DEGREE), [0, 0, 700])
    expect(cameraTranslation(est, at(0, 0, 700))).toBeCloseTo(700, 9)
    expect(cameraRotation(est, at(0, 0, 700))).toBeCloseTo(Math.PI / 3, 12)
  })

  it('in an AP view: depth is the anterior-posterior direction', () => {
    const truth = poseFromView({ alpha: 0, beta: 0, gamma: 0, translation: [0, 0, 0] }, centre)
    // The C-arm believed 6 mm to the left, 2 mm back and 3 mm up: the patient is off by as much the other way.
    const est = poseFromView({ alpha: 0, beta: 0, gamma: 0, translation: [6, 2, 3] }, centre)
    const e = poseErrors(PAPER_DETECTOR, est, truth, [centre, [30, 40, 50]])
    expect(e.tre).toBeCloseTo(7, 9)
    expect(e.treDepth).toBeCloseTo(2, 9)
    expect(e.treInPlane).toBeCloseTo(Math.hypot(6, 3), 9)
    expect(e.cameraTranslation).toBeCloseTo(7, 9)
  })

  it('use the pixel size along each axis', () => {
    const d = { ...PAPER_DETECTOR, pixel: [0.5, 2] as const }
    const e = poseErrors(d, at(7, 14, 700), at(0, 0, 700), [centre])
    expect(e.projectionDistance).toBeCloseTo(Math.hypot(12, 24), 9)
  })

  it('are 0 for the true pose', () => {
    const truth = poseFromView({ alpha: 0.3, beta: -0.2, gamma: 0.7, translation: [1, 2, 3] }, [9, 8, 7])
    for (const e of Object.values(
      poseErrors(PAPER_DETECTOR, truth, truth, [
        [10, 20, 30],
        [-5, 60, 0]
      ])
    ))
      expect(e).toBeCloseTo(0, 6)
  })

  it('are infinite on the detector where a target falls behind the source', () => {
    const e = poseErrors(PAPER_DETECTOR, at(0, 0, -700), at(0, 0, 700), [centre])
    expect(e.projectionDistance).toBe(Number.POSITIVE_INFINITY)
    expect(e.reprojectionDistance).toBe(Number.POSITIVE_INFINITY)
    expect(e.tre).toBe(1400)
  })

  it('need a target', () => {
    expect(() => poseErrors(PAPER_DETECTOR, at(0, 0, 1), at(0, 0, 1), [])).toThrow(ArgumentError)
  })
})

describe('the error measures', () => {
  const a = fc.double({ min: -0.3, max: 0.3, noNaN: true })
  const t = fc.double({ min: -60, max: 60, noNaN: true })
  const w = fc.double({ min: -3, max: 3, noNaN: true })
  const poses = fc
    .tuple(fc.tuple(a, a, a), fc.tuple(t, t, t))
    .map(([r, s]) => rigid(expSO3(r), [s[0], s[1], 700 + s[2]]))
  const targets: Vec3[] = [
    [10, 20, 30],
    [-50, 60, 70],
    [0, -40, 20]
  ]

  it('do not change when the patient frame is moved', () => {
    fc.assert(
      fc.property(poses, poses, fc.tuple(w, w, w), fc.tuple(t, t, t), (est, truth, turn, shift) => {
        const move = rigid(expSO3(turn), shift)
        const back = invertRigid(move)
        const here = poseErrors(PAPER_DETECTOR, est, truth, targets)
        const there = poseErrors(
          PAPER_DETECTOR,
          composeRigid(est, back),
          composeRigid(truth, back),
          targets.map(p => applyRigid(move, p))
        )
        for (const key of Object.keys(here) as (keyof PoseErrors)[])
          expect(there[key]).toBeCloseTo(here[key], 6)
      })
    )
  })

  it('obey what geometry says about their order', () => {
    fc.assert(
      fc.property(poses, poses, (est, truth) => {
        const e = poseErrors(PAPER_DETECTOR, est, truth, targets)
        expect(e.treInPlane).toBeLessThanOrEqual(e.tre + 1e-9)
        expect(e.treDepth).toBeLessThanOrEqual(e.tre + 1e-9)
        expect(e.tre).toBeLessThanOrEqual(e.treInPlane + e.treDepth + 1e-9)
        // The mapped target is one point of the ray, so the nearest is no further.
        expect(e.reprojectionDistance).toBeLessThanOrEqual(e.tre + 1e-9)
      })
    )
  })
})

describe('the summary', () => {
  const row = (projectionDistance: number, tre: number): PoseErrors => ({
    tre,
    treInPlane: tre / 2,
    treDepth: tre / 4,
    projectionDistance,
    reprojectionDistance: 1,
    cameraTranslation: 2,
    cameraRotationDeg: 3
  })

  it('has statistics as by hand', () => {
    // Deviations from 5: 4, 3, 1, 1, 3, 4: squares 52; /5.
    const s = statistics([9, 1, 2, 8, 4, 6])
    expect(s.mean).toBe(5)
    expect(s.std).toBeCloseTo(Math.sqrt(52 / 5), 12)
    expect(s.median).toBe(5)
    // Position 0.95·5 = 4.75 among 1 2 4 6 8 9.
    expect(s.p95).toBeCloseTo(8.75, 12)
    expect(s.max).toBe(9)
    expect(statistics([7])).toEqual({ mean: 7, std: 0, median: 7, p95: 7, max: 7 })
    expect(() => statistics([])).toThrow(ArgumentError)
  })

  it('survives infinite errors', () => {
    const inf = Number.POSITIVE_INFINITY
    const s = statistics([1, 2, 3, inf, inf])
    expect(s).toMatchObject({ mean: inf, median: 3, p95: inf, max: inf })
  })

  it('has the criteria of the contract, with their thresholds', () => {
    expect(successCriteria(PAPER_DETECTOR)).toEqual([
      { name: 'success', measure: 'projectionDistance', comparison: '<', thresholdMm: 9.6 },
      { name: 'strictSuccess', measure: 'tre', comparison: '<', thresholdMm: 2 },
      { name: 'subMillimetre', measure: 'tre', comparison: '<', thresholdMm: 1 },
      { name: 'grossFailure', measure: 'tre', comparison: '>', thresholdMm: 10 }
    ])
    // The width is in millimetres: binning does not change it.
    expect(successCriteria(binnedDetector(PAPER_DETECTOR, 2))[0].thresholdMm).toBeCloseTo(9.6, 12)
  })

  it('counts each criterion', () => {
    const rows = [
      row(1, 0.5),
      row(9.59, 1),
      row(9.6, 1.9),
      row(0, 2),
      row(50, 10),
      row(60, 10.01),
      row(Number.NaN, Number.NaN),
      row(9, 5)
    ]
    const { count, rates } = summarise(rows, PAPER_DETECTOR)
    expect(count).toBe(8)
    expect(rates.map(r => [r.name, r.count, r.of, r.rate])).toEqual([
      ['success', 4, 8, 0.5],
      ['strictSuccess', 3, 8, 0.375],
      ['subMillimetre', 1, 8, 0.125],
      ['grossFailure', 2, 8, 0.25]
    ])
    expect(fulfils(row(9.6, 0), successCriteria(PAPER_DETECTOR)[0])).toBe(false)
  })

  it('summarises each measure on its own', () => {
    const { measures } = summarise([row(2, 4), row(4, 12)], PAPER_DETECTOR)
    expect(measures.tre.mean).toBe(8)
    expect(measures.treInPlane.mean).toBe(4)
    expect(measures.treDepth.mean).toBe(2)
    expect(measures.projectionDistance.mean).toBe(3)
    expect(measures.reprojectionDistance.mean).toBe(1)
    expect(measures.cameraTranslation.mean).toBe(2)
    expect(measures.cameraRotationDeg).toEqual({ mean: 3, std: 0, median: 3, p95: 3, max: 3 })
    expect(() => summarise([], PAPER_DETECTOR)).toThrow(ArgumentError)
  })
})
