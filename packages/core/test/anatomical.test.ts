import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GeometryError, PoseError } from '../src/errors.js'
import { pelvisFrame } from '../src/geometry/anatomical.js'
import { distance, type Vec3 } from '../src/geometry/linear.js'
import { applyRigid, assertRigid, composeRigid, invertRigid, rigid } from '../src/geometry/rigid.js'
import { expSO3 } from '../src/geometry/rotation.js'
import { PELVIS_LANDMARKS } from '../src/landmarks/definitions.js'
import { pelvisFrameFromLandmarks } from '../src/landmarks/pelvis-frame.js'

// A patient whose anterior pelvic plane is coronal: ASIS 220 mm apart, pubis 100 mm below, all at y = −80.
const points = {
  asisRight: [-110, -80, 900] as Vec3,
  asisLeft: [110, -80, 900] as Vec3,
  pubis: [0, -80, 800] as Vec3
}

fc.configureGlobal({ seed: 5 })

describe('the frame of the pelvis', () => {
  it('has its origin between the ASIS, x to the left, y upwards, z out of the front', () => {
    const m = assertRigid(pelvisFrame(points), 'app')
    const check = (lps: Vec3, app: Vec3) => expect(distance(applyRigid(m, lps), app)).toBeLessThan(1e-9)
    check([0, -80, 900], [0, 0, 0])
    check(points.asisLeft, [110, 0, 0])
    check(points.pubis, [0, -100, 0])
    check([0, -81, 900], [0, 0, 1])
  })

  it('keeps y orthogonal to x where the pubis is off the midline', () => {
    const m = assertRigid(pelvisFrame({ ...points, pubis: [15, -80, 800] }), 'app')
    expect(distance(applyRigid(m, [15, -80, 800]), [15, -100, 0])).toBeLessThan(1e-9)
  })

  it('moves with the patient: a moved pelvis has the same coordinates', () => {
    const w = fc.double({ min: -3, max: 3, noNaN: true })
    const t = fc.double({ min: -500, max: 500, noNaN: true })
    fc.assert(
      fc.property(fc.tuple(w, w, w), fc.tuple(t, t, t), (turn, shift) => {
        const move = rigid(expSO3(turn), shift)
        const moved = pelvisFrame({
          asisRight: applyRigid(move, points.asisRight),
          asisLeft: applyRigid(move, points.asisLeft),
          pubis: applyRigid(move, points.pubis)
        })
        const expected = composeRigid(pelvisFrame(points), invertRigid(move))
        expect(Math.max(...moved.map((x, i) => Math.abs(x - expected[i])))).toBeLessThan(1e-9)
      })
    )
  })

  it.each([
    ['coincident ASIS', { ...points, asisLeft: points.asisRight }],
    ['a pubis on the line of the ASIS', { ...points, pubis: [40, -80, 900] as Vec3 }],
    ['a NaN', { ...points, pubis: [Number.NaN, 0, 0] as Vec3 }],
    ['an infinity', { ...points, asisRight: [-1 / 0, 0, 0] as Vec3 }]
  ])('refuses %s', (_, p) => {
    expect(() => pelvisFrame(p)).toThrow(GeometryError)
  })
})

describe('the frame from the 23 landmarks', () => {
  const means = PELVIS_LANDMARKS.landmarks.map(l => l.mean)
  it('is that of ASIS and pubic tubercles', () => {
    const m = pelvisFrameFromLandmarks(means)
    expect(distance(applyRigid(m, means[20]), [-110, 0, 0])).toBeLessThan(1e-9)
    expect(distance(applyRigid(m, means[21]), [110, 0, 0])).toBeLessThan(1e-9)
    // Both tubercles lie in the plane, at the same height below.
    const [right, left] = [applyRigid(m, means[6]), applyRigid(m, means[7])]
    expect(right[2]).toBeCloseTo(0, 9)
    expect(left[1]).toBeCloseTo(right[1], 9)
    expect(left[1]).toBeLessThan(0)
    // The promontory and the ischia lie behind.
    for (const k of [0, 1, 22]) expect(applyRigid(m, means[k])[2]).toBeLessThan(0)
  })

  it('falls back to the inferior symphysis where a tubercle is missing', () => {
    const m = pelvisFrameFromLandmarks(means.map((p, i) => (i === 6 ? null : p)))
    expect(applyRigid(m, means[4])[2]).toBeCloseTo(0, 9)
    expect(applyRigid(m, means[4])[1]).toBeLessThan(0)
  })

  it('names the landmark that it lacks', () => {
    const without = means.map((p, i) => (i === 21 ? null : p))
    expect(() => pelvisFrameFromLandmarks(without)).toThrow(PoseError)
    expect(() => pelvisFrameFromLandmarks(without)).toThrow(/"anterior superior iliac spine" \(L\)/)
  })
})
