import { createRequire } from 'node:module'
import { beforeAll, describe, expect, it } from 'vitest'
import { ArgumentError } from '../src/errors.js'
import { createRandom } from '../src/random/random.js'
import { bobyqa } from '../src/registration/bobyqa/bobyqa.js'
import {
  createInterpolationSet,
  exchangeTerms,
  lagrangeFunction,
  leastFrobeniusQuadratic,
  type Quadratic,
  stiffness
} from '../src/registration/bobyqa/interpolation-set.js'
import { minimise, minimiseBatched } from '../src/registration/bobyqa/minimise.js'
import { trustRegionStep } from '../src/registration/bobyqa/trust-region-step.js'

type Objective = (x: ArrayLike<number>) => number

const sum = (n: number, f: (i: number) => number) => {
  let s = 0
  for (let i = 0; i < n; i++) s += f(i)
  return s
}

const sphere: Objective = x => sum(x.length, i => (x[i] - 0.3 * i) ** 2)
const ellipsoid: Objective = x => sum(x.length, i => 10 ** ((3 * i) / (x.length - 1)) * (x[i] - 1) ** 2)
const rosenbrock: Objective = x => sum(x.length - 1, i => 100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2)
const trid: Objective = x => sum(x.length, i => (x[i] - 1) ** 2) - sum(x.length - 1, i => x[i] * x[i + 1])
const powellSingular: Objective = x =>
  sum(Math.floor(x.length / 4), k => {
    const [a, b, c, d] = [x[4 * k], x[4 * k + 1], x[4 * k + 2], x[4 * k + 3]]
    return (a + 10 * b) ** 2 + 5 * (c - d) ** 2 + (b - 2 * c) ** 4 + 10 * (a - d) ** 4
  })
const plane: Objective = x => sum(x.length, i => (i + 1) * x[i])

const quadraticAt = ({ gradient, hessian }: Quadratic, d: ArrayLike<number>) => {
  const n = gradient.length
  let s = 0
  for (let a = 0; a < n; a++) {
    s += gradient[a] * d[a]
    for (let b = 0; b < n; b++) s += 0.5 * d[a] * hessian[a * n + b] * d[b]
  }
  return s
}

describe('interpolation', () => {
  const random = createRandom(1)
  const n = 4
  const points = Array.from({ length: 2 * n + 1 }, () =>
    Float64Array.from({ length: n }, () => 1e-3 * random.normal() + 5)
  )
  const best = 3
  const set = createInterpolationSet(points, best)!

  it('has Lagrange functions that are 1 at their own point and 0 at the others', () => {
    for (let k = 0; k < set.count; k++)
      for (let j = 0; j < set.count; j++) {
        const constant = k === best ? 1 : 0
        expect(constant + quadraticAt(lagrangeFunction(set, k), set.steps[j])).toBeCloseTo(k === j ? 1 : 0, 6)
      }
  })

  it('evaluates them elsewhere, with a partition of unity', () => {
    const step = Float64Array.from({ length: n }, () => 1e-3 * random.normal())
    const { lagrange, beta } = exchangeTerms(set, best, step)
    expect(lagrange.reduce((s, x) => s + x, 0)).toBeCloseTo(1, 8)
    lagrange.forEach((x, k) => {
      expect((k === best ? 1 : 0) + quadraticAt(lagrangeFunction(set, k), step)).toBeCloseTo(x, 6)
    })
    expect(beta).toBeGreaterThan(0)
  })

  it('predicts the determinant of the exchanged system (the denominator of the updating formula)', () => {
    // Replacing point k multiplies the determinant by αβ + ℓk²; seen here through the new stiffness α′ = α / (αβ + ℓk²).
    const step = Float64Array.from({ length: n }, () => 1e-3 * random.normal())
    const { lagrange, beta } = exchangeTerms(set, best, step)
    for (const k of [0, 1, 2, 4, 5, 6, 7, 8]) {
      const moved = points.map((p, i) => (i === k ? p.map((_, a) => points[best][a] + step[a]) : p))
      const denominator = beta * stiffness(set, k) + lagrange[k] ** 2
      const after = stiffness(createInterpolationSet(moved, best)!, k)
      expect((after * denominator) / stiffness(set, k)).toBeCloseTo(1, 4)
    }
  })

  it('reproduces a quadratic from enough points', () => {
    const full = Array.from({ length: ((n + 1) * (n + 2)) / 2 }, () =>
      Float64Array.from({ length: n }, () => random.normal())
    )
    const f = (x: ArrayLike<number>) =>
      sum(n, i => (i + 1) * x[i]) + sum(n - 1, i => x[i] * x[i + 1] + x[i] ** 2)
    const all = createInterpolationSet(full, 0)!
    const q = leastFrobeniusQuadratic(
      all,
      full.map(p => f(p) - f(full[0]))
    )
    for (let a = 0; a < n; a++)
      for (let b = 0; b < n; b++) {
        const expected = a === b ? (a < n - 1 ? 2 : 0) : Math.abs(a - b) === 1 ? 1 : 0
        expect(q.hessian[a * n + b]).toBeCloseTo(expected, 6)
      }
  })

  it('refuses points that coincide', () => {
    expect(createInterpolationSet([...points.slice(0, 8), points[0]], best)).toBeNull()
  })
})

describe('trustRegionStep', () => {
  const random = createRandom(2)
  it('stays in the ball and the bounds, ends exactly on bounds, and is near the best of many random steps', () => {
    for (let trial = 0; trial < 60; trial++) {
      const n = 2 + (trial % 5)
      const gradient = Float64Array.from({ length: n }, () => random.normal())
      const hessian = new Float64Array(n * n)
      for (let a = 0; a < n; a++)
        for (let b = 0; b <= a; b++) hessian[a * n + b] = hessian[b * n + a] = random.normal()
      const low = Float64Array.from({ length: n }, () => (random.chance(0.3) ? 0 : -random.uniform(0.1, 2)))
      const high = Float64Array.from({ length: n }, () => random.uniform(0.1, 2))
      const { step, gradient: end } = trustRegionStep({ gradient, hessian }, low, high, 1)
      expect(Math.hypot(...step)).toBeLessThan(1 + 1e-9)
      for (let i = 0; i < n; i++) {
        expect(step[i]).toBeGreaterThanOrEqual(low[i])
        expect(step[i]).toBeLessThanOrEqual(high[i])
        let g = gradient[i]
        for (let k = 0; k < n; k++) g += hessian[i * n + k] * step[k]
        expect(end[i]).toBeCloseTo(g, 8)
      }
      const reached = quadraticAt({ gradient, hessian }, step)
      let best = 0
      for (let k = 0; k < 3000; k++) {
        const d = Float64Array.from({ length: n }, () => random.normal())
        const r = random.next() ** (1 / n) / Math.hypot(...d)
        const inside = d.map((x, i) => Math.max(low[i], Math.min(high[i], x * r)))
        best = Math.min(best, quadraticAt({ gradient, hessian }, inside))
      }
      // Truncated conjugate gradients promise a good part of the reduction, not the global minimum of an indefinite model.
      expect(reached).toBeLessThan(0)
      expect(reached).toBeLessThan(0.6 * best)
    }
  })
})

describe('bobyqa', () => {
  it('asks for 2n + 1 points at once, then for one at a time, all within the bounds', () => {
    const lower = [-1, 0, -2]
    const upper = [1, 3, 2]
    const run = bobyqa({ start: [0.9, 0, 1], lower, upper, rhoBegin: 0.4, rhoEnd: 1e-5 })
    let asked = run.next()
    const sizes: number[] = []
    while (!asked.done) {
      sizes.push(asked.value.length)
      for (const p of asked.value)
        p.forEach((x, i) => {
          expect(x).toBeGreaterThanOrEqual(lower[i])
          expect(x).toBeLessThanOrEqual(upper[i])
        })
      asked = run.next(asked.value.map(rosenbrock))
    }
    expect(sizes[0]).toBe(7)
    expect(new Set(sizes.slice(1))).toEqual(new Set([1]))
    expect(asked.value.evaluations).toBe(sizes.reduce((s, x) => s + x, 0))
    expect(asked.value.x[0]).toBeCloseTo(1, 3)
  })

  it.each([5, 7, 10])('finds the minimum with %i interpolation points', points => {
    const f: Objective = x => sum(3, i => (i + 1) * (x[i] - 0.2 * i) ** 2) + 0.5 * x[0] * x[2]
    const found = minimise(
      bobyqa({
        start: [1, 1, 1],
        lower: [-2, -2, -2],
        upper: [2, 2, 2],
        rhoBegin: 0.5,
        rhoEnd: 1e-7,
        points
      }),
      f
    )
    // ∂f = 0: 2x0 + x2/2 = 0, x1 = 0.2, 6(x2 − 0.4) + x0/2 = 0.
    const x2 = 2.4 / (6 - 0.125)
    expect(found.x[0]).toBeCloseTo(-x2 / 4, 5)
    expect(found.x[1]).toBeCloseTo(0.2, 5)
    expect(found.x[2]).toBeCloseTo(x2, 5)
  })

  it('ends exactly on active bounds', () => {
    const found = minimise(
      bobyqa({ start: [0, 0, 0], lower: [-1, -1, -1], upper: [1, 2, 3], rhoBegin: 0.4, rhoEnd: 1e-6 }),
      x => x[0] - x[1] + (x[2] - 0.5) ** 2
    )
    expect(Array.from(found.x.slice(0, 2))).toEqual([-1, 2])
    expect(found.x[2]).toBeCloseTo(0.5, 5)
  })

  it('keeps to the limit of evaluations, also within the first batch, and returns the best so far', () => {
    for (const maxEvaluations of [1, 4, 9, 15]) {
      const values: number[] = []
      const found = minimise(
        bobyqa({
          start: [-1, 1, 0, 0.5],
          lower: [-2, -2, -2, -2],
          upper: [2, 2, 2, 2],
          rhoBegin: 0.3,
          rhoEnd: 1e-6,
          maxEvaluations
        }),
        x => {
          values.push(rosenbrock(x))
          return rosenbrock(x)
        }
      )
      expect(values).toHaveLength(maxEvaluations)
      expect(found).toMatchObject({
        reason: 'evaluations',
        evaluations: maxEvaluations,
        value: Math.min(...values)
      })
      expect(rosenbrock(found.x)).toBe(found.value)
    }
  })

  it('gives the same through promises', async () => {
    const options = { start: [-1.2, 1], lower: [-3, -3], upper: [3, 3], rhoBegin: 0.5, rhoEnd: 1e-6 }
    const here = minimise(bobyqa(options), rosenbrock)
    const elsewhere = await minimiseBatched(bobyqa(options), async batch => batch.map(rosenbrock))
    expect(elsewhere).toEqual(here)
  })

  it('ends, without a model, on a constant function', () => {
    const found = minimise(
      bobyqa({
        start: [0, 0],
        lower: [-1, -1],
        upper: [1, 1],
        rhoBegin: 0.2,
        rhoEnd: 1e-3,
        maxEvaluations: 500
      }),
      () => 3
    )
    expect(found.value).toBe(3)
    expect(found.evaluations).toBeLessThan(100)
  })

  it('refuses bad bounds, radii, numbers of points and values that are not numbers', () => {
    const good = { start: [0, 0], lower: [-1, -1], upper: [1, 1], rhoBegin: 0.2, rhoEnd: 1e-3 }
    const attempt = (change: object, f: Objective = sphere) => minimise(bobyqa({ ...good, ...change }), f)
    expect(() => attempt({ upper: [1] })).toThrow(ArgumentError)
    expect(() => attempt({ upper: [1, -0.7] })).toThrow(/Variable 1/)
    expect(() => attempt({ rhoEnd: 0 })).toThrow(ArgumentError)
    expect(() => attempt({ rhoEnd: 1 })).toThrow(ArgumentError)
    expect(() => attempt({ points: 3 })).toThrow(ArgumentError)
    expect(() => attempt({ start: [Number.NaN, 0] })).toThrow(ArgumentError)
    expect(() => attempt({}, () => Number.NaN)).toThrow(/NaN/)
  })
})

describe('bobyqa against NLopt', () => {
  // biome-ignore lint/suspicious/noExplicitAny: nlopt-js has no types; it is an oracle here.
  let nlopt: any
  beforeAll(async () => {
    nlopt = createRequire(import.meta.url)('nlopt-js')
    await nlopt.ready
  })

  // Rosenbrock's function has a second minimum from four variables on.
  const problems: { name: string; f: Objective; low: number; high: number; sizes: number[] }[] = [
    { name: 'sphere', f: sphere, low: -5, high: 5, sizes: [2, 4, 6, 8] },
    { name: 'ellipsoid', f: ellipsoid, low: -5, high: 5, sizes: [2, 4, 6, 8] },
    { name: 'ellipsoid, bounds active', f: ellipsoid, low: 2, high: 6, sizes: [2, 4, 6, 8] },
    { name: 'Rosenbrock', f: rosenbrock, low: -3, high: 3, sizes: [2, 3] },
    { name: 'Rosenbrock, bounds active', f: rosenbrock, low: -0.5, high: 0.5, sizes: [2, 4, 6, 8] },
    { name: 'trid', f: trid, low: -40, high: 40, sizes: [2, 4, 6] },
    { name: 'trid, bounds active', f: trid, low: -2, high: 1.2, sizes: [2, 4, 6, 8] },
    { name: 'Powell singular', f: powellSingular, low: -4, high: 5, sizes: [4] },
    { name: 'Powell singular, bounds active', f: powellSingular, low: 0.1, high: 5, sizes: [4] },
    { name: 'plane', f: plane, low: -1, high: 2, sizes: [2, 4, 6, 8] }
  ]

  it.each(problems)(
    '$name: the same minimum, at most a tenth more evaluations',
    ({ f, low, high, sizes }) => {
      const random = createRandom(7)
      const tolerance = 1e-6
      let ours = 0
      let theirs = 0
      // Ends of long runs depend on rounding: the numbers are compared over a dozen starts.
      for (const n of sizes)
        for (let k = 0; k < 12; k++) {
          const start = Array.from({ length: n }, () => random.uniform(low, high))
          const lower = new Array<number>(n).fill(low)
          const upper = new Array<number>(n).fill(high)
          let reference = Number.POSITIVE_INFINITY
          const optimizer = new nlopt.Optimize(nlopt.Algorithm.LN_BOBYQA, n)
          optimizer.setMinObjective((x: number[]) => {
            theirs++
            const value = f(x)
            reference = Math.min(reference, value)
            return value
          }, tolerance)
          optimizer.setLowerBounds(lower)
          optimizer.setUpperBounds(upper)
          // Where NLopt gives up for rounding errors, nlopt-js throws: the least value seen stands.
          try {
            optimizer.optimize(start)
          } catch {}
          nlopt.GC.flush()
          // NLopt's own first steps, by which it scales the variables.
          const step = start.map(x => {
            let s = 0.25 * (high - low)
            if (high - x < s) s = 0.75 * (high - x)
            if (x - low < s) s = 0.75 * (x - low)
            return s
          })
          const scaled = (x: number[]) => x.map((v, i) => v / step[i])
          const found = minimise(
            bobyqa({
              start: scaled(start),
              lower: scaled(lower),
              upper: scaled(upper),
              rhoBegin: 1,
              rhoEnd: tolerance
            }),
            x => f(Array.from(x, (v, i) => v * step[i]))
          )
          ours += found.evaluations
          const range = Math.abs(f(start) - reference)
          expect(Math.abs(found.value - reference)).toBeLessThan(1e-6 * range + 1e-10)
        }
      expect(ours).toBeLessThanOrEqual(1.1 * theirs)
    }
  )
})
