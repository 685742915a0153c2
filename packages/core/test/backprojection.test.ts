import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ArgumentError } from '../src/errors.js'
import { type Camera, PAPER_DETECTOR, project, type Ray } from '../src/geometry/camera.js'
import { add, cross, distance, normalize, scale, sub, type Vec3 } from '../src/geometry/linear.js'
import { DEGREE } from '../src/geometry/rotation.js'
import { poseFromView } from '../src/geometry/view.js'
import {
  backProject,
  closestPoint,
  type Detection,
  distanceToRay,
  mergeRays
} from '../src/landmarks/back-projection.js'
import { BACK_PROJECTION_GRID, gridViews } from '../src/landmarks/views.js'
import { createRandom, type Random } from '../src/random/random.js'

fc.configureGlobal({ seed: 5 })

const cameras: Camera[] = gridViews(BACK_PROJECTION_GRID).map(view => ({
  detector: PAPER_DETECTOR,
  cameraFromLps: poseFromView(view, [10, -150, 900])
}))
const ray = (origin: Vec3, towards: Vec3): Ray => ({ origin, direction: normalize(sub(towards, origin)) })
const truth: Vec3 = [35, -170, 860]

/** Detections of one point in all 90 views: noise in pixels, and a share of outliers anywhere in the image. */
function detect(p: Vec3, random: Random, noisePx: number, outliers: number): Detection[] {
  return cameras.map(camera => {
    const { u, v } = project(camera, p)
    if (random.chance(outliers))
      return { u: random.uniform(0, 239), v: random.uniform(0, 187), confidence: 0.6 }
    return { u: u + noisePx * random.normal(), v: v + noisePx * random.normal(), confidence: 0.8 }
  })
}

/** What one pixel of detector is at the isocentre, mm. */
const MM_PER_PIXEL = (1.6 * 700) / 1200

describe('the closest point of two rays', () => {
  it('is half-way across the gap: hand-computed', () => {
    // Along x at z = 0, and along y at x = 3, z = 4.
    const c = closestPoint(ray([0, 0, 0], [1, 0, 0]), ray([3, -5, 4], [3, 0, 4]))
    expect(c?.gap).toBeCloseTo(4, 12)
    expect(distance(c!.point, [3, 0, 2])).toBeLessThan(1e-12)
  })

  it('is equidistant from both, and no two points of the rays are closer', () => {
    const x = fc.double({ min: -100, max: 100, noNaN: true })
    const p = fc.tuple(x, x, x)
    fc.assert(
      fc.property(p, p, p, p, x, x, (a, b, c, d, s, t) => {
        fc.pre(distance(a, b) > 1 && distance(c, d) > 1)
        const [r, q] = [ray(a, b), ray(c, d)]
        const found = closestPoint(r, q, 1 * DEGREE)
        if (!found) return
        expect(distanceToRay(r, found.point)).toBeCloseTo(found.gap / 2, 6)
        expect(distanceToRay(q, found.point)).toBeCloseTo(found.gap / 2, 6)
        const apart = distance(add(r.origin, scale(r.direction, s)), add(q.origin, scale(q.direction, t)))
        expect(apart).toBeGreaterThan(found.gap - 1e-6)
      })
    )
  })

  it('does not exist for parallel rays, nor within the least angle', () => {
    expect(closestPoint(ray([0, 0, 0], [0, 0, 1]), ray([5, 0, 0], [5, 0, 1]))).toBeNull()
    const narrow = ray([0, 0, 0], [Math.sin(3 * DEGREE), 0, Math.cos(3 * DEGREE)])
    expect(closestPoint(narrow, ray([0, 0, 0], [0, 0, 1]), 4 * DEGREE)).toBeNull()
    expect(closestPoint(narrow, ray([0, 0, 0], [0, 0, 1]), 2 * DEGREE)).not.toBeNull()
  })

  it('keeps its precision for rays 0.1° apart', () => {
    const p: Vec3 = [1, 2, 700]
    const c = closestPoint(ray([0, 0, 0], p), ray([1.2, 0, 0], p))
    expect(distance(c!.point, p)).toBeLessThan(1e-6)
  })
})

describe('merging rays', () => {
  it('finds the point from exact rays, with either method, in all pairs that are not near-parallel', () => {
    const random = createRandom(1)
    for (const method of ['median', 'robust'] as const) {
      const [found] = backProject(
        detect(truth, random, 0, 0).map(d => [d]),
        cameras,
        { method, minAngle: 1e-6 }
      )
      expect(distance(found.point!, truth)).toBeLessThan(1e-6)
      expect(found).toMatchObject({ rays: 90, pairs: (90 * 89) / 2, support: 1 })
      expect(found.spread).toBeLessThan(1e-5)
      expect(found.reason).toBeUndefined()
    }
  })

  it('takes the coordinate-wise median of the pairs: hand-computed', () => {
    // Three rays in three planes z = 0, 2, 4; their crossings, seen from above, are (0, 0), (10, 0) and (0, 20).
    const rays = [
      ray([-50, 0, 0], [1, 0, 0]),
      ray([0, -50, 2], [0, 1, 2]),
      { origin: [10, 0, 4] as Vec3, direction: normalize([-10, 20, 0]) }
    ]
    const found = mergeRays(rays, [1, 1, 1])
    expect(found.pairs).toBe(3)
    // Medians of x {0, 10, 0}, y {0, 0, 20} and z {1, 2, 3}.
    expect(distance(found.point!, [0, 0, 2])).toBeLessThan(1e-12)
    // Distances of (0, 0, 1), (10, 0, 2) and (0, 20, 3) from there: 1, 10, √401.
    expect(found.spread).toBeCloseTo(10, 9)
    // Distances of the rays from there: 2, 0 and hypot(2, 20/√5) > 6.
    expect(found.support).toBeCloseTo(2 / 3, 12)
  })

  it('leaves out pairs that pass further apart than τ', () => {
    const rays = [
      ray([-50, 0, 0], [1, 0, 0]),
      ray([0, -50, 5.9], [0, 1, 5.9]),
      ray([7, -50, 6.1], [7, 1, 6.1])
    ]
    const options = { minPairs: 1, minRays: 2 }
    expect(mergeRays(rays, [1, 1, 1], options)).toMatchObject({ pairs: 1, point: [0, 0, 2.95] })
    expect(mergeRays(rays, [1, 1, 1], { ...options, tauMm: 6.2 }).pairs).toBe(2)
    expect(mergeRays(rays, [1, 1, 1], { ...options, tauMm: 5 })).toMatchObject({ pairs: 0, point: null })
  })

  it('is nearer to the truth than a single ray, with a third of the detections wrong', () => {
    for (const method of ['median', 'robust'] as const) {
      let mean = 0
      for (let seed = 1; seed <= 30; seed++) {
        const detections = detect(truth, createRandom(seed), 2, 1 / 3).map(d => [d])
        mean += distance(backProject(detections, cameras, { method })[0].point!, truth) / 30
      }
      expect(mean).toBeLessThan(2 * MM_PER_PIXEL)
    }
  })

  describe('with the robust method', () => {
    const random = createRandom(8)
    const rays = Array.from({ length: 12 }, () => {
      const origin: Vec3 = [random.uniform(-400, 400), -600, random.uniform(-200, 200)]
      return ray(origin, [2 * random.normal(), 2 * random.normal(), 2 * random.normal()])
    })
    const weights = rays.map(() => random.uniform(0.3, 1))

    it('ends at a minimum of the weighted Cauchy loss', () => {
      const loss = (p: Vec3) =>
        rays.reduce((s, r, i) => s + weights[i] * Math.log1p((distanceToRay(r, p) / 4) ** 2), 0)
      const p = mergeRays(rays, weights, { method: 'robust', tauMm: 30 }).point!
      const h = 1e-3
      for (const axis of [
        [h, 0, 0],
        [0, h, 0],
        [0, 0, h]
      ] as Vec3[]) {
        expect(loss(add(p, axis))).toBeGreaterThan(loss(p))
        expect(loss(sub(p, axis))).toBeGreaterThan(loss(p))
      }
    })

    it('counts a ray of twice the weight like two rays', () => {
      const options = { method: 'robust', tauMm: 30 } as const
      const twice = mergeRays([...rays, rays[0]], [...weights, weights[0]], options).point!
      const heavy = mergeRays(
        rays,
        weights.map((w, i) => (i === 0 ? 2 * w : w)),
        options
      ).point!
      expect(distance(twice, heavy)).toBeLessThan(1e-4)
      expect(distance(mergeRays(rays, weights, options).point!, heavy)).toBeGreaterThan(1e-3)
    })
  })
})

describe('back-projection', () => {
  it('keeps the landmarks apart and drops, with a reason, those that it cannot place', () => {
    const random = createRandom(2)
    const second: Vec3 = [-60, -120, 930]
    const a = detect(truth, random, 0.5, 0)
    const b = detect(second, random, 0.5, 0)
    const detections = cameras.map((_, k): Detection[] => [
      a[k],
      b[k],
      { ...a[k], confidence: k < 2 ? 0.9 : 0.29 },
      { ...a[k], confidence: Number.NaN },
      // Seen everywhere, at places that have nothing to do with each other.
      { u: (k % 10) * 24, v: (k % 9) * 21, confidence: 0.9 },
      { u: Number.NaN, v: 5, confidence: 0.9 }
    ])
    const found = backProject(detections, cameras, { minPairs: 2000 })
    expect(distance(found[0].point!, truth)).toBeLessThan(0.5 * MM_PER_PIXEL)
    expect(distance(found[1].point!, second)).toBeLessThan(0.5 * MM_PER_PIXEL)
    expect(found[2]).toMatchObject({
      point: null,
      rays: 2,
      pairs: 0,
      reason: expect.stringMatching(/seen in 2 views/)
    })
    expect(found[3]).toMatchObject({ point: null, rays: 0, reason: expect.stringMatching(/seen in 0 views/) })
    expect(found[4]).toMatchObject({
      point: null,
      rays: 90,
      reason: expect.stringMatching(/pairs of 90 rays pass within 6 mm/)
    })
    expect(found[5]).toMatchObject({ point: null, rays: 0 })
    expect(found[2].spread).toBeNaN()
  })

  it('robustly takes one of two places a landmark was seen at, where the median lies between', () => {
    const random = createRandom(8)
    const other: Vec3 = [truth[0] - 70, truth[1], truth[2]]
    // 52 of 90 views see the landmark, the others its partner.
    const views = detect(truth, random, 0.5, 0).map((d, i) => {
      const { u, v } = project(cameras[i], other)
      return [i % 12 < 7 ? d : { u, v, confidence: 0.8 }]
    })
    const [robust] = backProject(views, cameras, { method: 'robust' })
    expect(distance(robust.point!, truth)).toBeLessThan(1)
    expect(robust.support).toBeCloseTo(views.filter((_, i) => i % 12 < 7).length / 90, 1)
  })

  it('drops a point that too small a share of its rays passes, and says what share', () => {
    const views = detect(truth, createRandom(3), 0, 0.75).map(d => [d])
    const [kept] = backProject(views, cameras, { method: 'robust' })
    const [dropped] = backProject(views, cameras, { method: 'robust', minSupport: 0.5 })
    expect(kept.point).not.toBeNull()
    expect(kept.support).toBeLessThan(0.5)
    expect(dropped).toMatchObject({ point: null, support: kept.support, spread: kept.spread })
    expect(dropped.reason).toContain(
      `${Math.round(100 * kept.support)} % of 90 rays pass within 6 mm of one point`
    )
  })

  it('uses detections from the threshold of confidence upwards', () => {
    const detections = detect(truth, createRandom(1), 0, 0).map((d, k) => [{ ...d, confidence: k / 90 }])
    expect(backProject(detections, cameras, { minConfidence: 0.5 })[0].rays).toBe(45)
  })

  it('refuses cameras that do not fit, ragged views and options out of range', () => {
    const d: Detection = { u: 1, v: 1, confidence: 1 }
    expect(() => backProject([[d]], cameras)).toThrow(ArgumentError)
    expect(() => backProject([[d], [d, d]], cameras.slice(0, 2))).toThrow(ArgumentError)
    for (const o of [
      { tauMm: 0 },
      { tauMm: Number.NaN },
      { minAngle: 0 },
      { minRays: 1 },
      { minPairs: 0 },
      { minSupport: -0.1 },
      { minSupport: 1.1 },
      { cauchyMm: -1 }
    ])
      expect(() => backProject([[d]], cameras.slice(0, 1), o)).toThrow(ArgumentError)
    expect(backProject([], [])).toEqual([])
  })
})

describe('the distance to a ray', () => {
  it('is that of the foot of the perpendicular', () => {
    expect(distanceToRay(ray([0, 0, 0], [0, 0, 9]), [3, 4, 100])).toBeCloseTo(5, 12)
    const r = ray([1, 2, 3], [4, 6, 3])
    const across = normalize(cross(r.direction, [0, 0, 1]))
    expect(distanceToRay(r, add(add(r.origin, scale(r.direction, 17)), scale(across, 2.5)))).toBeCloseTo(
      2.5,
      12
    )
  })
})
