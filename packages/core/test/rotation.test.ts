import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  cross,
  det3,
  type Mat3,
  mulMat3,
  mulMat3Vec3,
  orthogonalityError,
  type Vec3
} from '../src/geometry/linear.js'
import {
  expSO3,
  logSO3,
  rotationAngle,
  rotationX,
  rotationY,
  rotationZ,
  viewRotation
} from '../src/geometry/rotation.js'

const largestDifference = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((x, i) => Math.abs(x - b[i])))

const angle = fc.double({ min: -3, max: 3, noNaN: true })
const unitVector = fc
  .tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.double({ min: -Math.PI, max: Math.PI, noNaN: true }))
  .map(([z, a]): Vec3 => [Math.sqrt(1 - z * z) * Math.cos(a), Math.sqrt(1 - z * z) * Math.sin(a), z])

/** The matrix exponential by its power series: independent of Rodrigues' formula. */
function seriesExponential([x, y, z]: Vec3): Mat3 {
  const k = [0, -z, y, z, 0, -x, -y, x, 0]
  let term: Mat3 = [1, 0, 0, 0, 1, 0, 0, 0, 1]
  let sum = term
  for (let n = 1; n < 60; n++) {
    term = mulMat3(term, k).map(v => v / n)
    sum = sum.map((v, i) => v + term[i])
  }
  return sum
}

fc.configureGlobal({ seed: 5 })

describe('elementary rotations', () => {
  it('are right-handed: a quarter turn takes each axis to the next', () => {
    const close = (a: Vec3, b: Vec3) => expect(largestDifference(a, b)).toBeLessThan(1e-15)
    close(mulMat3Vec3(rotationX(Math.PI / 2), [0, 1, 0]), [0, 0, 1])
    close(mulMat3Vec3(rotationY(Math.PI / 2), [0, 0, 1]), [1, 0, 0])
    close(mulMat3Vec3(rotationZ(Math.PI / 2), [1, 0, 0]), [0, 1, 0])
  })

  it('are exponentials of their axes', () => {
    fc.assert(
      fc.property(angle, a => {
        expect(largestDifference(rotationX(a), expSO3([a, 0, 0]))).toBeLessThan(1e-14)
        expect(largestDifference(rotationY(a), expSO3([0, a, 0]))).toBeLessThan(1e-14)
        expect(largestDifference(rotationZ(a), expSO3([0, 0, a]))).toBeLessThan(1e-14)
      })
    )
  })
})

describe('view rotation', () => {
  it('is Rz(γ)·Rx(α)·Ry(β): β acts first, γ last', () => {
    fc.assert(
      fc.property(angle, angle, angle, (alpha, beta, gamma) => {
        const p: Vec3 = [0.3, -1.2, 2.1]
        const expected = mulMat3Vec3(
          rotationZ(gamma),
          mulMat3Vec3(rotationX(alpha), mulMat3Vec3(rotationY(beta), p))
        )
        expect(largestDifference(mulMat3Vec3(viewRotation(alpha, beta, gamma), p), expected)).toBeLessThan(
          1e-14
        )
      })
    )
  })

  it('matches a hand-computed case that no other order gives', () => {
    // Quarter turns about all three axes: e_z –Ry→ e_x –Rx→ e_x –Rz→ e_y.
    const q = Math.PI / 2
    expect(largestDifference(mulMat3Vec3(viewRotation(q, q, q), [0, 0, 1]), [0, 1, 0])).toBeLessThan(1e-15)
    // e_x –Ry→ −e_z –Rx→ e_y –Rz→ −e_x.
    expect(largestDifference(mulMat3Vec3(viewRotation(q, q, q), [1, 0, 0]), [-1, 0, 0])).toBeLessThan(1e-15)
  })
})

describe('exponential and logarithm of SO(3)', () => {
  it('exp agrees with the power series and is a rotation', () => {
    fc.assert(
      fc.property(unitVector, fc.double({ min: 0, max: Math.PI, noNaN: true }), (n, t) => {
        const w: Vec3 = [n[0] * t, n[1] * t, n[2] * t]
        const r = expSO3(w)
        expect(largestDifference(r, seriesExponential(w))).toBeLessThan(1e-13)
        expect(orthogonalityError(r)).toBeLessThan(1e-14)
        expect(det3(r)).toBeCloseTo(1, 13)
      })
    )
  })

  it('exp turns about its axis by its length', () => {
    fc.assert(
      fc.property(unitVector, unitVector, fc.double({ min: 0, max: Math.PI, noNaN: true }), (n, p, t) => {
        const r = expSO3([n[0] * t, n[1] * t, n[2] * t])
        expect(largestDifference(mulMat3Vec3(r, n), n)).toBeLessThan(1e-14)
        // A vector across the axis turns to cos·p + sin·(n × p).
        const across = cross(n, p)
        const expected = across.map((x, i) => Math.cos(t) * x + Math.sin(t) * cross(n, across)[i])
        expect(largestDifference(mulMat3Vec3(r, across), expected)).toBeLessThan(1e-14)
      })
    )
  })

  it('log ∘ exp is the identity below π, down to rotations that vanish', () => {
    const length = fc.oneof(
      fc.double({ min: 0, max: 3.14, noNaN: true }),
      fc.integer({ min: -16, max: -1 }).map(e => 10 ** e)
    )
    fc.assert(
      fc.property(unitVector, length, (n, t) => {
        const w: Vec3 = [n[0] * t, n[1] * t, n[2] * t]
        expect(largestDifference(logSO3(expSO3(w)), w)).toBeLessThan(1e-12 * Math.max(t, 1e-4))
      })
    )
    expect(logSO3(expSO3([0, 0, 0]))).toEqual([0, 0, 0])
  })

  it('log keeps full precision just below π', () => {
    const gap = fc.integer({ min: -9, max: -2 }).map(e => 10 ** e)
    fc.assert(
      fc.property(unitVector, gap, (n, g) => {
        const t = Math.PI - g
        const w: Vec3 = [n[0] * t, n[1] * t, n[2] * t]
        expect(largestDifference(logSO3(expSO3(w)), w)).toBeLessThan(1e-13 * 100)
      }),
      { numRuns: 500 }
    )
  })

  it('exp ∘ log gives the rotation back at π itself, where the axis has two signs', () => {
    fc.assert(
      fc.property(unitVector, n => {
        const r = expSO3([n[0] * Math.PI, n[1] * Math.PI, n[2] * Math.PI])
        expect(largestDifference(expSO3(logSO3(r)), r)).toBeLessThan(1e-13)
        expect(rotationAngle(r)).toBeCloseTo(Math.PI, 13)
      })
    )
    // Exactly symmetric: half turns about the axes.
    for (const r of [
      [1, 0, 0, 0, -1, 0, 0, 0, -1],
      [-1, 0, 0, 0, 1, 0, 0, 0, -1],
      [-1, 0, 0, 0, -1, 0, 0, 0, 1]
    ])
      expect(largestDifference(expSO3(logSO3(r)), r)).toBeLessThan(1e-15)
  })

  it('angle is the length of the rotation vector', () => {
    fc.assert(
      fc.property(unitVector, fc.double({ min: 0, max: Math.PI, noNaN: true }), (n, t) => {
        expect(rotationAngle(expSO3([n[0] * t, n[1] * t, n[2] * t]))).toBeCloseTo(t, 12)
      })
    )
  })
})
