import { describe, expect, it } from 'vitest'
import { ArgumentError } from '../src/errors.js'
import { DEGREE } from '../src/geometry/rotation.js'
import { type ValidatedDetection, viewWeights, weightsForView } from '../src/landmarks/view-weights.js'

const range = { alpha: [-30 * DEGREE, 30 * DEGREE], gamma: [-45 * DEGREE, 45 * DEGREE] } as const
const view = (alphaDeg: number, gammaDeg: number) => ({ alpha: alphaDeg * DEGREE, gamma: gammaDeg * DEGREE })
/** `n` detections with the same error in a view. */
const many = (n: number, landmark: number, errorMm: number, v = view(0, 0)): ValidatedDetection[] =>
  Array.from({ length: n }, () => ({ view: v, landmark, errorMm }))

describe('weights from validation errors', () => {
  it('are the inverse mean square with a floor, where there are no regions and nothing to draw towards', () => {
    const { overall, byView } = viewWeights([...many(10, 0, 1), ...many(10, 1, 3)], 2, range, {
      regions: [1, 1],
      priorCount: 0
    })
    // (1 + 1) / (9 + 1)
    expect(overall[0]).toBeCloseTo(1, 12)
    expect(overall[1]).toBeCloseTo(0.2, 12)
    expect(byView.weights).toEqual([overall])
  })

  it('differ between regions as the errors do, and are taken from the nearest region beyond the range', () => {
    const sideways = view(0, 40)
    const { byView } = viewWeights(
      [...many(5, 0, 1), ...many(5, 0, 3, sideways), ...many(5, 1, 2), ...many(5, 1, 2, sideways)],
      2,
      range,
      { priorCount: 0.001 }
    )
    expect(byView.gamma.map(g => g / DEGREE)).toEqual([expect.closeTo(-15, 9), expect.closeTo(15, 9)])
    expect(weightsForView(byView, view(0, 0))[0]).toBeCloseTo(1, 2)
    expect(weightsForView(byView, view(5, 30))[0]).toBeCloseTo(0.2, 2)
    expect(weightsForView(byView, view(0, 80))).toEqual(weightsForView(byView, view(0, 40)))
    expect(weightsForView(byView, view(0, 0))[1]).toBeCloseTo(weightsForView(byView, view(0, 40))[1], 2)
  })

  it('of a region or a landmark without detections are those of what is above it', () => {
    const { overall, byView } = viewWeights(many(1000, 0, 2), 2, range, { priorCount: 6 })
    // Nobody saw landmark 1: it counts as the mean of all.
    expect(overall[1]).toBeCloseTo(overall[0], 9)
    expect(weightsForView(byView, view(-25, -40))[0]).toBeCloseTo(overall[0], 9)
  })

  it('count an outlier no more than the ceiling, and a NaN as one', () => {
    const clean = viewWeights([...many(5, 0, 1), ...many(5, 1, 15)], 2, range, { regions: [1, 1] })
    const wild = viewWeights([...many(5, 0, 1), ...many(4, 1, 400), ...many(1, 1, Number.NaN)], 2, range, {
      regions: [1, 1]
    })
    expect(wild.overall).toEqual(clean.overall)
  })

  it('ask for whole positive numbers of regions', () => {
    expect(() => viewWeights([], 2, range, { regions: [0, 3] })).toThrow(ArgumentError)
    expect(() => viewWeights([], 2, range, { regions: [2.5, 3] })).toThrow(ArgumentError)
  })
})
