import { describe, expect, it } from 'vitest'
import { det3, mulMat3, orthogonalityError, transpose3, type Vec3 } from '../src/geometry/linear.js'
import { applyRigid, rigid } from '../src/geometry/rigid.js'
import { expSO3 } from '../src/geometry/rotation.js'
import { absoluteOrientation } from '../src/pose/absolute-orientation.js'
import { leastSquares } from '../src/pose/least-squares.js'
import { nearestRotation, svd3 } from '../src/pose/svd3.js'
import { symmetricEigen } from '../src/pose/symmetric-eigen.js'
import { createRandom } from '../src/random/random.js'

describe('symmetricEigen', () => {
  it('has the closed form of the second-difference matrix: 2 − 2·cos(kπ/(n+1))', () => {
    const n = 12
    const a = new Float64Array(n * n)
    for (let i = 0; i < n; i++) {
      a[i * n + i] = 2
      if (i > 0) a[i * n + i - 1] = a[(i - 1) * n + i] = -1
    }
    const { values } = symmetricEigen(a, n)
    values.forEach((v, k) => {
      expect(v).toBeCloseTo(2 - 2 * Math.cos(((k + 1) * Math.PI) / (n + 1)), 13)
    })
  })

  it('returns orthonormal vectors with A·v = λ·v, and the null space of a matrix of low rank', () => {
    const random = createRandom(3)
    const n = 12
    const rows = Array.from({ length: 9 }, () => Array.from({ length: n }, () => random.normal()))
    const a = new Float64Array(n * n)
    for (const r of rows) for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) a[i * n + j] += r[i] * r[j]
    const { values, vectors } = symmetricEigen(a, n)
    for (let k = 0; k < 3; k++) expect(Math.abs(values[k])).toBeLessThan(1e-13)
    for (let k = 0; k < n; k++) {
      const v = vectors.subarray(k * n, k * n + n)
      for (let i = 0; i < n; i++) {
        let av = 0
        for (let j = 0; j < n; j++) av += a[i * n + j] * v[j]
        expect(av).toBeCloseTo(values[k] * v[i], 11)
      }
      for (let l = 0; l <= k; l++) {
        let d = 0
        for (let i = 0; i < n; i++) d += v[i] * vectors[l * n + i]
        expect(d).toBeCloseTo(k === l ? 1 : 0, 12)
      }
    }
  })
})

describe('svd3', () => {
  const random = createRandom(4)
  const cases: [string, number[]][] = [
    ['full rank', Array.from({ length: 9 }, () => random.normal())],
    ['a reflection', [-1, 0, 0, 0, 1, 0, 0, 0, 1]],
    ['rank 2', [1, 2, 3, 2, 4, 6.5, 3, 6, 9.5]],
    ['rank 1', [1, 2, 3, 2, 4, 6, -1, -2, -3]],
    ['zero', new Array(9).fill(0)],
    ['badly scaled', [1e-9, 0, 0, 0, 1, 2e-9, 0, 0, 1e-8]]
  ]
  it.each(cases)('reconstructs %s from orthogonal factors', (_, a) => {
    const { u, s, v } = svd3(a)
    expect(orthogonalityError(u)).toBeLessThan(1e-14)
    expect(orthogonalityError(v)).toBeLessThan(1e-14)
    expect(s[0] >= s[1] && s[1] >= s[2] && s[2] >= 0).toBe(true)
    const back = mulMat3(mulMat3(u, [s[0], 0, 0, 0, s[1], 0, 0, 0, s[2]]), transpose3(v))
    back.forEach((x, i) => {
      expect(x).toBeCloseTo(a[i], 13)
    })
  })

  it('gives the rotation of a polar decomposition, never a reflection', () => {
    const r = expSO3([0.3, -0.8, 0.5])
    const stretch = [2, 0.1, 0, 0.1, 1, 0.2, 0, 0.2, 0.5]
    nearestRotation(mulMat3(r, stretch)).forEach((x, i) => {
      expect(x).toBeCloseTo(r[i], 13)
    })
    expect(det3(nearestRotation([1, 0, 0, 0, 1, 0, 0, 0, -0.3]))).toBeCloseTo(1, 13)
  })
})

describe('absoluteOrientation', () => {
  const truth = rigid(expSO3([1, -2, 0.5]), [10, -20, 700])
  const points: Vec3[] = [
    [0, 0, 0],
    [100, 0, 3],
    [0, 80, -5],
    [-40, 30, 60]
  ]
  it('recovers a rigid transform exactly, also from three points', () => {
    for (const n of [3, 4]) {
      const from = points.slice(0, n)
      const found = absoluteOrientation(
        from,
        from.map(p => applyRigid(truth, p))
      )
      found.forEach((x, i) => {
        expect(x).toBeCloseTo(truth[i], 10)
      })
    }
  })
  it('leaves a point of weight 0 out', () => {
    const to = points.map(p => applyRigid(truth, p))
    to[1] = [1e3, 1e3, 1e3]
    absoluteOrientation(points, to, [1, 0, 1, 1]).forEach((x, i) => {
      expect(x).toBeCloseTo(truth[i], 10)
    })
  })
})

describe('leastSquares', () => {
  it('leaves a residual orthogonal to the columns', () => {
    const random = createRandom(5)
    const [m, n] = [6, 4]
    const a = Float64Array.from({ length: m * n }, () => random.normal())
    const b = Float64Array.from({ length: m }, () => random.normal())
    const x = leastSquares(a.slice(), b.slice(), m, n)!
    for (let c = 0; c < n; c++) {
      let s = 0
      for (let r = 0; r < m; r++) {
        let residual = -b[r]
        for (let k = 0; k < n; k++) residual += a[r * n + k] * x[k]
        s += residual * a[r * n + c]
      }
      expect(s).toBeCloseTo(0, 13)
    }
  })
  it('says so where the columns depend on each other', () => {
    expect(leastSquares(Float64Array.of(1, 2, 2, 4, 3, 6), Float64Array.of(1, 1, 1), 3, 2)).toBeNull()
  })
})
