import { describe, expect, it } from 'vitest'
import { ArgumentError } from '../src/errors.js'
import { PAPER_DETECTOR, project } from '../src/geometry/camera.js'
import { distance, type Mat4, type Vec3 } from '../src/geometry/linear.js'
import { applyRigid, composeRigid, invertRigid } from '../src/geometry/rigid.js'
import { DEGREE } from '../src/geometry/rotation.js'
import { poseFromView } from '../src/geometry/view.js'
import { mirrorDetector } from '../src/image/mirror.js'
import { mirroredPose } from '../src/pose/pose-variants.js'
import { createRandom } from '../src/random/random.js'
import {
  covarianceInDegrees,
  errorEllipsoid,
  expectedProjectionDistance,
  expectedTre,
  poseCovariance
} from '../src/registration/pose-covariance.js'
import { UNIT_SCALE } from '../src/registration/pose-model.js'
import { rigidPoseVariables } from '../src/registration/pose-variables.js'
import { ncc } from '../src/registration/similarity/ncc.js'
import { patchCorrelation } from '../src/registration/similarity/patch-correlation.js'

const centre: Vec3 = [5, -3, 20]
const pose = poseFromView({ alpha: 0.1, beta: -0.2, gamma: 0.4, translation: [4, 8, -9] }, centre)
const random = createRandom(3)
/** L·Lᵀ with entries of the size that poses have: radians and millimetres. */
const factor = Array.from({ length: 36 }, (_, i) =>
  i % 6 <= Math.floor(i / 6) ? random.normal() * (Math.floor(i / 6) < 3 ? 1e-3 : 0.4) : 0
)
const covariance = Float64Array.from({ length: 36 }, (_, i) => {
  const [r, c] = [Math.floor(i / 6), i % 6]
  let s = 0
  for (let k = 0; k < 6; k++) s += factor[6 * r + k] * factor[6 * c + k]
  return s
})

describe('the covariance of a pose', () => {
  it('is the inverse of the curvature, times the variance', () => {
    const normal = Float64Array.from({ length: 36 }, (_, i) =>
      i % 7 === 0 ? [9e4, 4e4, 1e4, 4, 1, 0.01][i / 7] : 0
    )
    normal[3] = normal[18] = 500
    const c = poseCovariance(normal, 2)!
    for (let r = 0; r < 6; r++)
      for (let k = 0; k < 6; k++) {
        let s = 0
        for (let j = 0; j < 6; j++) s += normal[6 * r + j] * c[6 * j + k]
        expect(s).toBeCloseTo(r === k ? 2 : 0, 9)
      }
    expect(c[35]).toBeCloseTo(200, 9)
  })

  it('is none where a motion leaves the cost as it is', () => {
    const normal = Float64Array.from({ length: 36 }, (_, i) => (i % 7 === 0 && i < 35 ? 1 : 0))
    expect(poseCovariance(normal, 1)).toBeNull()
    expect(poseCovariance(new Float64Array(36).fill(1), 1)).toBeNull()
  })

  it('in degrees has its rotations in degrees', () => {
    const d = covarianceInDegrees(covariance)
    expect(Math.sqrt(d[0]) * DEGREE).toBeCloseTo(Math.sqrt(covariance[0]), 12)
    expect(d[3] * DEGREE).toBeCloseTo(covariance[3], 12)
    expect(d[35]).toBe(covariance[35])
  })

  it('foretells the spread of targets and of the centre, as drawn poses show them', () => {
    const targets: Vec3[] = [[90, 20, 60], [-90, -50, 70], [0, -60, -40], centre]
    const variables = rigidPoseVariables(pose, centre, UNIT_SCALE)
    const draws = 20000
    let [square, projected] = [0, 0]
    const wide = { ...PAPER_DETECTOR, sdd: 1400 }
    const seen = (cameraFromLps: Mat4, p: Vec3) => project({ detector: wide, cameraFromLps }, p)
    const moved = new Float64Array(9)
    for (let n = 0; n < draws; n++) {
      const z = Array.from({ length: 6 }, () => random.normal())
      const x = Array.from({ length: 6 }, (_, r) => z.reduce((s, v, k) => s + factor[6 * r + k] * v, 0))
      const drawn = variables.poseAt(x)
      const between = composeRigid(invertRigid(pose), drawn)
      for (const p of targets) {
        const [a, b] = [seen(pose, p), seen(drawn, p)]
        const mm = Math.hypot((a.u - b.u) * wide.pixel[0], (a.v - b.v) * wide.pixel[1])
        projected += mm ** 2 / targets.length / draws
      }
      for (const p of targets) square += distance(applyRigid(between, p), p) ** 2 / targets.length / draws
      const d = applyRigid(between, centre).map((v, k) => v - centre[k])
      for (let a = 0; a < 3; a++) for (let b = 0; b < 3; b++) moved[3 * a + b] += (d[a] * d[b]) / draws
    }
    expect(expectedTre(covariance, pose, centre, targets) / Math.sqrt(square)).toBeCloseTo(1, 1)
    const expected = expectedProjectionDistance(covariance, pose, centre, targets, wide.sdd)
    expect(expected / Math.sqrt(projected)).toBeCloseTo(1, 1)
    const ellipsoid = errorEllipsoid(covariance, pose, centre)
    expect(ellipsoid.axes[0].mm).toBeGreaterThan(ellipsoid.axes[2].mm)
    for (const { mm, direction: d } of ellipsoid.axes) {
      let along = 0
      for (let a = 0; a < 3; a++) for (let b = 0; b < 3; b++) along += d[a] * moved[3 * a + b] * d[b]
      expect(mm / Math.sqrt(along)).toBeCloseTo(1, 1)
    }
    expect(() => expectedTre(covariance, pose, centre, [])).toThrow(ArgumentError)
    expect(() => expectedProjectionDistance(covariance, pose, centre, [], 1200)).toThrow(ArgumentError)
  })
})

describe('the pose of a mirrored picture', () => {
  it('shows the mirrored patient where the mirrored picture has the patient', () => {
    const off = { ...PAPER_DETECTOR, principalPoint: [100, 90] as const }
    for (const p of [[40, 10, 7], [-3, 60, -44], centre] as Vec3[]) {
      const seen = project({ detector: off, cameraFromLps: pose }, p)
      const other: Vec3 = [2 * centre[0] - p[0], p[1], p[2]]
      const mirrored = project(
        { detector: mirrorDetector(off), cameraFromLps: mirroredPose(pose, centre) },
        other
      )
      expect(mirrored.u).toBeCloseTo(off.size[0] - 1 - seen.u, 9)
      expect(mirrored.v).toBeCloseTo(seen.v, 9)
    }
    const again = mirroredPose(mirroredPose(pose, centre), centre)
    again.forEach((x, i) => expect(x).toBeCloseTo(pose[i], 9))
  })
})

describe('patch by patch', () => {
  const [width, height] = [48, 36]
  const image = () => ({
    width,
    height,
    data: Float32Array.from({ length: width * height }, () => random.normal())
  })

  it('the correlation of the values of a single patch is NCC', () => {
    const [a, b] = [image(), image()]
    const { correlation, columns, rows } = patchCorrelation(a, {
      of: 'value',
      patch: Number.POSITIVE_INFINITY,
      floor: 0
    }).patches(b)
    expect([columns, rows]).toEqual([1, 1])
    expect(correlation[0]).toBeCloseTo(ncc(a)(b), 5)
  })

  it('it is 1 where the images agree, whatever their gain, and less where something covers them', () => {
    const a = image()
    const b = {
      ...a,
      data: a.data.map((x, i) => (i % width < 12 && i < 12 * width ? random.normal() : 3 * x + 7))
    }
    const similarity = patchCorrelation(a, { of: 'value', patch: 12, outlier: 0.1, floor: 0 })
    const fits = similarity.patches(b)
    expect([fits.columns, fits.rows, fits.side]).toEqual([7, 5, 12])
    expect(fits.correlation[0]).toBeLessThan(0.5)
    expect(fits.correlation[34]).toBeGreaterThan(0.99)
    // Weighted by their pixels they make the similarity that has no outliers.
    const plain = patchCorrelation(a, { of: 'value', patch: 12, floor: 0 })(b)
    const total = fits.weight.reduce((s, w) => s + w, 0)
    expect(fits.correlation.reduce((s, c, i) => s + c * fits.weight[i], 0) / total).toBeCloseTo(plain, 5)
  })
})
