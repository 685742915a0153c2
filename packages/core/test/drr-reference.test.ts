import { describe, expect, test } from 'vitest'
import { MU_WATER } from '../src/drr/attenuation.js'
import { createReferenceRenderer } from '../src/drr/reference-renderer.js'
import { createWasmRenderer } from '../src/drr/wasm-renderer.js'
import { ArgumentError, BackendError } from '../src/errors.js'
import { type Camera, centredDetector, rayThrough } from '../src/geometry/camera.js'
import type { Vec3 } from '../src/geometry/linear.js'
import { poseFromView } from '../src/geometry/view.js'
import { relativeRms, sampledVolume } from './drr-volumes.js'

const camera = (alpha: number, beta: number, gamma: number): Camera => ({
  detector: centredDetector(1200, [15, 15], [24, 18]),
  cameraFromLps: poseFromView({ alpha, beta, gamma, translation: [3, -4, 5] }, [0, 0, 0])
})

/** Length of a ray from s along the unit direction d inside the box from `low` to `high`. */
function chord(s: Vec3, d: Vec3, low: Vec3, high: Vec3): number {
  let from = 0
  let to = Number.POSITIVE_INFINITY
  for (let a = 0; a < 3; a++) {
    const [t0, t1] = [(low[a] - s[a]) / d[a], (high[a] - s[a]) / d[a]]
    from = Math.max(from, Math.min(t0, t1))
    to = Math.min(to, Math.max(t0, t1))
  }
  return Math.max(0, to - from)
}

describe('reference renderer, voxels as boxes', () => {
  const size: Vec3 = [8, 7, 6]
  const spacing: Vec3 = [9, 7, 11]

  test('integrates a checkerboard: the sum of its boxes, each by its chord', () => {
    const value = (i: number, j: number, k: number) => ((i + j + k) % 2 === 0 ? 0.01 : 0.03)
    const half = size.map((n, a) => ((n - 1) / 2) * spacing[a])
    const index = (x: number, a: number) => Math.round((x + half[a]) / spacing[a])
    const volume = sampledVolume(size, spacing, (x, y, z) => value(index(x, 0), index(y, 1), index(z, 2)))
    const renderer = createReferenceRenderer(volume, { convert: 'linear', interpolation: 'nearest' })
    for (const angles of [
      [0, 0, 0],
      [0.3, 0.1, 0.7],
      [1.1, -0.4, 2.5]
    ]) {
      const cam = camera(angles[0], angles[1], angles[2])
      const expected = Array.from({ length: 24 * 18 }, (_, n) => {
        const { origin, direction } = rayThrough(cam, n % 24, Math.floor(n / 24))
        let sum = 0
        for (let k = 0; k < size[2]; k++)
          for (let j = 0; j < size[1]; j++)
            for (let i = 0; i < size[0]; i++) {
              const at = [i, j, k].map((x, a) => x * spacing[a] - half[a])
              const low = at.map((x, a) => x - spacing[a] / 2) as unknown as Vec3
              const high = at.map((x, a) => x + spacing[a] / 2) as unknown as Vec3
              sum += value(i, j, k) * chord(origin, direction, low, high)
            }
        return sum
      })
      expect(relativeRms(renderer.render(cam).data, expected)).toBeLessThan(1e-6)
    }
  })

  test('a single voxel is a box, not a point', () => {
    const renderer = createReferenceRenderer(
      sampledVolume([1, 1, 1], [40, 30, 50], () => 0),
      { interpolation: 'nearest' }
    )
    const { data } = renderer.render({ ...camera(0, 0, 0), detector: centredDetector(1200, [1, 1], [1, 1]) })
    expect(data[0]).toBeCloseTo(MU_WATER * 30, 4)
  })
})

describe('what a renderer does not have', () => {
  const volume = sampledVolume([8, 8, 8], [5, 5, 5], () => 0)

  test('an unknown interpolation', () => {
    expect(() => createReferenceRenderer(volume, { interpolation: 'cubic' as never })).toThrow(ArgumentError)
  })

  test('derivatives of boxes, and of the Joseph kernel', () => {
    for (const renderer of [
      createReferenceRenderer(volume, { interpolation: 'nearest' }),
      createWasmRenderer(volume, { quality: 'joseph' })
    ]) {
      expect(() => renderer.renderWithDerivatives(camera(0, 0, 0), [0, 0, 0])).toThrow(BackendError)
      expect(() => renderer.renderWithDerivatives(camera(0, 0, 0), [0, 0, 0])).toThrow(/derivatives/)
    }
  })
})
