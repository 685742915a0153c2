import { describe, expect, test } from 'vitest'
import { MU_WATER } from '../src/drr/attenuation.js'
import { createReferenceRenderer } from '../src/drr/reference-renderer.js'
import { createWasmRenderer } from '../src/drr/wasm-renderer.js'
import { ArgumentError } from '../src/errors.js'
import { binnedDetector, type Camera, PAPER_DETECTOR } from '../src/geometry/camera.js'
import { DEGREE } from '../src/geometry/rotation.js'
import { poseFromView } from '../src/geometry/view.js'
import { anatomicalVolume, relativeRms } from './drr-volumes.js'

const volume = anatomicalVolume([80, 70, 60], [4, 4, 4.4], 17)
/** 0 air and gas, 1 soft tissue, 2 bone on the left, 3 bone on the right. */
const labels = Uint8Array.from(volume.data, (hu, n) => (hu < -300 ? 0 : hu < 200 ? 1 : n % 80 < 40 ? 3 : 2))
const camera: Camera = {
  detector: binnedDetector(PAPER_DETECTOR, 2),
  cameraFromLps: poseFromView(
    { alpha: 10 * DEGREE, beta: 5 * DEGREE, gamma: 25 * DEGREE, translation: [0, 0, 0] },
    [0, 0, 0]
  )
}
/** The labels' attenuation put into the voxels, by other means. */
const weighted = (weights: readonly number[]) => ({
  ...volume,
  data: Float32Array.from(
    volume.data,
    (hu, n) => weights[labels[n]] * Math.max(0, MU_WATER * (1 + hu / 1000))
  )
})

describe.each([
  { name: 'reference', create: createReferenceRenderer, tolerance: 1e-6 },
  { name: 'wasm', create: createWasmRenderer, tolerance: 1e-4 }
])('labels, $name', ({ create, tolerance }) => {
  const image = (options: Parameters<typeof create>[1]) => create(volume, options).render(camera).data
  const plain = (weights: readonly number[]) =>
    create(weighted(weights), { convert: 'linear' }).render(camera).data

  test('a mask leaves out what it does not hold', () => {
    const mask = labels.map(l => (l >= 2 ? 1 : 0))
    expect(relativeRms(image({ labels: mask }), plain([0, 0, 1, 1]))).toBeLessThan(tolerance)
  })

  test('weights by label, in one pass', () => {
    const labelWeights = [1, 0.3, 2, 0]
    expect(relativeRms(image({ labels, labelWeights }), plain(labelWeights))).toBeLessThan(tolerance)
    // Labels that have no weight count nothing.
    expect(relativeRms(image({ labels, labelWeights: [0, 0, 1] }), plain([0, 0, 1, 0]))).toBeLessThan(
      tolerance
    )
  })

  test('parts add up to the whole', () => {
    const sum = image({ labels, labelWeights: [1] })
    for (const part of [
      [0, 1],
      [0, 0, 1],
      [0, 0, 0, 1]
    ]) {
      const one = image({ labels, labelWeights: part })
      sum.forEach((x, n) => {
        sum[n] = x + one[n]
      })
    }
    // Interpolation is linear, but for the cubic's undershoots, which are clipped in each part.
    expect(relativeRms(sum, image({}))).toBeLessThan(tolerance === 1e-6 ? 1e-6 : 0.003)
  })

  test('an empty mask shows nothing', () => {
    expect(Math.max(...image({ labels: new Uint8Array(labels.length) }))).toBe(0)
  })

  test('labels that do not fit are refused', () => {
    expect(() => create(volume, { labels: new Uint8Array(5) })).toThrow(ArgumentError)
    expect(() => create(volume, { labels, labelWeights: [0, -1] })).toThrow(ArgumentError)
    expect(() => create(volume, { labels, labelWeights: [0, Number.NaN] })).toThrow(ArgumentError)
  })
})
