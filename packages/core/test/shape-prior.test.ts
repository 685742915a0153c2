import { describe, expect, it } from 'vitest'
import { distance, type Vec3 } from '../src/geometry/linear.js'
import { applyRigid, rigid } from '../src/geometry/rigid.js'
import { expSO3 } from '../src/geometry/rotation.js'
import { fitShapePrior, fittedCentre } from '../src/landmarks/shape-prior.js'
import { pelvisLandmarkPrior, pelvisShape } from '../src/phantom/shape-model.js'
import { createRandom } from '../src/random/random.js'

const prior = pelvisLandmarkPrior()
const move = rigid(expSO3([0.2, -0.1, 0.3]), [30, -200, 1100])

/** Landmarks of a shape within the model, moved, with noise of `sigma` mm. */
function found(seed: number, sigma: number): { truth: Vec3[]; points: Vec3[] } {
  const random = createRandom(seed)
  const truth = pelvisShape([1, -0.8, 0.5, 0, 1.2]).landmarks.map(p => applyRigid(move, p))
  return { truth, points: truth.map(p => p.map(x => x + sigma * random.normal()) as unknown as Vec3) }
}

describe('shape prior', () => {
  it('finds the shape and its place from exact points', () => {
    const { truth } = found(1, 0)
    const fit = fitShapePrior(prior, truth)!
    // The prior pulls the shape a little towards the mean.
    expect(Math.max(...fit.residuals)).toBeLessThan(3)
    expect(distance(fittedCentre(fit), fittedCentre({ ...fit, landmarks: truth }))).toBeLessThan(0.5)
  })

  it('names wrong points, and places them and missing ones near the truth', () => {
    const { truth, points } = found(2, 2)
    const given: (Vec3 | null)[] = [...points]
    given[20] = null
    given[21] = null
    given[0] = [points[0][0] + 60, points[0][1], points[0][2] - 40]
    const fit = fitShapePrior(prior, given)!
    expect(fit.residuals[0]).toBeGreaterThan(40)
    expect(fit.residuals.filter((r, i) => i > 0 && Number.isFinite(r) && r > 10)).toEqual([])
    for (const i of [0, 20, 21]) expect(distance(fit.landmarks[i], truth[i])).toBeLessThan(15)
    expect(fit.residuals[20]).toBeNaN()
  })

  it('asks for four points', () => {
    const few: (Vec3 | null)[] = prior.mean.map((p, i) => (i < 3 ? p : null))
    expect(fitShapePrior(prior, few)).toBeNull()
  })
})
