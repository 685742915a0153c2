import { describe, expect, it } from 'vitest'
import { ArgumentError } from '../src/errors.js'
import { type Camera, PAPER_DETECTOR, project } from '../src/geometry/camera.js'
import { centroid, type Mat4, solveSpd, sub, type Vec3 } from '../src/geometry/linear.js'
import { applyRigid, composeRigid, rigid } from '../src/geometry/rigid.js'
import { DEGREE, expSO3 } from '../src/geometry/rotation.js'
import { poseFromView } from '../src/geometry/view.js'
import type { Detection } from '../src/landmarks/back-projection.js'
import {
  fitShapeAndPose,
  refineDetections,
  SHAPE_POSE_DEFAULTS,
  type ShapePoseFit
} from '../src/landmarks/shape-pose.js'
import { pelvisLandmarkPrior } from '../src/phantom/shape-model.js'
import { createRandom, type Random } from '../src/random/random.js'

const prior = pelvisLandmarkPrior()
const SCATTER = 2
const SIGMA = 3
const noise = { confidence: [0.9], sigmaMm: [SIGMA] }
const gaussian = { scatterMm: SCATTER, noise, degreesOfFreedom: Number.POSITIVE_INFINITY }
/** Millimetres at the mean distance for one pixel of the detector. */
const MM = (PAPER_DETECTOR.pixel[0] * SHAPE_POSE_DEFAULTS.distanceMm[0]) / PAPER_DETECTOR.sdd

/** A patient and a view drawn from the very model, and what is seen: noise in mm at the mean distance. */
function draw(random: Random) {
  const b = prior.modes.map(() => random.normal())
  const points = prior.mean.map(
    (p, i): Vec3 =>
      [0, 1, 2].map(
        c => p[c] + prior.modes.reduce((s, m, k) => s + b[k] * m[i][c], 0) + SCATTER * random.normal()
      ) as unknown as Vec3
  )
  const view = {
    alpha: random.uniform(-15, 15) * DEGREE,
    beta: random.uniform(-10, 10) * DEGREE,
    gamma: random.uniform(-40, 40) * DEGREE,
    translation: [random.uniform(-20, 20), 70 * random.normal(), random.uniform(-20, 20)] as Vec3
  }
  const camera: Camera = {
    detector: PAPER_DETECTOR,
    cameraFromLps: poseFromView(view, centroid(prior.mean))
  }
  const truth = points.map(p => project(camera, p))
  const seen = truth.map(
    ({ u, v }): Detection => ({
      u: u + (SIGMA * random.normal()) / MM,
      v: v + (SIGMA * random.normal()) / MM,
      confidence: 0.9
    })
  )
  return { truth, seen }
}

/** Negative log posterior of pose and weights, scatter integrated out: written anew, by the geometry's own functions. */
function cost(pose: Mat4, b: readonly number[], seen: readonly Detection[]): number {
  const centre = applyRigid(pose, centroid(prior.mean))
  const [mean, sigma] = SHAPE_POSE_DEFAULTS.distanceMm
  let total = ((centre[2] - mean) / sigma) ** 2 + b.reduce((s, w) => s + w * w, 0)
  seen.forEach((d, i) => {
    const p = [0, 1, 2].map(c => prior.mean[i][c] + prior.modes.reduce((s, m, k) => s + b[k] * m[i][c], 0))
    const { u, v } = project({ detector: PAPER_DETECTOR, cameraFromLps: pose }, p as unknown as Vec3)
    const [x, y] = [d.u, d.v].map(
      (w, c) => ((w - PAPER_DETECTOR.principalPoint[c]) * PAPER_DETECTOR.pixel[c]) / PAPER_DETECTOR.sdd
    )
    const [ex, ey] = [(d.u - u) * MM, (d.v - v) * MM]
    const s = SCATTER ** 2
    const covariance = [SIGMA ** 2 + s * (1 + x * x), s * x * y, s * x * y, SIGMA ** 2 + s * (1 + y * y)]
    const w = solveSpd(covariance, [ex, ey], 2)!
    total += w[0] * ex + w[1] * ey
  })
  return total / 2
}

/** The fit's pose and weights with a small step in one of its 22 unknowns, mm or mode weights; turned about the centre. */
function stepped(fit: ShapePoseFit, unknown: number, h: number): [Mat4, number[]] {
  const b = [...fit.weights]
  const w = [0, 0, 0]
  const t = [0, 0, 0]
  if (unknown < 3) w[unknown] = h / 100
  else if (unknown < 6) t[unknown - 3] = h
  else b[unknown - 6] += h
  const centre = applyRigid(fit.cameraFromPrior, centroid(prior.mean))
  const turn = expSO3([w[0], w[1], w[2]])
  const about = sub(centre, applyRigid(rigid(turn, [0, 0, 0]), centre))
  const moved = rigid(turn, [about[0] + t[0], about[1] + t[1], about[2] + t[2]])
  return [composeRigid(moved, fit.cameraFromPrior), b]
}

describe('shape and pose of one view', () => {
  it('ends where the posterior, computed independently, is highest', () => {
    const { seen } = draw(createRandom(5))
    const fit = fitShapeAndPose(prior, seen, PAPER_DETECTOR, gaussian)!
    expect(fit.cost).toBeCloseTo(cost(fit.cameraFromPrior, fit.weights, seen), 6)
    for (let unknown = 0; unknown < 6 + prior.modes.length; unknown++) {
      // The minimum along each unknown is a tiny part of its own standard deviation away.
      const [back, here, on] = [-0.01, 0, 0.01].map(h => cost(...stepped(fit, unknown, h), seen))
      const slope = (on - back) / 0.02
      const curvature = (on - 2 * here + back) / 0.0001
      expect(curvature).toBeGreaterThan(0)
      expect(Math.abs(slope) / Math.sqrt(curvature)).toBeLessThan(0.001)
    }
  })

  it('is nearer to the truth than the detections, and knows by how much, found or not', () => {
    const random = createRandom(11)
    let [raw, refined, expected, hidden, hiddenExpected] = [0, 0, 0, 0, 0]
    for (let n = 0; n < 60; n++) {
      const { truth, seen } = draw(random)
      const given = seen.map((d, i) =>
        i % 6 === n % 6 ? { u: Number.NaN, v: Number.NaN, confidence: 0 } : d
      )
      const fit = fitShapeAndPose(prior, given, PAPER_DETECTOR, gaussian)!
      fit.landmarks.forEach((l, i) => {
        const error = ((l.u - truth[i].u) ** 2 + (l.v - truth[i].v) ** 2) * MM * MM
        if (Number.isNaN(given[i].u)) {
          hidden += error
          hiddenExpected += 2 * l.sigmaMm ** 2
          expect(l.residualMm).toBeNaN()
        } else {
          refined += error
          expected += 2 * l.sigmaMm ** 2
          raw += ((seen[i].u - truth[i].u) ** 2 + (seen[i].v - truth[i].v) ** 2) * MM * MM
        }
      })
    }
    expect(refined).toBeLessThan(0.8 * raw)
    expect(refined / expected).toBeGreaterThan(0.85)
    expect(refined / expected).toBeLessThan(1.15)
    expect(hidden / hiddenExpected).toBeGreaterThan(0.75)
    expect(hidden / hiddenExpected).toBeLessThan(1.25)
  })

  it('does not follow outliers', () => {
    const { truth, seen } = draw(createRandom(3))
    const wrong = [2, 9, 15]
    const given = seen.map((d, i) => (wrong.includes(i) ? { ...d, u: d.u + 60, v: d.v - 40 } : d))
    const fit = fitShapeAndPose(prior, given, PAPER_DETECTOR, { scatterMm: SCATTER, noise })!
    for (const i of wrong) {
      const off = Math.hypot(fit.landmarks[i].u - truth[i].u, fit.landmarks[i].v - truth[i].v) * MM
      expect(off).toBeLessThan(4 * SIGMA)
      expect(fit.landmarks[i].residualMm).toBeGreaterThan(50)
    }
  })

  it('calls a landmark outside the image unfound, and leaves detections as they are where too few are there', () => {
    const { seen } = draw(createRandom(8))
    const shifted = seen.map(d => ({ ...d, v: d.v + 90 }))
    const refined = refineDetections(prior, shifted, PAPER_DETECTOR, gaussian)
    const outside = refined.filter(d => d.v > PAPER_DETECTOR.size[1])
    expect(outside.length).toBeGreaterThan(2)
    expect(outside.every(d => d.confidence === 0)).toBe(true)
    const few = seen.map((d, i) => (i < 4 ? d : { ...d, confidence: 0.01 }))
    expect(refineDetections(prior, few, PAPER_DETECTOR)).toBe(few)
  })

  it('refuses detections of another set of landmarks', () => {
    expect(() => fitShapeAndPose(prior, [], PAPER_DETECTOR)).toThrow(ArgumentError)
  })
})
