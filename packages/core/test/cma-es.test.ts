import { describe, expect, it } from 'vitest'
import { ArgumentError } from '../src/errors.js'
import { type CmaEsOptions, cmaEs } from '../src/registration/cma-es.js'

type Objective = (x: ArrayLike<number>) => number
const sum = (x: ArrayLike<number>, f: (v: number, i: number) => number) =>
  Array.from(x).reduce((s, v, i) => s + f(v, i), 0)

const sphere: Objective = x => sum(x, (v, i) => (v - 0.3 * i) ** 2)
const ellipsoid: Objective = x => sum(x, (v, i) => 10 ** ((6 * i) / (x.length - 1)) * (v - 1) ** 2)
const rosenbrock: Objective = x =>
  sum(Array.from(x).slice(1), (v, i) => 100 * (v - x[i] ** 2) ** 2 + (1 - x[i]) ** 2)
const rastrigin: Objective = x => 10 * x.length + sum(x, v => v * v - 10 * Math.cos(2 * Math.PI * v))

const run = (f: Objective, options: CmaEsOptions) => {
  const search = cmaEs(options)
  let asked = search.next()
  while (!asked.done) asked = search.next(asked.value.map(f))
  return asked.value
}
const six = (v: number) => new Float64Array(6).fill(v)

describe('cmaEs', () => {
  it.each([
    ['sphere', sphere, six(3), 1, 3000, (i: number) => 0.3 * i],
    ['ellipsoid', ellipsoid, six(3), 1, 8000, () => 1],
    ['Rosenbrock', rosenbrock, six(0), 0.5, 12000, () => 1]
  ] as const)('finds the minimum of the %s function', (_, f, start, sigma, most, optimum) => {
    const found = run(f, { start, sigma, precision: 1e-8, maxEvaluations: 20000 })
    expect(found.reason).toBe('converged')
    expect(found.evaluations).toBeLessThan(most)
    found.x.forEach((v, i) => {
      expect(v).toBeCloseTo(optimum(i), 4)
    })
  })
  // Hansen & Kern (PPSN 2004): the chance to do so rises with the population, to nearly 1 at some hundreds.
  it('finds the lowest of the many minima of Rastrigin with a large population', () => {
    const found = run(rastrigin, { start: six(2.2), sigma: 2, population: 400, maxEvaluations: 100000 })
    expect(found.value).toBeLessThan(1e-6)
  })
  it('stays within bounds, and finds an optimum on them', () => {
    const lower = six(-1)
    const upper = six(0.5)
    const search = cmaEs({ start: six(0), sigma: 0.3, lower, upper, precision: 1e-7 })
    const f: Objective = x => sum(x, v => (v - 2) ** 2)
    let asked = search.next()
    while (!asked.done) {
      for (const x of asked.value) for (const v of x) expect(v >= -1 && v <= 0.5).toBe(true)
      asked = search.next(asked.value.map(f))
    }
    for (const v of asked.value.x) expect(v).toBeCloseTo(0.5, 5)
  })
  it('gives the same for the same seed, and keeps to its evaluations', () => {
    const options = { start: six(1), sigma: 1, maxEvaluations: 100, seed: 5 }
    expect(run(sphere, options)).toEqual(run(sphere, options))
    expect(run(sphere, options).evaluations).toBeLessThanOrEqual(100)
    expect(run(sphere, options).reason).toBe('evaluations')
  })
  it('refuses what it cannot search', () => {
    expect(() => run(sphere, { start: six(0), sigma: 0 })).toThrow(ArgumentError)
    expect(() => run(sphere, { start: six(0), sigma: 1, lower: [0] })).toThrow(ArgumentError)
    expect(() => run(() => Number.NaN, { start: six(0), sigma: 1 })).toThrow(ArgumentError)
  })
})
