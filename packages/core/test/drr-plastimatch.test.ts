import { describe, expect, test } from 'vitest'
import { MU_WATER } from '../src/drr/attenuation.js'
import { createReferenceRenderer } from '../src/drr/reference-renderer.js'
import { createWasmRenderer } from '../src/drr/wasm-renderer.js'
import { binnedDetector, type Camera, PAPER_DETECTOR } from '../src/geometry/camera.js'
import type { Vec3 } from '../src/geometry/linear.js'
import { DEGREE } from '../src/geometry/rotation.js'
import { poseFromView } from '../src/geometry/view.js'
import { createRandom } from '../src/random/random.js'
import { gridCentre, type Volume } from '../src/volume/volume.js'
import { relativeRms, sampledVolume } from './drr-volumes.js'
import { hasPlastimatch, plastimatchDrr } from './plastimatch.js'
import { hasRealCt, readRealCt } from './real-ct.js'

const VIEWS: readonly (readonly [string, number, number, number])[] = [
  ['AP', 0, 0, 0],
  ['lateral', 0, 0, 90],
  ['oblique 1', 12, 5, 30],
  ['oblique 2', -20, 10, -40],
  ['oblique 3', 5, -8, 60]
]

const camerasAt = (isocenter: Vec3, detector = PAPER_DETECTOR): Camera[] =>
  VIEWS.map(([, alpha, beta, gamma]) => ({
    detector,
    cameraFromLps: poseFromView(
      { alpha: alpha * DEGREE, beta: beta * DEGREE, gamma: gamma * DEGREE, translation: [6, -4, 9] },
      isocenter
    )
  }))

const attenuation = (v: Volume): Volume<Float32Array> => ({
  ...v,
  data: Float32Array.from(v.data, hu => Math.max(0, MU_WATER * (1 + hu / 1000)))
})

/** Says the figure of each view, because it is worth reading when it changes. */
function compare(
  name: string,
  image: (n: number) => Float32Array,
  expected: readonly Float32Array[]
): number[] {
  const errors = expected.map((e, n) => relativeRms(image(n), e))
  const list = VIEWS.map(([view], n) => `${view} ${(100 * errors[n]).toFixed(3)} %`)
  console.info(`${name} against plastimatch exact: ${list.join(', ')}`)
  return errors
}

describe.skipIf(!hasPlastimatch)('against plastimatch (skipped where it is not installed)', () => {
  test('a synthetic volume', () => {
    // Smooth at the scale of its voxels, because plastimatch's are boxes of constant value and ours are trilinear: a ray
    // that follows a row of boxes is half a voxel off their centres all along.
    const random = createRandom(31)
    const blobs = Array.from({ length: 8 }, () => ({
      c: [random.uniform(-40, 40), random.uniform(-40, 40), random.uniform(-40, 40)],
      s: random.uniform(10, 25),
      h: random.uniform(0.005, 0.05)
    }))
    const volume = sampledVolume([200, 190, 180], [1, 1, 1.1], (x, y, z) =>
      blobs.reduce(
        (sum, { c, s, h }) =>
          sum + h * Math.exp(-((x - c[0]) ** 2 + (y - c[1]) ** 2 + (z - c[2]) ** 2) / (2 * s * s)),
        0
      )
    )
    const cameras = camerasAt([0, 0, 0], { ...binnedDetector(PAPER_DETECTOR, 2), principalPoint: [64, 41] })
    const expected = plastimatchDrr(volume, cameras)
    const reference = createReferenceRenderer(volume, { convert: 'linear' })
    const wasm = createWasmRenderer(volume, { convert: 'linear' })
    for (const e of compare('reference', n => reference.render(cameras[n]).data, expected))
      expect(e).toBeLessThan(0.005)
    for (const e of compare('wasm', n => wasm.render(cameras[n]).data, expected))
      expect(e).toBeLessThan(0.005)
  })

  test.skipIf(!hasRealCt)('a real CT (skipped where it is absent)', () => {
    const volume = readRealCt()
    const cameras = camerasAt(gridCentre(volume))
    const expected = plastimatchDrr(attenuation(volume), cameras)
    const wasm = createWasmRenderer(volume)
    for (const e of compare('wasm', n => wasm.render(cameras[n]).data, expected))
      expect(e).toBeLessThan(0.005)
  })
})
