import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GeometryError } from '../src/errors.js'
import {
  assertCamera,
  binnedDetector,
  type Camera,
  centredDetector,
  onDetector,
  PAPER_DETECTOR,
  pixelInCamera,
  project,
  rayThrough,
  sourcePosition
} from '../src/geometry/camera.js'
import { add, distance, IDENTITY4, norm, scale, type Vec3 } from '../src/geometry/linear.js'
import { applyRigid, invertRigid, rigid } from '../src/geometry/rigid.js'
import { expSO3 } from '../src/geometry/rotation.js'
import { binImage, type Image } from '../src/image/image.js'

const length = fc.double({ min: -150, max: 150, noNaN: true })
const small = fc.double({ min: -1, max: 1, noNaN: true })
const cameras = fc
  .tuple(small, small, small, length, length, length, fc.double({ min: 0.2, max: 2, noNaN: true }), length)
  .map(
    ([a, b, c, x, y, z, du, cu]): Camera => ({
      detector: { sdd: 1100, pixel: [du, 0.9], size: [300, 200], principalPoint: [cu, 77] },
      cameraFromLps: rigid(expSO3([a, b, c]), [x, y, 700 + z])
    })
  )

fc.configureGlobal({ seed: 5 })

describe('the projection', () => {
  it('is u = cu + sdd/du · x/z, v = cv + sdd/dv · y/z', () => {
    const camera: Camera = {
      detector: { sdd: 1000, pixel: [0.5, 2], size: [100, 80], principalPoint: [10, 20] },
      cameraFromLps: IDENTITY4
    }
    // 1000/0.5 · 3/500 = 12 columns, 1000/2 · 4/500 = 4 rows.
    expect(project(camera, [3, 4, 500])).toEqual({ u: 22, v: 24, depth: 500 })
  })

  it('sends a point on the detector to the pixel whose centre it is', () => {
    fc.assert(
      fc.property(cameras, length, length, (camera, u, v) => {
        const p = applyRigid(invertRigid(camera.cameraFromLps), pixelInCamera(camera.detector, u, v))
        const q = project(camera, p)
        expect(q.u).toBeCloseTo(u, 7)
        expect(q.v).toBeCloseTo(v, 7)
        expect(q.depth).toBeCloseTo(1100, 7)
      })
    )
  })

  it('says by its depth that a point is behind the source', () => {
    expect(project({ detector: PAPER_DETECTOR, cameraFromLps: IDENTITY4 }, [0, 0, -5]).depth).toBe(-5)
  })

  it('has the source as the origin of camera coordinates', () => {
    fc.assert(
      fc.property(cameras, camera => {
        expect(norm(applyRigid(camera.cameraFromLps, sourcePosition(camera.cameraFromLps)))).toBeLessThan(
          1e-9
        )
      })
    )
  })
})

describe('rayThrough', () => {
  it('starts at the source, has unit direction and goes towards the detector', () => {
    const ray = rayThrough({ detector: PAPER_DETECTOR, cameraFromLps: IDENTITY4 }, 119.5, 93.5)
    expect(ray.direction).toEqual([0, 0, 1])
    expect(norm(ray.origin)).toBe(0)
  })

  it('passes through the point whose projection it is given, and projects back to it', () => {
    fc.assert(
      fc.property(cameras, length, length, length, (camera, x, y, z) => {
        const p: Vec3 = applyRigid(invertRigid(camera.cameraFromLps), [x, y, 700 + z])
        const { u, v } = project(camera, p)
        const ray = rayThrough(camera, u, v)
        expect(norm(ray.direction)).toBeCloseTo(1, 12)
        expect(distance(add(ray.origin, scale(ray.direction, distance(ray.origin, p))), p)).toBeLessThan(1e-8)
        const q = project(camera, add(ray.origin, scale(ray.direction, 321)))
        expect(q.u).toBeCloseTo(u, 7)
        expect(q.v).toBeCloseTo(v, 7)
        expect(q.depth).toBeGreaterThan(0)
      })
    )
  })
})

describe('detectors', () => {
  it('have their principal point at the image centre by default, on a pixel centre if the size is odd', () => {
    expect(centredDetector(1200, [1.6, 1.6], [240, 188])).toEqual(PAPER_DETECTOR)
    expect(centredDetector(1000, [1, 1], [5, 4]).principalPoint).toEqual([2, 1.5])
  })

  it("are the paper's 384 × 300 mm, to the nearest pixel row", () => {
    expect(PAPER_DETECTOR.size[0] * PAPER_DETECTOR.pixel[0]).toBe(384)
    expect(Math.abs(PAPER_DETECTOR.size[1] * PAPER_DETECTOR.pixel[1] - 300)).toBeLessThan(1.6 / 2 + 1e-9)
  })

  it('end half a pixel beyond the outermost pixel centres', () => {
    const d = PAPER_DETECTOR
    for (const [u, v] of [
      [-0.5, -0.5],
      [239.5, 187.5],
      [0, 0]
    ])
      expect(onDetector(d, u, v)).toBe(true)
    for (const [u, v] of [
      [-0.51, 0],
      [239.51, 0],
      [0, -0.51],
      [0, 187.51],
      [Number.NaN, 0]
    ])
      expect(onDetector(d, u, v)).toBe(false)
  })

  it.each([1, 2, 4])('binned by %i see every ray where the averaged image has it', factor => {
    const d = { ...PAPER_DETECTOR, principalPoint: [100.25, 80.75] as const }
    const fine: Camera = { detector: d, cameraFromLps: IDENTITY4 }
    const coarse: Camera = { detector: binnedDetector(d, factor), cameraFromLps: IDENTITY4 }
    expect(coarse.detector.size.map(s => s * factor)).toEqual([...d.size])
    expect(coarse.detector.size[0] * coarse.detector.pixel[0]).toBeCloseTo(384, 9)
    // An image that holds the camera x of each pixel centre, averaged, holds that of the binned pixel centres.
    const [width, height] = d.size
    const x: Image = {
      width,
      height,
      data: Float32Array.from({ length: width * height }, (_, i) => pixelInCamera(d, i % width, 0)[0])
    }
    const y: Image = {
      width,
      height,
      data: Float32Array.from(
        { length: width * height },
        (_, i) => pixelInCamera(d, 0, Math.floor(i / width))[1]
      )
    }
    const [bx, by] = [binImage(x, factor), binImage(y, factor)]
    expect([bx.width, bx.height]).toEqual([...coarse.detector.size])
    for (const [u, v] of [
      [0, 0],
      [3, 5],
      [bx.width - 1, bx.height - 1]
    ]) {
      const centre = pixelInCamera(coarse.detector, u, v)
      expect(bx.data[v * bx.width + u]).toBeCloseTo(centre[0], 3)
      expect(by.data[v * bx.width + u]).toBeCloseTo(centre[1], 3)
    }
    // The corner of the detector, half a pixel out, is the same point.
    const p: Vec3 = scale(pixelInCamera(d, -0.5, -0.5), 0.5)
    expect(project(fine, p).u).toBeCloseTo(-0.5, 9)
    expect(project(coarse, p).u).toBeCloseTo(-0.5, 9)
    expect(project(coarse, p).v).toBeCloseTo(-0.5, 9)
  })
})

describe('assertCamera', () => {
  const good: Camera = { detector: PAPER_DETECTOR, cameraFromLps: IDENTITY4 }
  const withDetector = (change: object): Camera => ({ ...good, detector: { ...PAPER_DETECTOR, ...change } })
  it('accepts a camera', () => expect(() => assertCamera(good)).not.toThrow())
  it.each([
    ['a NaN distance', withDetector({ sdd: Number.NaN }), /not a finite number/],
    ['a detector at the source', withDetector({ sdd: 0 }), /0 mm from the source/],
    ['a detector behind the source', withDetector({ sdd: -5 }), /-5 mm from the source/],
    ['a zero pixel', withDetector({ pixel: [1, 0] }), /pixel size 1 × 0 mm/],
    ['a negative pixel', withDetector({ pixel: [-1, 1] }), /pixel size -1 × 1 mm/],
    ['an infinite pixel', withDetector({ pixel: [1, 1 / 0] }), /not a finite number/],
    ['no columns', withDetector({ size: [0, 5] }), /image size 0 × 5/],
    ['half a row', withDetector({ size: [5, 4.5] }), /image size 5 × 4.5/],
    ['a NaN principal point', withDetector({ principalPoint: [Number.NaN, 0] }), /not a finite number/],
    ['a NaN pose', { ...good, cameraFromLps: IDENTITY4.map(() => Number.NaN) }, /cameraFromLps holds/],
    [
      'a pose that is not rigid',
      { ...good, cameraFromLps: IDENTITY4.map((x, i) => (i === 0 ? 1.1 : x)) },
      /cameraFromLps is not rigid/
    ]
  ])('refuses %s', (_, camera, message) => {
    expect(() => assertCamera(camera)).toThrow(GeometryError)
    expect(() => assertCamera(camera)).toThrow(message)
  })
})
