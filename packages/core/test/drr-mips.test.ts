import { describe, expect, test } from 'vitest'
import { createReferenceRenderer } from '../src/drr/reference-renderer.js'
import { createWasmRenderer } from '../src/drr/wasm-renderer.js'
import { prepareWasmVolume } from '../src/drr/wasm-volume.js'
import { binnedDetector, type Camera, type Detector, PAPER_DETECTOR } from '../src/geometry/camera.js'
import { DEGREE } from '../src/geometry/rotation.js'
import { poseFromView } from '../src/geometry/view.js'
import { binImage } from '../src/image/image.js'
import { anatomicalVolume, relativeRms } from './drr-volumes.js'

const volume = anatomicalVolume([200, 160, 151], [1.6, 1.6, 1.7], 33)
const camera = (detector: Detector, [alpha, beta, gamma]: readonly number[]): Camera => ({
  detector,
  cameraFromLps: poseFromView(
    { alpha: alpha * DEGREE, beta: beta * DEGREE, gamma: gamma * DEGREE, translation: [3, -4, 5] },
    [0, 0, 0]
  )
})
/** The paper's detector at half its resolution: 3.2 mm, 1.87 mm at the isocentre. */
const FINE = binnedDetector(PAPER_DETECTOR, 2)

describe.each(['fine', 'fast', 'draft'] as const)('levels of detail, %s', quality => {
  const prepared = prepareWasmVolume(volume, { quality, mips: 2, slots: 4 })
  const reference = createReferenceRenderer(volume)

  test.each([
    ['AP', [0, 0, 0]],
    ['oblique', [12, 5, 30]],
    ['cranial', [65, 0, 10]]
  ])('coarse pixels show the mean over their areas: %s', (_, angles) => {
    const renderer = createWasmRenderer(prepared, { pixelMm: 'auto' })
    const expected = reference.render(camera(FINE, angles))
    for (const factor of [2, 4]) {
      const image = renderer.render(camera(binnedDetector(FINE, factor), angles))
      const mean = binImage(expected, factor)
      // A level is smoothed by its own voxels, not by exactly a pixel's area.
      expect(relativeRms(image.data, mean.data)).toBeLessThan(0.02)
    }
    renderer.dispose()
  })

  test('pixels no larger than the voxels show the voxels', () => {
    const [plain, auto, fixed] = [{}, { pixelMm: 'auto' } as const, { pixelMm: 1.7 }].map(o =>
      createWasmRenderer(prepared, o)
    )
    const cam = camera(FINE, [5, 0, 20])
    expect(auto.render(cam).data).toEqual(plain.render(cam).data)
    expect(fixed.render(cam).data).toEqual(plain.render(cam).data)
    for (const r of [plain, auto, fixed]) r.dispose()
  })

  test('no matter is lost', () => {
    // Of a volume that is cut off on all sides, too: the sum over a detector that sees all of it, level by level.
    const cut = { ...volume, size: [61, 50, 45] as const, data: new Float32Array(61 * 50 * 45) }
    const box = { ...cut, data: Float32Array.from(cut.data, () => 0.01) }
    const detector = binnedDetector(
      { ...PAPER_DETECTOR, pixel: [0.8, 0.8], size: [480, 480], principalPoint: [239.5, 239.5] },
      2
    )
    const small = prepareWasmVolume(
      { ...box, origin: [-30 * 1.6, -24.5 * 1.6, -22 * 1.7] },
      { quality, convert: 'linear', mips: 2, slots: 3 }
    )
    const sums = [0, 3.3, 6.6].map(pixelMm =>
      createWasmRenderer(small, { pixelMm })
        .render(camera(detector, [12, 5, 30]))
        .data.reduce((s, x) => s + x, 0)
    )
    for (const sum of sums) expect(Math.abs(sum / sums[0] - 1)).toBeLessThan(0.01)
  })
})
