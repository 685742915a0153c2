import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PAPER_DETECTOR, project, sourcePosition } from '../src/geometry/camera.js'
import {
  add,
  distance,
  type Mat4,
  mulMat3,
  mulMat3Vec3,
  sub,
  transpose3,
  type Vec3
} from '../src/geometry/linear.js'
import { applyRigid, assertRigid, rotationOf } from '../src/geometry/rigid.js'
import { DEGREE, rotationX, rotationY, rotationZ } from '../src/geometry/rotation.js'
import { poseFromView, type View, viewFromPose } from '../src/geometry/view.js'

const isocenter: Vec3 = [12, -140, 833]
const zero: View = { alpha: 0, beta: 0, gamma: 0, translation: [0, 0, 0] }
const camera = (view: View) => ({ detector: PAPER_DETECTOR, cameraFromLps: poseFromView(view, isocenter) })
const see = (view: View, offset: Vec3) => project(camera(view), add(isocenter, offset))

const length = fc.double({ min: -200, max: 200, noNaN: true })
const angle = fc.double({ min: -Math.PI + 0.01, max: Math.PI - 0.01, noNaN: true })
const views = fc.record({
  alpha: fc.double({ min: -1.5, max: 1.5, noNaN: true }),
  beta: angle,
  gamma: angle,
  translation: fc.tuple(length, length, length)
})
const largestDifference = (a: Mat4, b: Mat4) => Math.max(...a.map((x, i) => Math.abs(x - b[i])))

fc.configureGlobal({ seed: 5 })

describe('the view at zero angles', () => {
  it('has the camera axes +L, −S, +P', () => {
    expect(rotationOf(poseFromView(zero, isocenter)).map(x => x + 0)).toEqual([1, 0, 0, 0, 0, -1, 0, 1, 0])
  })

  it('has the source 700 mm in front of the patient', () => {
    expect(
      distance(sourcePosition(poseFromView(zero, isocenter)), add(isocenter, [0, -700, 0]))
    ).toBeLessThan(1e-9)
    expect(
      distance(sourcePosition(poseFromView(zero, isocenter, 500)), add(isocenter, [0, -500, 0]))
    ).toBeLessThan(1e-9)
  })

  it('shows the isocentre in the middle, 700 mm deep', () => {
    const c = see(zero, [0, 0, 0])
    expect(c.u).toBeCloseTo(119.5, 9)
    expect(c.v).toBeCloseTo(93.5, 9)
    expect(c.depth).toBeCloseTo(700, 9)
  })

  it("shows the head at the top and the patient's left at the right, magnified 1200/700", () => {
    const perMm = 1200 / 700 / 1.6
    expect(see(zero, [0, 0, 50]).v).toBeCloseTo(93.5 - 50 * perMm, 9)
    expect(see(zero, [0, 0, 50]).u).toBeCloseTo(119.5, 9)
    expect(see(zero, [50, 0, 0]).u).toBeCloseTo(119.5 + 50 * perMm, 9)
    expect(see(zero, [50, 0, 0]).v).toBeCloseTo(93.5, 9)
  })

  it('has what is posterior further from the source', () => {
    expect(see(zero, [0, 30, 0]).depth).toBeCloseTo(730, 9)
  })
})

describe('the angles', () => {
  it('turn the C-arm: p_camera = A·Rᵀ·(p − c − t) + (0, 0, d)', () => {
    fc.assert(
      fc.property(views, fc.tuple(length, length, length), (view, p) => {
        const r = mulMat3(mulMat3(rotationZ(view.gamma), rotationX(view.alpha)), rotationY(view.beta))
        const q = mulMat3Vec3(transpose3(r), sub(sub(p, isocenter), view.translation))
        expect(
          distance(applyRigid(poseFromView(view, isocenter), p), [q[0], -q[2], q[1] + 700])
        ).toBeLessThan(1e-9)
      })
    )
  })

  it('γ > 0 orbits the source towards the patient’s left', () => {
    // Rz(90°) takes −y (anterior) to +x (left).
    const s = sourcePosition(poseFromView({ ...zero, gamma: 90 * DEGREE }, isocenter))
    expect(distance(s, add(isocenter, [700, 0, 0]))).toBeLessThan(1e-9)
  })

  it('α > 0 tilts the source towards the feet', () => {
    // Rx(α) takes −y to (0, −cos α, −sin α).
    const s = sourcePosition(poseFromView({ ...zero, alpha: 30 * DEGREE }, isocenter))
    expect(distance(s, add(isocenter, [0, -700 * Math.cos(30 * DEGREE), -350]))).toBeLessThan(1e-9)
  })

  it('β rolls the image about its centre and leaves the source where it is', () => {
    const view = { ...zero, beta: 90 * DEGREE }
    expect(
      distance(sourcePosition(poseFromView(view, isocenter)), add(isocenter, [0, -700, 0]))
    ).toBeLessThan(1e-9)
    // The C-arm's own +x axis has gone to −z: a point towards the feet is now at the right.
    const p = see(view, [0, 0, -70])
    expect(p.u).toBeCloseTo(119.5 + (70 * 1200) / 700 / 1.6, 9)
    expect(p.v).toBeCloseTo(93.5, 9)
  })

  it('the C-arm turns about the isocentre shifted by the translation', () => {
    fc.assert(
      fc.property(views, view => {
        const c = see(view, view.translation)
        expect(c.u).toBeCloseTo(119.5, 8)
        expect(c.v).toBeCloseTo(93.5, 8)
        expect(c.depth).toBeCloseTo(700, 8)
      })
    )
  })
})

describe('viewFromPose', () => {
  it('gives the view back', () => {
    fc.assert(
      fc.property(views, view => {
        const back = viewFromPose(poseFromView(view, isocenter), isocenter)
        expect(back.alpha).toBeCloseTo(view.alpha, 9)
        expect(back.beta).toBeCloseTo(view.beta, 9)
        expect(back.gamma).toBeCloseTo(view.gamma, 9)
        expect(distance(back.translation, view.translation)).toBeLessThan(1e-9)
      })
    )
  })

  it('gives the same pose back for any pose, craniocaudal (α = ±90°) and beyond included', () => {
    const anyAngle = fc.oneof(
      fc.double({ min: -Math.PI, max: Math.PI, noNaN: true }),
      fc.constantFrom(-Math.PI / 2, Math.PI / 2, Math.PI / 2 + 1e-7, Math.PI)
    )
    fc.assert(
      fc.property(anyAngle, anyAngle, anyAngle, (alpha, beta, gamma) => {
        const pose = assertRigid(
          poseFromView({ alpha, beta, gamma, translation: [5, 6, 7] }, isocenter, 650),
          'pose'
        )
        const again = poseFromView(viewFromPose(pose, isocenter, 650), isocenter, 650)
        expect(largestDifference(again, pose)).toBeLessThan(1e-6)
        expect(Math.abs(viewFromPose(pose, isocenter, 650).alpha)).toBeLessThanOrEqual(Math.PI / 2)
      }),
      { numRuns: 500 }
    )
  })
})
