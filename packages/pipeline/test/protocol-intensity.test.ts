import {
  createPhantom,
  createRandom,
  createReferenceRenderer,
  type Detector,
  type Image,
  PAPER_DETECTOR,
  poseErrors,
  poseFromView,
  type Volume
} from '@raypose/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { differentiable } from '../src/protocol/differentiable.js'
import { registerByIntensity } from '../src/protocol/intensity.js'
import type { IntensityMethod } from '../src/protocol/schema.js'
import { givenStart } from '../src/protocol/starts.js'
import { prepareRefinement, type RefinementVolume } from '../src/register/refinement-volume.js'

const phantom = createPhantom({ seed: 4, spacing: 4, size: [82, 61, 72] })
const detector: Detector = {
  ...PAPER_DETECTOR,
  pixel: [6.4, 6.4],
  size: [60, 48],
  principalPoint: [29.5, 23.5]
}
const truth = poseFromView({ alpha: 0.05, beta: 0, gamma: 0.3, translation: [0, 0, 10] }, phantom.isocenter)
const start = givenStart(
  { kind: 'displaced', treMm: 20 },
  {
    detector,
    truth,
    isocenter: phantom.isocenter,
    sourceToIsocenter: 700,
    targets: phantom.landmarks,
    random: createRandom(5)
  }
)

let ct: RefinementVolume
let image: Image
beforeAll(() => {
  ct = prepareRefinement(phantom.ct as Volume<Int16Array>)
  // By the plain renderer: another than those that register.
  const renderer = createReferenceRenderer(phantom.ct)
  image = renderer.render({ detector, cameraFromLps: truth })
  renderer.dispose()
})
afterAll(() => ct.dispose())

const errorOf = (pose: Parameters<typeof poseErrors>[1]) =>
  poseErrors(detector, pose, truth, phantom.landmarks).projectionDistance

describe('every optimiser and similarity of a protocol', () => {
  const levels: IntensityMethod['levels'] = [
    { pixelMm: 6.4, rotationDeg: 8, inPlaneMm: 20, depthMm: 60, maxEvaluations: 900, rhoEnd: 0.001 }
  ]
  it.each([
    ['bobyqa', 'ncc'],
    ['bobyqa', 'lncc'],
    ['bobyqa', 'gncc'],
    ['bobyqa', 'pgncc'],
    ['bobyqa', 'mi'],
    ['gauss-newton', 'ncc'],
    ['gauss-newton', 'lncc'],
    ['gauss-newton', 'gncc'],
    ['gauss-newton', 'pgncc'],
    ['cma-es', 'ncc']
  ] as const)('%s on %s finds the pose of a coarse X-ray', (optimiser, similarity) => {
    const pose = registerByIntensity(
      ct,
      { image, detector, start, centre: phantom.isocenter },
      { kind: 'intensity', optimiser, similarity, levels }
    )
    // Pixels of 6.4 mm, and voxels as coarse for those with derivatives: a fifth of a pixel, from one off.
    expect(errorOf(start)).toBeGreaterThan(5)
    expect(errorOf(pose)).toBeLessThan(1.28)
  })

  it('goes down the default pyramid, on detectors smaller than its patches too', () => {
    for (const optimiser of ['bobyqa', 'gauss-newton'] as const) {
      const pose = registerByIntensity(
        ct,
        { image, detector, start, centre: phantom.isocenter },
        { kind: 'intensity', optimiser }
      )
      expect(errorOf(pose)).toBeLessThan(0.64)
    }
    const small: Image = { width: 12, height: 10, data: Float32Array.from({ length: 120 }, (_, i) => i % 7) }
    expect(differentiable('pgncc')(small)(small)).toBeCloseTo(1, 1)
  })
})
