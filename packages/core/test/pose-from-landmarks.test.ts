import { describe, expect, it } from 'vitest'
import { GeometryError, PoseError } from '../src/errors.js'
import { PAPER_DETECTOR } from '../src/geometry/camera.js'
import {
  distance,
  type Mat4,
  mulMat3,
  mulMat3Vec3,
  sub,
  transpose3,
  type Vec3
} from '../src/geometry/linear.js'
import { applyRigid, rotationOf } from '../src/geometry/rigid.js'
import { expSO3, logSO3 } from '../src/geometry/rotation.js'
import type { Detection } from '../src/landmarks/back-projection.js'
import { createCorrespondences } from '../src/pose/correspondences.js'
import { poseFromLandmarks } from '../src/pose/pose-from-landmarks.js'
import { refinePose } from '../src/pose/refine-pose.js'
import { reprojectionJacobian } from '../src/pose/reprojection-jacobian.js'
import { createRandom } from '../src/random/random.js'
import { addOutliers, LANDMARKS, randomView, seen } from './pose-fixtures.js'

const detectionsOf = (pixels: readonly (readonly [number, number])[], confidence = 0.9): Detection[] =>
  pixels.map(([u, v]) => ({ u, v, confidence }))

const tre = (a: Mat4, b: Mat4) =>
  LANDMARKS.reduce((s, p) => s + distance(applyRigid(a, p), applyRigid(b, p)), 0) / LANDMARKS.length

const median = (x: readonly number[]) => [...x].sort((a, b) => a - b)[Math.floor(x.length / 2)]

describe('reprojectionJacobian', () => {
  it('agrees with central differences', () => {
    const random = createRandom(1)
    const r = expSO3([0.4, -0.2, 1])
    const t: Vec3 = [12, -30, 690]
    const e = new Float64Array(2)
    const j = new Float64Array(12)
    for (let k = 0; k < 10; k++) {
      const arm: Vec3 = [random.uniform(-100, 100), random.uniform(-100, 100), random.uniform(-100, 100)]
      reprojectionJacobian(arm, r, t, 0.02, -0.01, 1200, e, j)
      const unused = new Float64Array(12)
      for (let p = 0; p < 6; p++) {
        const h = p < 3 ? 1e-5 : 1e-3
        const at = (s: number) => {
          const w = [0, 0, 0].map((_, i) => (i === p ? s * h : 0)) as unknown as Vec3
          const d = [0, 0, 0].map((_, i) => (i === p - 3 ? s * h : 0))
          const out = new Float64Array(2)
          reprojectionJacobian(
            arm,
            mulMat3(expSO3(w), r),
            [t[0] + d[0], t[1] + d[1], t[2] + d[2]],
            0.02,
            -0.01,
            1200,
            out,
            unused
          )
          return out
        }
        const [plus, minus] = [at(1), at(-1)]
        for (let axis = 0; axis < 2; axis++)
          expect((plus[axis] - minus[axis]) / (2 * h)).toBeCloseTo(j[6 * axis + p], 4)
      }
    }
  })
})

describe('poseFromLandmarks', () => {
  it('is exact on exact detections', () => {
    const random = createRandom(2)
    for (let k = 0; k < 10; k++) {
      const truth = randomView(random)
      const found = poseFromLandmarks(LANDMARKS, detectionsOf(seen(LANDMARKS, truth)), PAPER_DETECTOR)
      expect(tre(found.cameraFromLps, truth)).toBeLessThan(1e-6)
      expect(found.inliers).toHaveLength(23)
      expect(found.reprojectionRms).toBeLessThan(1e-6)
    }
  })

  it('finds the 5 outliers among 23 noisy detections; the error is that of the 18 others', () => {
    const random = createRandom(3)
    const withOutliers: number[] = []
    const withoutThem: number[] = []
    for (let k = 0; k < 60; k++) {
      const truth = randomView(random)
      const pixels = seen(LANDMARKS, truth, random, 1)
      const outliers = addOutliers(pixels, 5, random)
      const all = poseFromLandmarks(LANDMARKS, detectionsOf(pixels), PAPER_DETECTOR, { seed: k })
      const clean = detectionsOf(pixels).map((d, i) => (outliers.includes(i) ? null : d))
      const reference = poseFromLandmarks(LANDMARKS, clean, PAPER_DETECTOR, { seed: k })
      withOutliers.push(tre(all.cameraFromLps, truth))
      withoutThem.push(tre(reference.cameraFromLps, truth))
      const kept = outliers.filter(i => all.inliers.includes(i))
      // A wild detection can fall near the right place by chance.
      for (const i of kept)
        expect(distance([...pixels[i], 0], [...seen([LANDMARKS[i]], truth)[0], 0])).toBeLessThan(12)
    }
    expect(median(withOutliers)).toBeLessThan(1.25 * median(withoutThem))
    expect(Math.max(...withOutliers)).toBeLessThan(2 * Math.max(...withoutThem))
  })

  it('believes detections that are said to be spread out less', () => {
    const random = createRandom(31)
    const errors = { told: [] as number[], untold: [] as number[] }
    for (let trial = 0; trial < 30; trial++) {
      const pose = randomView(random)
      const pixels = seen(LANDMARKS, pose)
      // Half of the landmarks are seen with a tenth of the others' noise; the spread has the targets' width of 2.5 px in it.
      const noise = LANDMARKS.map((_, i) => (i % 2 ? 0.4 : 4))
      const noisy = pixels.map(([u, v], i): [number, number] => [
        u + noise[i] * random.normal(),
        v + noise[i] * random.normal()
      ])
      const untold = detectionsOf(noisy)
      const told = untold.map((d, i) => ({ ...d, spread: Math.hypot(2.5, noise[i]) }))
      errors.told.push(tre(poseFromLandmarks(LANDMARKS, told, PAPER_DETECTOR).cameraFromLps, pose))
      errors.untold.push(tre(poseFromLandmarks(LANDMARKS, untold, PAPER_DETECTOR).cameraFromLps, pose))
    }
    expect(median(errors.told)).toBeLessThan(0.8 * median(errors.untold))
  })

  it('survives as many wild detections as good ones', () => {
    const random = createRandom(4)
    let right = 0
    for (let k = 0; k < 20; k++) {
      const truth = randomView(random)
      const pixels = seen(LANDMARKS, truth, random, 0.7)
      addOutliers(pixels, 11, random)
      const found = poseFromLandmarks(LANDMARKS, detectionsOf(pixels), PAPER_DETECTOR, { seed: k })
      if (tre(found.cameraFromLps, truth) < 10) right++
    }
    expect(right).toBeGreaterThanOrEqual(19)
  })

  it('reports a covariance that agrees with the spread of repeated estimates', () => {
    const random = createRandom(5)
    const truth = randomView(random)
    const sigmaPixels = 1
    const trials = 400
    const sample = new Float64Array(36)
    const reported = new Float64Array(36)
    for (let k = 0; k < trials; k++) {
      const pixels = seen(LANDMARKS, truth, random, sigmaPixels)
      const c = createCorrespondences(LANDMARKS, pixels, PAPER_DETECTOR)
      const found = refinePose(c, truth)
      const w = logSO3(mulMat3(rotationOf(found.cameraFromLps), transpose3(rotationOf(truth))))
      const d = sub(applyRigid(found.cameraFromLps, found.centre), applyRigid(truth, found.centre))
      const x = [...w, ...d]
      for (let a = 0; a < 6; a++)
        for (let b = 0; b < 6; b++) {
          sample[a * 6 + b] += (x[a] * x[b]) / trials
          reported[a * 6 + b] += found.covariance[a * 6 + b] / trials
        }
    }
    // The variance of a variance from 400 trials: a standard error of 7 %.
    for (let a = 0; a < 6; a++) {
      const ratio = reported[7 * a] / sample[7 * a]
      expect(ratio).toBeGreaterThan(0.75)
      expect(ratio).toBeLessThan(1.3)
      for (let b = 0; b < a; b++) {
        const scale = Math.sqrt(sample[7 * a] * sample[7 * b])
        expect(Math.abs(reported[a * 6 + b] - sample[a * 6 + b]) / scale).toBeLessThan(0.25)
      }
    }
  })

  it('uses confident detections only, but at least six', () => {
    const truth = randomView(createRandom(6))
    const pixels = seen(LANDMARKS, truth)
    const detections = detectionsOf(pixels, 0.2).map((d, i) => ({ ...d, confidence: 0.2 + i / 1000 }))
    const six = poseFromLandmarks(LANDMARKS, detections, PAPER_DETECTOR, { confidence: 0.7 })
    expect(six.used).toEqual([17, 18, 19, 20, 21, 22])
    expect(tre(six.cameraFromLps, truth)).toBeLessThan(1e-3)
    for (const i of [0, 1, 2, 3, 4, 5, 6, 7]) detections[i].confidence = 0.8
    const eight = poseFromLandmarks(LANDMARKS, detections, PAPER_DETECTOR, { confidence: 0.7 })
    expect(eight.used).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  it('gives a pose in front of the source for four detections, and for pure noise', () => {
    const random = createRandom(7)
    for (let k = 0; k < 20; k++) {
      const truth = randomView(random)
      const four = random.shuffle(LANDMARKS.map((_, i) => i)).slice(0, 4)
      const few = detectionsOf(seen(LANDMARKS, truth, random, 2)).map((d, i) => (four.includes(i) ? d : null))
      const noise = LANDMARKS.map(() => ({
        u: random.uniform(0, 239),
        v: random.uniform(0, 187),
        confidence: random.next()
      }))
      for (const detections of [few, noise]) {
        const found = poseFromLandmarks(LANDMARKS, detections, PAPER_DETECTOR, { seed: k })
        expect(found.cameraFromLps.every(Number.isFinite)).toBe(true)
        for (const i of found.used)
          expect(applyRigid(found.cameraFromLps, LANDMARKS[i])[2]).toBeGreaterThan(0)
        expect(found.hypotheses[0].cameraFromLps).toEqual(found.cameraFromLps)
      }
    }
  })

  it('is the same for the same seed', () => {
    const random = createRandom(8)
    const pixels = seen(LANDMARKS, randomView(random), random, 1)
    addOutliers(pixels, 8, random)
    const once = poseFromLandmarks(LANDMARKS, detectionsOf(pixels), PAPER_DETECTOR, { seed: 4 })
    const again = poseFromLandmarks(LANDMARKS, detectionsOf(pixels), PAPER_DETECTOR, { seed: 4 })
    expect(again).toEqual(once)
  })

  it('moves with the patient: turning the LPS frame turns the pose and nothing else', () => {
    const random = createRandom(9)
    const pixels = seen(LANDMARKS, randomView(random), random, 1)
    const turn = expSO3([0.2, 0.1, -0.3])
    const a = poseFromLandmarks(LANDMARKS, detectionsOf(pixels), PAPER_DETECTOR)
    const turned = LANDMARKS.map(p => mulMat3Vec3(turn, p))
    const b = poseFromLandmarks(turned, detectionsOf(pixels), PAPER_DETECTOR)
    turned.forEach((p, i) => {
      expect(
        distance(applyRigid(b.cameraFromLps, p), applyRigid(a.cameraFromLps, LANDMARKS[i]))
      ).toBeLessThan(1e-4)
    })
  })

  it('refuses what cannot give a pose', () => {
    const truth = randomView(createRandom(10))
    const good = detectionsOf(seen(LANDMARKS, truth))
    const onlyThree = good.map((d, i) => (i < 3 ? d : null))
    expect(() => poseFromLandmarks(LANDMARKS, onlyThree, PAPER_DETECTOR)).toThrow(PoseError)
    const notFinite = good.map(d => ({ ...d, u: Number.NaN }))
    expect(() => poseFromLandmarks(LANDMARKS, notFinite, PAPER_DETECTOR)).toThrow(/Only 0 of 23/)
    expect(() => poseFromLandmarks(LANDMARKS, good.slice(1), PAPER_DETECTOR)).toThrow(PoseError)
    const line = LANDMARKS.map((_, i): Vec3 => [i, 2 * i, 3 * i])
    expect(() => poseFromLandmarks(line, good, PAPER_DETECTOR)).toThrow(/one line/)
    expect(() => poseFromLandmarks(LANDMARKS, good, { ...PAPER_DETECTOR, sdd: 0 })).toThrow(GeometryError)
  })
})
