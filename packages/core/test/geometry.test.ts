import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GeometryError } from '../src/errors.js'
import { PAPER_DETECTOR } from '../src/geometry/camera.js'
import { geometryFromJson, geometryToJson } from '../src/geometry/geometry-json.js'
import {
  add,
  centroid,
  column3,
  cross,
  det3,
  distance,
  dot,
  IDENTITY4,
  mulMat3,
  norm,
  normalize,
  orthogonalityError,
  scale,
  solveSpd,
  sub,
  transpose3,
  type Vec3
} from '../src/geometry/linear.js'
import {
  applyRigid,
  assertRigid,
  composeRigid,
  invertRigid,
  rigid,
  translationOf
} from '../src/geometry/rigid.js'
import { expSO3, rotationZ } from '../src/geometry/rotation.js'

const number = fc.double({ min: -500, max: 500, noNaN: true })
const vector = fc.tuple(number, number, number)
const turn = fc.tuple(
  fc.double({ min: -3, max: 3, noNaN: true }),
  fc.double({ min: -3, max: 3, noNaN: true }),
  fc.double({ min: -3, max: 3, noNaN: true })
)
const pose = fc.tuple(turn, vector).map(([w, t]) => rigid(expSO3(w), t))
const near = (a: Vec3, b: Vec3, tolerance = 1e-9) => expect(distance(a, b)).toBeLessThan(tolerance)

fc.configureGlobal({ seed: 5 })

describe('vectors and matrices', () => {
  it('follow hand-computed cases', () => {
    expect(add([1, 2, 3], [4, 5, 6])).toEqual([5, 7, 9])
    expect(sub([1, 2, 3], [4, 6, 8])).toEqual([-3, -4, -5])
    expect(scale([1, -2, 3], 2)).toEqual([2, -4, 6])
    expect(dot([1, 2, 3], [4, 5, 6])).toBe(32)
    expect(cross([1, 0, 0], [0, 1, 0])).toEqual([0, 0, 1])
    expect(norm([2, 3, 6])).toBe(7)
    expect(normalize([0, 3, 4])).toEqual([0, 0.6000000000000001, 0.8])
    expect(
      centroid([
        [0, 0, 0],
        [2, 4, 6]
      ])
    ).toEqual([1, 2, 3])
    const m = [1, 2, 3, 4, 5, 6, 7, 8, 10]
    expect(column3(m, 1)).toEqual([2, 5, 8])
    expect(det3(m)).toBe(-3)
    expect(mulMat3(m, transpose3(m))).toEqual([14, 32, 53, 32, 77, 128, 53, 128, 213])
    // MᵀM − I of diag(1, 2, 1) has one entry of 3.
    expect(orthogonalityError([1, 0, 0, 0, 2, 0, 0, 0, 1])).toBe(3)
  })

  it('solves symmetric positive definite systems, and says so when they are not', () => {
    const a = [4, 2, 1, 2, 5, 3, 1, 3, 6]
    const x = solveSpd(a, [4 * 1 + 2 * -2 + 1 * 3, 2 * 1 + 5 * -2 + 3 * 3, 1 * 1 + 3 * -2 + 6 * 3], 3)
    expect(x).not.toBeNull()
    for (const [i, v] of [1, -2, 3].entries()) expect(x![i]).toBeCloseTo(v, 12)
    expect(solveSpd([1, 2, 2, 1], [1, 1], 2)).toBeNull()
  })
})

describe('rigid transforms', () => {
  it('turn, then shift, in row-major order', () => {
    const m = rigid(rotationZ(Math.PI / 2), [10, 20, 30])
    near(applyRigid(m, [1, 0, 0]), [10, 21, 30])
    expect(translationOf(m)).toEqual([10, 20, 30])
    expect(m.slice(12)).toEqual([0, 0, 0, 1])
  })

  it('compose from right to left and invert', () => {
    fc.assert(
      fc.property(pose, pose, vector, (a, b, p) => {
        near(applyRigid(composeRigid(a, b), p), applyRigid(a, applyRigid(b, p)))
        near(applyRigid(invertRigid(a), applyRigid(a, p)), p)
        near(applyRigid(a, applyRigid(invertRigid(a), p)), p)
      })
    )
  })

  it('accepts what is rigid', () => {
    fc.assert(fc.property(pose, m => void expect(assertRigid(m, 'pose')).toEqual(m)))
    expect(assertRigid(Float64Array.from(IDENTITY4), 'pose')).toEqual([...IDENTITY4])
  })

  it.each([
    ['15 numbers', IDENTITY4.slice(1), /pose has 15 numbers/],
    ['a NaN', IDENTITY4.map((x, i) => (i === 3 ? Number.NaN : x)), /pose holds a value that is not a finite/],
    [
      'an infinity',
      IDENTITY4.map((x, i) => (i === 7 ? 1 / 0 : x)),
      /pose holds a value that is not a finite/
    ],
    [
      'a translation in the last row (column-major)',
      [...IDENTITY4.slice(0, 12), 1, 2, 3, 1],
      /last row 1 2 3 1/
    ],
    ['a scale', IDENTITY4.map((x, i) => (i < 12 ? 2 * x : x)), /pose is not rigid.*8\.0000/],
    ['a shear', IDENTITY4.map((x, i) => (i === 1 ? 0.01 : x)), /pose is not rigid/],
    ['a reflection', IDENTITY4.map((x, i) => (i === 0 ? -1 : x)), /pose is not rigid.*-1\.0000/],
    ['all zeros', new Array(16).fill(0), /last row/]
  ])('refuses %s', (_, m, message) => {
    expect(() => assertRigid(m, 'pose')).toThrow(GeometryError)
    expect(() => assertRigid(m, 'pose')).toThrow(message)
  })
})

describe('geometry JSON', () => {
  it('round-trips through text', () => {
    fc.assert(
      fc.property(pose, fc.double({ min: 0.05, max: 3, noNaN: true }), number, (m, du, cu) => {
        const detector = {
          ...PAPER_DETECTOR,
          pixel: [du, 1.1] as const,
          principalPoint: [cu + 0, 90.25] as const
        }
        const back = geometryFromJson(JSON.parse(JSON.stringify(geometryToJson(detector, m))))
        // JSON has no −0.
        expect(back).toEqual({ detector, cameraFromLps: m.map(x => x + 0) })
      })
    )
  })

  it('has the keys of the contract', () => {
    expect(geometryToJson(PAPER_DETECTOR, IDENTITY4)).toEqual({
      sddMm: 1200,
      pixelMm: [1.6, 1.6],
      size: [240, 188],
      principalPoint: [119.5, 93.5],
      cameraFromLps: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    })
  })

  it('leaves out an unknown pose and fills in the image centre as principal point', () => {
    const json = geometryToJson(PAPER_DETECTOR)
    expect('cameraFromLps' in json).toBe(false)
    const { principalPoint: _, ...rest } = json
    expect(geometryFromJson(rest)).toEqual({ detector: PAPER_DETECTOR })
    expect(geometryFromJson({ ...rest, size: [101, 50] }).detector.principalPoint).toEqual([50, 24.5])
  })

  const good = geometryToJson(PAPER_DETECTOR, IDENTITY4)
  it.each([
    ['null', null, /not a JSON object/],
    ['an array', [good], /not a JSON object/],
    ['a number', 5, /not a JSON object/],
    ['no sddMm', { ...good, sddMm: undefined }, /"sddMm" is not a finite number/],
    ['sddMm as text', { ...good, sddMm: '1200' }, /"sddMm" is not a finite number/],
    ['a NaN sddMm', { ...good, sddMm: Number.NaN }, /"sddMm" is not a finite number/],
    ['a negative sddMm', { ...good, sddMm: -1200 }, /-1200 mm from the source/],
    ['one pixel size', { ...good, pixelMm: 1.6 }, /"pixelMm" is not a pair/],
    ['a zero pixel', { ...good, pixelMm: [0, 1.6] }, /pixel size 0 × 1.6 mm is not positive/],
    ['no size', { ...good, size: undefined }, /"size" is not a pair/],
    ['three sizes', { ...good, size: [240, 188, 1] }, /"size" is not a pair/],
    ['a fractional size', { ...good, size: [240, 187.5] }, /240 × 187.5 is not a positive whole/],
    ['an empty size', { ...good, size: [0, 188] }, /0 × 188 is not a positive whole/],
    ['a null principal point', { ...good, principalPoint: null }, /"principalPoint" is not a pair/],
    ['text in the principal point', { ...good, principalPoint: ['a', 1] }, /"principalPoint" is not a pair/],
    ['a null pose', { ...good, cameraFromLps: null }, /"cameraFromLps" is not an array of 16/],
    ['a 3 × 4 pose', { ...good, cameraFromLps: IDENTITY4.slice(0, 12) }, /cameraFromLps has 12 numbers/],
    ['text in the pose', { ...good, cameraFromLps: IDENTITY4.map(String) }, /cameraFromLps holds a value/],
    ['a scaled pose', { ...good, cameraFromLps: IDENTITY4.map((x, i) => (i < 12 ? 3 * x : x)) }, /not rigid/]
  ])('refuses %s', (_, json, message) => {
    expect(() => geometryFromJson(json)).toThrow(GeometryError)
    expect(() => geometryFromJson(json)).toThrow(message)
  })
})
