import { describe, expect, test } from 'vitest'
import { createReferenceRenderer } from '../src/drr/reference-renderer.js'
import { createWasmRenderer } from '../src/drr/wasm-renderer.js'
import { prepareWasmVolume } from '../src/drr/wasm-volume.js'
import { ArgumentError } from '../src/errors.js'
import { type Camera, centredDetector, type Detector, PAPER_DETECTOR } from '../src/geometry/camera.js'
import type { Vec3 } from '../src/geometry/linear.js'
import { DEGREE } from '../src/geometry/rotation.js'
import { poseFromView } from '../src/geometry/view.js'
import type { Volume } from '../src/volume/volume.js'
import { anatomicalVolume, relativeRms, sampledVolume } from './drr-volumes.js'

const camera = (
  [alpha, beta, gamma]: readonly number[],
  detector: Detector = PAPER_DETECTOR,
  translation: Vec3 = [3, -4, 5]
): Camera => ({
  detector,
  cameraFromLps: poseFromView(
    { alpha: alpha * DEGREE, beta: beta * DEGREE, gamma: gamma * DEGREE, translation },
    [0, 0, 0]
  )
})

/** Every `step`-th pixel of a detector, as a detector: its rays are the same. */
const thinned = (d: Detector, step: number): Detector => ({
  ...d,
  pixel: [d.pixel[0] * step, d.pixel[1] * step],
  size: [Math.ceil(d.size[0] / step), Math.ceil(d.size[1] / step)],
  principalPoint: [d.principalPoint[0] / step, d.principalPoint[1] / step]
})

/** Relative RMS of the wasm image to the reference at every `step`-th pixel. */
function errorAt(volume: Volume, cam: Camera, step: number): number {
  const { data, width } = createWasmRenderer(volume).render(cam)
  const expected = createReferenceRenderer(volume).render({ ...cam, detector: thinned(cam.detector, step) })
  const same = Array.from(expected.data, (_, n) => {
    const u = n % expected.width
    const v = Math.floor(n / expected.width)
    return data[v * step * width + u * step]
  })
  return relativeRms(same, expected.data)
}

describe('wasm renderer against the reference', () => {
  const volume = anatomicalVolume([150, 120, 110], [2.2, 2.2, 2.4], 21)
  const bound = createWasmRenderer(volume).errorBound

  test.each([
    ['AP', [0, 0, 0]],
    ['AP, tilted', [15, -5, 4]],
    ['lateral', [0, 0, 90]],
    ['other lateral', [-5, 3, -88]],
    ['PA', [0, 0, 180]],
    ['left anterior oblique', [12, 5, 30]],
    ['between the axes', [-20, 10, -45]],
    ['cranial', [60, 0, 0]],
    ['along the body', [90, 0, 0]]
  ])('%s', (_, angles) => {
    expect(errorAt(volume, camera(angles), 3)).toBeLessThan(bound)
  })

  test('large detectors are rendered in tiles without seams', () => {
    const detector = centredDetector(1200, [0.19, 0.15], [2048, 2048])
    expect(errorAt(volume, camera([10, 4, 20], detector), 29)).toBeLessThan(bound)
  })

  test('fans too wide for one slab axis are rendered in tiles', () => {
    const detector = { ...centredDetector(160, [2, 3], [200, 130]), principalPoint: [70, 80] as const }
    expect(errorAt(volume, camera([5, 0, 10], detector, [0, 400, 0]), 3)).toBeLessThan(bound)
    // From within the volume rays go along all three axes.
    expect(errorAt(volume, camera([5, 0, 10], detector, [10, 660, 0]), 3)).toBeLessThan(2 * bound)
  })

  test('thick slices', () => {
    const thick = anatomicalVolume([170, 140, 44], [1.9, 1.9, 6], 22)
    for (const angles of [
      [0, 0, 0],
      [0, 0, 90],
      [15, 5, 35]
    ])
      expect(errorAt(thick, camera(angles), 3)).toBeLessThan(bound)
  })

  test('coarse pixels and pixels that are not square', () => {
    for (const pixel of [
      [12, 12],
      [0.8, 6],
      [5, 1]
    ] as const) {
      const detector = centredDetector(1200, pixel, [Math.floor(384 / pixel[0]), Math.floor(300 / pixel[1])])
      expect(errorAt(volume, camera([8, 3, 25], detector), 1)).toBeLessThan(bound)
    }
  })

  test('metal is not clipped', () => {
    const metal = { ...volume, data: volume.data.slice() }
    for (let k = 50; k < 60; k++)
      for (let j = 50; j < 60; j++) for (let i = 60; i < 75; i++) metal.data[(k * 120 + j) * 150 + i] = 25000
    expect(errorAt(metal, camera([5, 0, 20]), 3)).toBeLessThan(2 * bound)
  })
})

describe('prepared volumes', () => {
  const volume = anatomicalVolume([60, 50, 40], [4, 4, 5], 8)

  test('are shared by renderers with a slot each', () => {
    const prepared = prepareWasmVolume(volume, { shared: true, slots: 2 })
    expect(prepared.memory.buffer).toBeInstanceOf(SharedArrayBuffer)
    const a = createWasmRenderer(prepared)
    const b = createWasmRenderer(prepared)
    const own = createWasmRenderer(volume)
    for (const angles of [
      [0, 0, 0],
      [10, 0, 80]
    ]) {
      const expected = own.render(camera(angles)).data
      expect(a.render(camera(angles)).data).toEqual(expected)
      expect(b.render(camera(angles)).data).toEqual(expected)
    }
    expect(() => createWasmRenderer(prepared)).toThrow(ArgumentError)
    a.dispose()
    expect(createWasmRenderer(prepared).render(camera([0, 0, 0])).data).toEqual(
      own.render(camera([0, 0, 0])).data
    )
    expect(() => prepareWasmVolume(volume, { slots: 0 })).toThrow(ArgumentError)
  })

  test('hold two copies of two bytes a voxel', () => {
    const { bytes } = createWasmRenderer(volume)
    expect(bytes).toBeGreaterThan(60 * 50 * 40 * 4)
    expect(bytes).toBeLessThan(60 * 50 * 40 * 4 + 40 * (50 + 60) * 4 + 4096)
  })

  test('of whole-number voxels are those of the same numbers in floating point', () => {
    const data = Int16Array.from(volume.data)
    const cam = camera([5, 5, 15])
    const expected = createWasmRenderer({ ...volume, data: Float32Array.from(data) }).render(cam).data
    for (const array of [data, Int32Array.from(data)])
      expect(createWasmRenderer({ ...volume, data: array }).render(cam).data).toEqual(expected)
    const small = sampledVolume([20, 20, 20], [9, 9, 9], (x, y, z) => Math.abs(x + 2 * y - z) % 100)
    const plain = createWasmRenderer(small, { convert: 'linear' }).render(cam).data
    const bytes = { ...small, data: Uint8Array.from(small.data) }
    const whole = { ...small, data: Float32Array.from(bytes.data) }
    expect(createWasmRenderer(bytes, { convert: 'linear' }).render(cam).data).toEqual(
      createWasmRenderer(whole, { convert: 'linear' }).render(cam).data
    )
    expect(plain.length).toBe(240 * 188)
  })
})
