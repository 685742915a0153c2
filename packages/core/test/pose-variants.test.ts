import { describe, expect, it } from 'vitest'
import { PAPER_DETECTOR, project } from '../src/geometry/camera.js'
import { centroid, det3, distance, norm, orthogonalityError, sub, type Vec3 } from '../src/geometry/linear.js'
import { applyRigid, rigid, rotationOf } from '../src/geometry/rigid.js'
import { expSO3 } from '../src/geometry/rotation.js'
import { createCorrespondences } from '../src/pose/correspondences.js'
import { poseFromLandmarks } from '../src/pose/pose-from-landmarks.js'
import { depthVariant, planarTwin } from '../src/pose/pose-variants.js'
import { refinePose } from '../src/pose/refine-pose.js'
import { createRandom } from '../src/random/random.js'
import { LANDMARKS, randomView, seen } from './pose-fixtures.js'

const pixelsOf = (points: readonly Vec3[], pose: readonly number[]) =>
  points.map(p => project({ detector: PAPER_DETECTOR, cameraFromLps: pose }, p))

describe('planarTwin', () => {
  const random = createRandom(4)
  const plane = Array.from({ length: 12 }, (): Vec3 => {
    const [a, b] = [random.uniform(-60, 60), random.uniform(-60, 60)]
    return [a, 0.3 * a - 0.2 * b, b]
  })

  it('is another rigid pose that shows a far plane in the same places', () => {
    // Far away, perspective vanishes and the twin is exact: 100 m.
    const pose = rigid(expSO3([0.5, -0.3, 0.4]), [300, -200, 1e5])
    const twin = planarTwin(plane, pose)
    expect(orthogonalityError(rotationOf(twin))).toBeLessThan(1e-9)
    expect(det3(rotationOf(twin))).toBeCloseTo(1, 9)
    const [a, b] = [pixelsOf(plane, pose), pixelsOf(plane, twin)]
    const scale = PAPER_DETECTOR.sdd / PAPER_DETECTOR.pixel[0] / 1e5
    a.forEach((p, i) => expect(Math.hypot(p.u - b[i].u, p.v - b[i].v)).toBeLessThan(0.1 * scale))
    // It is really another one: points off the centre change places in depth.
    expect(Math.max(...a.map((p, i) => Math.abs(p.depth - b[i].depth)))).toBeGreaterThan(20)
  })

  it('of the twin is the pose again', () => {
    const pose = rigid(expSO3([0.2, 0.6, -0.1]), [10, 20, 700])
    const again = planarTwin(plane, planarTwin(plane, pose))
    again.forEach((x, i) => expect(x).toBeCloseTo(pose[i], 6))
  })
})

describe('depthVariant', () => {
  it('moves a point along its line of sight: its pixel stays', () => {
    const pose = randomView(createRandom(1))
    const point: Vec3 = [20, -30, 40]
    const moved = depthVariant(pose, point, 25)
    const [a] = pixelsOf([point], pose)
    const [b] = pixelsOf([point], moved)
    expect(b.u).toBeCloseTo(a.u, 9)
    expect(b.v).toBeCloseTo(a.v, 9)
    expect(norm(applyRigid(moved, point)) - norm(applyRigid(pose, point))).toBeCloseTo(25, 9)
  })
})

describe('the belief in a depth', () => {
  const truth = randomView(createRandom(9))
  const centre = centroid(LANDMARKS)
  const depth = applyRigid(truth, centre)[2]
  const few = LANDMARKS.slice(8, 16)

  it('decides where it is firm, and hardly matters where it is vague', () => {
    const c = createCorrespondences(few, seen(few, truth), PAPER_DETECTOR)
    const depthUnder = (sigma: number) => {
      const prior = { point: centre, depth: depth + 30, sigma }
      const { cameraFromLps } = refinePose(c, truth, { depthPrior: prior })
      return applyRigid(cameraFromLps, centre)[2] - depth
    }
    expect(depthUnder(0.001)).toBeCloseTo(30, 1)
    expect(Math.abs(depthUnder(1e5))).toBeLessThan(1e-3)
    // Between the two it moves the depth by a part.
    expect(depthUnder(20)).toBeGreaterThan(0.01)
    expect(depthUnder(20)).toBeLessThan(30)
  })

  it('is given up where it is far off, if it has a scale', () => {
    const c = createCorrespondences(few, seen(few, truth), PAPER_DETECTOR)
    const offUnder = (off: number, scale?: number) => {
      const prior = { point: centre, depth: depth + off, sigma: 40, scale }
      return Math.abs(
        applyRigid(refinePose(c, truth, { depthPrior: prior }).cameraFromLps, centre)[2] - depth
      )
    }
    // Near by both are alike; a placeholder half a metre off pulls hard, or hardly.
    expect(offUnder(20, 80) / offUnder(20)).toBeGreaterThan(0.9)
    expect(offUnder(500, 80)).toBeLessThan(offUnder(100))
    expect(offUnder(500)).toBeGreaterThan(3 * offUnder(500, 80))
  })

  it('makes poses from noisy detections more exact when it is true', () => {
    const random = createRandom(10)
    let [without, withPrior] = [0, 0]
    for (let k = 0; k < 60; k++) {
      const pixels = seen(few, truth, random, 2)
      const c = createCorrespondences(few, pixels, PAPER_DETECTOR)
      const off = (depthPrior?: { point: Vec3; depth: number; sigma: number }) => {
        const { cameraFromLps } = refinePose(c, truth, { depthPrior })
        return distance(applyRigid(cameraFromLps, centre), applyRigid(truth, centre)) ** 2
      }
      without += off()
      withPrior += off({ point: centre, depth: depth + 10 * random.normal(), sigma: 10 })
    }
    expect(withPrior).toBeLessThan(without)
  })

  it('tightens the covariance along the beam', () => {
    const c = createCorrespondences(few, seen(few, truth, createRandom(2), 2), PAPER_DETECTOR)
    const sigma = (s: number) =>
      Math.sqrt(refinePose(c, truth, { depthPrior: { point: centre, depth, sigma: s } }).covariance[35])
    expect(sigma(2)).toBeLessThan(0.8 * sigma(1e5))
    expect(sigma(2)).toBeLessThan(3)
  })
})

describe('poseFromLandmarks', () => {
  it('keeps other optima, none of which is the best one again, and gives each a covariance', () => {
    const random = createRandom(12)
    const truth = randomView(random)
    // Four points near a plane leave more than one optimum.
    const four = [LANDMARKS[0], LANDMARKS[1], LANDMARKS[16], LANDMARKS[17]]
    const detections = seen(four, truth, random, 1).map(([u, v]) => ({ u, v, confidence: 1 }))
    const { hypotheses } = poseFromLandmarks(four, detections, PAPER_DETECTOR)
    expect(hypotheses.length).toBeGreaterThan(1)
    const [best, ...others] = hypotheses
    for (const h of others) {
      expect(h.cost).toBeGreaterThanOrEqual(best.cost)
      expect(h.covariance).toHaveLength(36)
      const moved = distance(applyRigid(h.cameraFromLps, four[0]), applyRigid(best.cameraFromLps, four[0]))
      const turned = norm(sub(h.cameraFromLps.slice(0, 3) as never, best.cameraFromLps.slice(0, 3) as never))
      expect(moved > 1 || turned > 0.005).toBe(true)
    }
  })
})
