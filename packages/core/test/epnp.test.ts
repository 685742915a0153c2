import { createRequire } from 'node:module'
import { beforeAll, describe, expect, it } from 'vitest'
import { PoseError } from '../src/errors.js'
import { type Detector, PAPER_DETECTOR } from '../src/geometry/camera.js'
import { centroid, distance, type Mat4, type Vec2, type Vec3 } from '../src/geometry/linear.js'
import { applyRigid, rigid } from '../src/geometry/rigid.js'
import { createCorrespondences, squaredResiduals } from '../src/pose/correspondences.js'
import { epnp } from '../src/pose/epnp.js'
import { p3p } from '../src/pose/p3p.js'
import { refinePose } from '../src/pose/refine-pose.js'
import { createRandom } from '../src/random/random.js'
import { LANDMARKS, randomView, seen } from './pose-fixtures.js'

const rms = (points: readonly Vec3[], pixels: readonly Vec2[], pose: Mat4) => {
  const r = squaredResiduals(createCorrespondences(points, pixels, PAPER_DETECTOR), pose)
  return Math.sqrt(r.reduce((s, x) => s + x, 0) / r.length)
}

/** Largest displacement of the points between two poses, mm. */
const displacement = (points: readonly Vec3[], a: Mat4, b: Mat4) =>
  Math.max(...points.map(p => distance(applyRigid(a, p), applyRigid(b, p))))

describe('epnp on exact data', () => {
  it.each([6, 7, 10, 23])('is exact for %i landmarks', n => {
    const random = createRandom(n)
    for (let k = 0; k < 40; k++) {
      const points = random.shuffle([...LANDMARKS]).slice(0, n)
      const truth = randomView(random)
      const found = epnp(createCorrespondences(points, seen(points, truth), PAPER_DETECTOR))
      expect(displacement(points, found, truth)).toBeLessThan(1e-3)
    }
  })

  it('is exact for points in a plane', () => {
    const random = createRandom(9)
    for (let k = 0; k < 40; k++) {
      const points = Array.from(
        { length: 8 },
        (): Vec3 => [random.uniform(-100, 100), 20, random.uniform(-80, 80)]
      )
      const truth = randomView(random)
      const found = epnp(createCorrespondences(points, seen(points, truth), PAPER_DETECTOR))
      expect(displacement(points, found, truth)).toBeLessThan(1e-3)
    }
  })

  it('works with a detector of oblong pixels and a principal point off centre', () => {
    const detector: Detector = { sdd: 1000, pixel: [0.3, 0.5], size: [1024, 512], principalPoint: [600, 100] }
    const truth = randomView(createRandom(2))
    const pixels = LANDMARKS.map((p): Vec2 => {
      const [x, y, z] = applyRigid(truth, p)
      return [600 + ((1000 / 0.3) * x) / z, 100 + ((1000 / 0.5) * y) / z]
    })
    const found = epnp(createCorrespondences(LANDMARKS, pixels, detector))
    expect(displacement(LANDMARKS, found, truth)).toBeLessThan(1e-3)
  })

  it('refuses too few points and points on a line', () => {
    const truth = randomView(createRandom(1))
    const three = LANDMARKS.slice(0, 3)
    expect(() => epnp(createCorrespondences(three, seen(three, truth), PAPER_DETECTOR))).toThrow(PoseError)
    const line = [0, 10, 25, 40, 70, 90].map((x): Vec3 => [x, 2 * x, -x])
    expect(() => epnp(createCorrespondences(line, seen(line, truth), PAPER_DETECTOR))).toThrow(/one line/)
  })
})

describe('p3p', () => {
  it('has the truth among its solutions, each of which reprojects exactly', () => {
    const random = createRandom(11)
    let missed = 0
    const trials = 300
    for (let k = 0; k < trials; k++) {
      const points = random.shuffle([...LANDMARKS]).slice(0, 3)
      const truth = randomView(random)
      const pixels = seen(points, truth)
      const c = createCorrespondences(points, pixels, PAPER_DETECTOR)
      const poses = p3p(points, c.rays)
      for (const pose of poses) expect(rms(points, pixels, pose)).toBeLessThan(1e-4)
      if (!poses.some(p => displacement(points, p, truth) < 0.05)) missed++
    }
    // Three points near the danger cylinder make a double root, whose digits are lost.
    expect(missed).toBeLessThan(trials / 50)
  })

  it('returns nothing for points on a line', () => {
    const points: Vec3[] = [
      [0, 0, 0],
      [10, 0, 0],
      [30, 0, 0]
    ]
    const c = createCorrespondences(points, seen(points, randomView(createRandom(1))), PAPER_DETECTOR)
    for (const pose of p3p(points, c.rays)) expect(pose.every(Number.isFinite)).toBe(true)
  })
})

describe('against OpenCV', () => {
  // biome-ignore lint/suspicious/noExplicitAny: OpenCV.js is used as an untyped oracle.
  let cv: any
  beforeAll(async () => {
    // The module can be a thenable that resolves to itself: `await` would never end on it.
    cv = createRequire(import.meta.url)('@techstark/opencv-js')
    if (cv instanceof Promise) cv = await cv
    if (!cv.Mat) await new Promise(resolve => (cv.onRuntimeInitialized = resolve))
  })

  const openCvPose = (points: readonly Vec3[], pixels: readonly Vec2[], flags: number): Mat4 => {
    const f = PAPER_DETECTOR.sdd / PAPER_DETECTOR.pixel[0]
    const [cu, cv0] = PAPER_DETECTOR.principalPoint
    const n = points.length
    const object = cv.matFromArray(n, 3, cv.CV_64F, points.flat())
    const image = cv.matFromArray(n, 2, cv.CV_64F, pixels.flat())
    const k = cv.matFromArray(3, 3, cv.CV_64F, [f, 0, cu, 0, f, cv0, 0, 0, 1])
    const none = new cv.Mat()
    const rv = new cv.Mat()
    const tv = new cv.Mat()
    const r = new cv.Mat()
    cv.solvePnP(object, image, k, none, rv, tv, false, flags)
    cv.Rodrigues(rv, r)
    const pose = rigid(Array.from(r.data64F as Float64Array), [tv.data64F[0], tv.data64F[1], tv.data64F[2]])
    for (const m of [object, image, k, none, rv, tv, r]) m.delete()
    return pose
  }

  it('EPnP reprojects no worse on noisy landmarks', () => {
    const random = createRandom(21)
    let ours = 0
    let theirs = 0
    for (let k = 0; k < 60; k++) {
      const truth = randomView(random)
      const pixels = seen(LANDMARKS, truth, random, 1)
      ours += rms(LANDMARKS, pixels, epnp(createCorrespondences(LANDMARKS, pixels, PAPER_DETECTOR)))
      theirs += rms(LANDMARKS, pixels, openCvPose(LANDMARKS, pixels, cv.SOLVEPNP_EPNP))
    }
    expect(ours).toBeLessThan(1.02 * theirs)
  })

  it('the refinement without robust loss ends at the least-squares pose that OpenCV finds', () => {
    const random = createRandom(22)
    for (let k = 0; k < 20; k++) {
      const truth = randomView(random)
      const pixels = seen(LANDMARKS, truth, random, 1)
      const c = createCorrespondences(LANDMARKS, pixels, PAPER_DETECTOR)
      const ours = refinePose(c, epnp(c), { scaleEnd: Number.POSITIVE_INFINITY }).cameraFromLps
      const theirs = openCvPose(LANDMARKS, pixels, cv.SOLVEPNP_ITERATIVE)
      expect(
        distance(applyRigid(ours, centroid(LANDMARKS)), applyRigid(theirs, centroid(LANDMARKS)))
      ).toBeLessThan(0.01)
      expect(displacement(LANDMARKS, ours, theirs)).toBeLessThan(0.02)
      expect(rms(LANDMARKS, pixels, ours)).toBeLessThanOrEqual(rms(LANDMARKS, pixels, theirs) + 1e-9)
    }
  })
})
