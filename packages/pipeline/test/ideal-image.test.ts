import {
  createPhantom,
  createRandom,
  createWasmRenderer,
  DEGREE,
  type Image,
  PAPER_DETECTOR,
  poseFromView,
  type Vec3
} from '@raypose/core'
import { afterAll, describe, expect, it } from 'vitest'
import { levelFit } from '../src/register/assessment/level-fit.js'
import { idealImage, noiseOfBinned } from '../src/register/ideal-image.js'
import { prepareRefinement } from '../src/register/refinement-volume.js'

const [width, height] = [120, 90]
const random = createRandom(3)
const noise = (sd: number) => Float32Array.from({ length: width * height }, () => sd * random.normal())
const image = (data: Float32Array): Image => ({ width, height, data })

function correlation(a: Float32Array, b: Float32Array): number {
  const mean = (x: Float32Array) => x.reduce((s, v) => s + v, 0) / x.length
  const [ma, mb] = [mean(a), mean(b)]
  let [ab, aa, bb] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    ab += (a[i] - ma) * (b[i] - mb)
    aa += (a[i] - ma) ** 2
    bb += (b[i] - mb) ** 2
  }
  return ab / Math.sqrt(aa * bb)
}

describe('what noise leaves of a perfect fit', () => {
  it.each([0.3, 1, 3])(
    'correlates with the DRR as √(signal / (signal + noise)), noise %d times the signal',
    ratio => {
      const drr = noise(2)
      const contrast = 0.7
      const sd = contrast * 2 * Math.sqrt(ratio)
      // White noise of its own, drawn apart from the stand-in's.
      const own = noise(sd)
      const xray = drr.map((x, i) => contrast * x + own[i])
      const variance = new Float32Array(width * height).fill(sd * sd)
      const ideal = idealImage(image(xray), image(drr), variance)
      expect(correlation(ideal.data, drr)).toBeCloseTo(Math.sqrt(1 / (1 + ratio)), 1)
      expect(correlation(ideal.data, drr)).toBeCloseTo(correlation(xray, drr), 1)
    }
  )

  it('knows the noise of binned pixels', () => {
    const sd = 0.8
    const binned = noiseOfBinned(image(noise(sd)), 2)
    expect(binned).toHaveLength(60 * 45)
    const mean = binned.reduce((s, v) => s + v, 0) / binned.length
    expect(mean / (sd ** 2 / 4)).toBeGreaterThan(0.8)
    expect(mean / (sd ** 2 / 4)).toBeLessThan(1.2)
  })
})

describe('a fit held against what noise would leave of it', () => {
  const phantom = createPhantom({ seed: 73, spacing: 2 })
  const ct = prepareRefinement(phantom.ct)
  const renderer = createWasmRenderer(phantom.ct)
  afterAll(() => {
    ct.dispose()
    renderer.dispose()
  })
  const poseAt = (gamma: number, translation: Vec3) =>
    poseFromView({ alpha: 0, beta: 5 * DEGREE, gamma: gamma * DEGREE, translation }, phantom.isocenter)
  const truth = poseAt(10, [4, 5, -6])
  const wrong = poseAt(-8, [18, 30, 12])
  const clean = renderer.render({ detector: PAPER_DETECTOR, cameraFromLps: truth })
  const level = { pixelMm: 3.2, patch: 24 }
  const fitOf = (sd: number, pose = truth) => {
    const own = createRandom(9)
    const data = clean.data.map(x => x + sd * own.normal())
    return levelFit(
      ct,
      { image: { ...clean, data }, detector: PAPER_DETECTOR },
      pose,
      phantom.isocenter,
      level
    )
  }

  it('is near 1 at the right pose however much noise there is, though the correlation falls', () => {
    const [little, much] = [fitOf(0.05), fitOf(1)]
    expect(little.similarity).toBeGreaterThan(0.9)
    expect(much.similarity).toBeLessThan(0.6)
    for (const fit of [little, much])
      for (const share of [fit.ofIdeal, fit.typicalOfIdeal]) {
        expect(share).toBeGreaterThan(0.85)
        expect(share).toBeLessThan(1.15)
      }
  })

  it('is far below 1 at a wrong pose, with and without noise', () => {
    for (const sd of [0.05, 1]) {
      const fit = fitOf(sd, wrong)
      expect(fit.ofIdeal).toBeLessThan(0.5)
      expect(fit.typicalOfIdeal).toBeLessThan(0.5)
    }
  })
})
