import { afterAll, describe, expect, it } from 'vitest'
import { createWasmRenderer } from '../src/drr/wasm-renderer.js'
import { PAPER_DETECTOR } from '../src/geometry/camera.js'
import type { Mat4 } from '../src/geometry/linear.js'
import { DEGREE } from '../src/geometry/rotation.js'
import { poseFromView } from '../src/geometry/view.js'
import type { Image } from '../src/image/image.js'
import { createPhantom } from '../src/phantom/phantom.js'
import { registerViews, VIEWS_LEVELS } from '../src/registration/register-views.js'
import {
  type DifferentiableSimilarityFactory,
  patchCorrelation
} from '../src/registration/similarity/patch-correlation.js'

const DETECTOR = PAPER_DETECTOR
const phantom = createPhantom({ seed: 5, spacing: 2.5 })
const renderer = createWasmRenderer(phantom.ct, { mips: 2 })
afterAll(() => renderer.dispose())
const centre = phantom.isocenter
const poseAt = (gamma: number, x = 0): Mat4 =>
  poseFromView({ alpha: 0, beta: 0, gamma: gamma * DEGREE, translation: [x, 0, 0] }, centre)
const truth = poseAt(10)
const image = renderer.render({ detector: DETECTOR, cameraFromLps: truth })

/** The left part of the picture, of whole patches' width. */
const left = (width: number, columns: number, height: number): Image => ({
  width: columns,
  height,
  data: Float32Array.from({ length: columns * height }, (_, i) => Number(i % columns < width))
})

/** One patch, so that what is left of the picture correlates as the whole does. */
const whole =
  (outlier: number): DifferentiableSimilarityFactory =>
  (fixed, options) =>
    patchCorrelation(fixed, { ...options, patch: Number.POSITIVE_INFINITY, outlier })

const similarityAt = (pose: Mat4, share: number, outlier: number, uncompared?: number) =>
  registerViews({
    views: [{ image, detector: DETECTOR }],
    starts: [pose],
    centre,
    renderer,
    coverage: ({ detector: { size } }) => left(Math.round(share * size[0]), size[0], size[1]),
    levels: [{ ...VIEWS_LEVELS[3], similarity: whole(outlier), maxEvaluations: 1, uncompared }]
  }).similarityAfter

describe('what a similarity counts by how much can be compared', () => {
  it('is all where everything can, and at the true pose falls as a twentieth of the picture, of no similarity, is added', () => {
    const all = similarityAt(truth, 1, Number.POSITIVE_INFINITY)
    expect(all).toBeGreaterThan(0.97)
    for (const share of [0.5, 0.25, 0.05])
      expect(similarityAt(truth, share, Number.POSITIVE_INFINITY)).toBeCloseTo(
        (all * 1.05 * share) / (share + 0.05),
        3
      )
  })

  it('falls further where more is added', () => {
    const all = similarityAt(truth, 1, Number.POSITIVE_INFINITY, 0.4)
    expect(all).toBeGreaterThan(0.97)
    for (const share of [0.5, 0.1])
      expect(similarityAt(truth, share, Number.POSITIVE_INFINITY, 0.4)).toBeCloseTo(
        (all * 1.4 * share) / (share + 0.4),
        3
      )
  })

  it('falls towards the value that nothing has, where outliers count less', () => {
    const nothing = 1 - 1 / (1 + 1 / 0.3)
    const all = similarityAt(truth, 1, 0.3)
    expect(similarityAt(truth, 0.05, 0.3)).toBeCloseTo(nothing + (all - nothing) * 0.525, 3)
    expect(similarityAt(truth, 0, 0.3)).toBeCloseTo(nothing, 12)
  })

  it('lets no pose win that leaves a sliver to compare, be that as alike as it may', () => {
    const isTruth = (m: Mat4) => Math.abs(m[0] - truth[0]) < 1e-6
    const sliver = ({
      detector: { size },
      cameraFromLps
    }: {
      detector: typeof DETECTOR
      cameraFromLps: Mat4
    }) => left(isTruth(cameraFromLps) ? 0.04 * size[0] : size[0], size[0], size[1])
    const { levels } = registerViews({
      views: [{ image, detector: DETECTOR }],
      starts: [truth, poseAt(10.4, 0.5)],
      centre,
      renderer,
      coverage: sliver,
      levels: [{ ...VIEWS_LEVELS[2], maxEvaluations: 1 }]
    })
    const [best, other] = levels[0].candidates
    expect(isTruth(best.cameraFromLps)).toBe(false)
    expect(isTruth(other.cameraFromLps)).toBe(true)
    expect(best.similarity).toBeGreaterThan(other.similarity)
  })
})

describe('the value where nothing is alike', () => {
  it('is what images have that do not correlate', () => {
    const size = 24
    const wave = (of: (x: number) => number): Image => ({
      width: size,
      height: size,
      data: Float32Array.from({ length: size * size }, (_, i) => of((2 * Math.PI * ((i % size) + 0.5)) / 12))
    })
    for (const outlier of [0.3, 1, Number.POSITIVE_INFINITY]) {
      const measure = patchCorrelation(wave(Math.cos), { of: 'value', patch: 12, outlier })
      expect(measure(wave(Math.sin))).toBeCloseTo(measure.nothing!, 6)
    }
  })
})
