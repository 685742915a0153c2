import { expect, it } from 'vitest'
import { distance, type Vec3 } from '../src/geometry/linear.js'
import { localisedPrior } from '../src/landmarks/localised-prior.js'
import type { ShapePrior } from '../src/landmarks/shape-prior.js'
import { pelvisLandmarkPrior } from '../src/phantom/shape-model.js'
import { createRandom } from '../src/random/random.js'

/** Covariance of landmarks i and j by the modes, mm². */
const covariance = (modes: ShapePrior['modes'], i: number, j: number) =>
  [0, 1, 2].map(a => [0, 1, 2].map(b => modes.reduce((s, m) => s + m[i][a] * m[j][b], 0)))
const trace = (c: number[][]) => c[0][0] + c[1][1] + c[2][2]
const norm = (c: number[][]) => Math.hypot(...c.flat())

it('keeps each landmark’s own variety, and loosens it from landmarks far away more than from near ones', () => {
  const prior = pelvisLandmarkPrior()
  const local = localisedPrior(prior)
  expect(local.prior.mean).toEqual(prior.mean)
  const own: number[] = []
  const changes: { d: number; kept: number }[] = []
  prior.mean.forEach((p, i) => {
    const before = trace(covariance(prior.modes, i, i))
    const after = trace(covariance(local.prior.modes, i, i)) + 3 * local.scatterMm[i] ** 2
    own.push(after - before)
    prior.mean.forEach((q, j) => {
      if (j <= i) return
      const [a, b] = [covariance(prior.modes, i, j), covariance(local.prior.modes, i, j)]
      if (norm(a) > 15) changes.push({ d: distance(p, q), kept: norm(b) / norm(a) })
    })
  })
  // The same addition for every landmark: the smooth displacement of 1.5 mm and the 1 mm of each alone, along three axes.
  for (const x of own) expect(x).toBeCloseTo(own[0], 6)
  expect(own[0] / 3).toBeCloseTo(1.5 ** 2 + 1, 0)
  const meanKept = (from: number, to: number) => {
    const some = changes.filter(c => c.d >= from && c.d < to).map(c => c.kept)
    expect(some.length).toBeGreaterThan(5)
    return some.reduce((a, b) => a + b) / some.length
  }
  expect(meanKept(0, 50)).toBeGreaterThan(0.85)
  expect(meanKept(180, 400)).toBeCloseTo(0.6, 1)
})

it('foretells a shape of parts that vary by themselves better than the modes do that were seen together', () => {
  // Two ends, 200 mm apart, whose sizes have nothing to do with each other; a model of few patients believes that they had.
  const ends = [0, 200]
  const mean: Vec3[] = ends.flatMap(x => [0, 10, 20].map((y): Vec3 => [x, y, 5 * y]))
  const random = createRandom(3)
  const patients = Array.from({ length: 5 }, () => {
    const moved = ends.map(() => 6 * random.normal())
    return mean.map(p => (p[0] === 0 ? moved[0] : moved[1]))
  })
  const modes = patients.map(q => q.map((z): Vec3 => [0, 0, z / Math.sqrt(patients.length)]))
  const { prior, scatterMm } = localisedPrior({ mean, modes })
  const correlation = (c: (i: number, j: number) => number) => c(0, 3) / Math.sqrt(c(0, 0) * c(3, 3))
  const zz = (of: ShapePrior['modes']) => (i: number, j: number) => covariance(of, i, j)[2][2]
  const believed = Math.abs(correlation(zz(modes)))
  const left = Math.abs(correlation((i, j) => zz(prior.modes)(i, j) + (i === j ? scatterMm[i] ** 2 : 0)))
  expect(believed).toBeGreaterThan(0.1)
  expect(left).toBeLessThan(0.85 * believed)
  // Landmarks of one end stay together.
  expect(zz(prior.modes)(0, 1) / zz(modes)(0, 1)).toBeGreaterThan(0.9)
})
