import { describe, expect, test } from 'vitest'
import { createReferenceRenderer } from '../src/drr/reference-renderer.js'
import type { Renderer } from '../src/drr/renderer.js'
import { createWasmRenderer } from '../src/drr/wasm-renderer.js'
import { prepareWasmVolume, type RenderQuality } from '../src/drr/wasm-volume.js'
import { ArgumentError, VolumeError } from '../src/errors.js'
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

const MANY = anatomicalVolume([240, 210, 90], [1.4, 1.5, 3.2], 23)
const THICK = anatomicalVolume([170, 140, 44], [1.9, 1.9, 6], 22)
const QUALITIES: readonly RenderQuality[] = ['joseph', 'finest', 'fine', 'fast', 'draft']
/** Of volumes of voxels no larger than pixels. */
const MANY_BOUNDS: Readonly<Record<RenderQuality, number>> = {
  joseph: 0.0001,
  finest: 0.0005,
  fine: 0.001,
  fast: 0.001,
  draft: 0.002
}

// Several tests render the same volume, and preparing it takes longer than that.
const references = new Map<Volume, Renderer>()
const renderers = new Map<Volume, Map<RenderQuality, Renderer>>()
const referenceOf = (volume: Volume): Renderer => {
  const renderer = references.get(volume) ?? createReferenceRenderer(volume)
  references.set(volume, renderer)
  return renderer
}
const rendererOf = (volume: Volume, quality: RenderQuality): Renderer => {
  const all = renderers.get(volume) ?? new Map<RenderQuality, Renderer>()
  renderers.set(volume, all)
  const renderer = all.get(quality) ?? createWasmRenderer(volume, { quality })
  all.set(quality, renderer)
  return renderer
}

/** Relative RMS of the wasm image to the reference at every `step`-th pixel. */
function errorAt(volume: Volume, cam: Camera, step: number, quality: RenderQuality = 'fine'): number {
  const { data, width } = rendererOf(volume, quality).render(cam)
  const expected = referenceOf(volume).render({ ...cam, detector: thinned(cam.detector, step) })
  const same = Array.from(expected.data, (_, n) => {
    const u = n % expected.width
    const v = Math.floor(n / expected.width)
    return data[v * step * width + u * step]
  })
  return relativeRms(same, expected.data)
}

describe.each(QUALITIES)('wasm renderer, %s, against the reference', quality => {
  const volume = anatomicalVolume([150, 120, 110], [2.2, 2.2, 2.4], 21)
  const bound = rendererOf(volume, quality).errorBound

  test.each([
    ['AP', [0, 0, 0]],
    ['AP, tilted', [15, -5, 4]],
    ['lateral', [0, 0, 90]],
    ['other lateral', [-5, 3, -88]],
    ['PA', [0, 0, 180]],
    ['left anterior oblique', [12, 5, 30]],
    ['between the axes', [-20, 10, -45]],
    ['rolled over', [10, 75, 20]],
    ['cranial', [60, 0, 0]],
    ['along the body', [90, 0, 0]]
  ])('%s', (_, angles) => {
    expect(errorAt(volume, camera(angles), 3, quality)).toBeLessThan(bound)
  })

  test('large detectors are rendered in tiles without seams', () => {
    const detector = centredDetector(1200, [0.19, 0.15], [2048, 2048])
    expect(errorAt(volume, camera([10, 4, 20], detector), 29, quality)).toBeLessThan(bound)
  })

  test('fans too wide for one slab axis are rendered in tiles', () => {
    const detector = { ...centredDetector(160, [2, 3], [200, 130]), principalPoint: [70, 80] as const }
    expect(errorAt(volume, camera([5, 0, 10], detector, [0, 400, 0]), 3, quality)).toBeLessThan(bound)
    // From within the volume rays go along all three axes.
    expect(errorAt(volume, camera([5, 0, 10], detector, [10, 660, 0]), 3, quality)).toBeLessThan(2 * bound)
  })

  test('thick slices', () => {
    for (const angles of [
      [0, 0, 0],
      [0, 0, 90],
      [15, 5, 35]
    ])
      expect(errorAt(THICK, camera(angles), 3, quality)).toBeLessThan(bound)
  })

  test('many slices, of which several share a resampling', () => {
    for (const angles of [
      [4, -3, 5],
      [15, 5, 35],
      [-10, 4, 65]
    ])
      expect(errorAt(MANY, camera(angles), 3, quality)).toBeLessThan(MANY_BOUNDS[quality])
  })

  test('coarse pixels and pixels that are not square', () => {
    for (const pixel of [
      [12, 12],
      [0.8, 6],
      [5, 1]
    ] as const) {
      const detector = centredDetector(1200, pixel, [Math.floor(384 / pixel[0]), Math.floor(300 / pixel[1])])
      expect(errorAt(volume, camera([8, 3, 25], detector), 1, quality)).toBeLessThan(bound)
    }
  })

  test('a region of the detector shows what the whole shows there', () => {
    // A region is a detector of its own, with the principal point where it is from there: even far outside it.
    const renderer = rendererOf(volume, quality)
    const whole = renderer.render(camera([12, 20, 30])).data
    for (const [u, v, width, height] of [
      [30, 40, 64, 50],
      [200, 5, 37, 21],
      [0, 180, 240, 3]
    ]) {
      const detector: Detector = {
        ...PAPER_DETECTOR,
        size: [width, height],
        principalPoint: [119.5 - u, 93.5 - v]
      }
      const region = renderer.render(camera([12, 20, 30], detector)).data
      const same = region.map((_, n) => whole[(v + Math.floor(n / width)) * 240 + u + (n % width)])
      // Each has its own virtual detector: cells elsewhere, so that the two differ by twice the error at most.
      expect(relativeRms(region, same)).toBeLessThan(2 * bound)
    }
  })
})

describe('wasm renderer', () => {
  const volume = anatomicalVolume([150, 120, 110], [2.2, 2.2, 2.4], 21)
  const bound = rendererOf(volume, 'fine').errorBound

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

  test('hold two copies of two bytes a voxel, or of one, or of one for two slices', () => {
    const { bytes } = createWasmRenderer(volume)
    // Rows are padded to eight voxels and eight more; extents are 4 bytes for each row.
    const padded = 72 * 50 * 40 + 64 * 60 * 40
    expect(bytes).toBeGreaterThan(60 * 50 * 40 * 4)
    expect(bytes).toBeLessThan(padded * 2 + 41 * (50 + 60 + 61) * 4 + 4096)
    expect(createWasmRenderer(volume, { quality: 'fast' }).bytes).toBeLessThan(padded + 41 * 171 * 4 + 4096)
    expect(createWasmRenderer(volume, { quality: 'draft' }).bytes).toBeLessThan(padded + 41 * 171 * 4 + 4096)
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

  test('too large for wasm are refused before any work', () => {
    // Its voxels are never looked at: there are none.
    const huge = { ...volume, size: [2000, 2000, 2000] as const, data: new Int16Array(0) }
    expect(() => prepareWasmVolume(huge)).toThrow(VolumeError)
    expect(() => prepareWasmVolume(huge)).toThrow(/GiB/)
    expect(() => prepareWasmVolume(volume, { mips: 9 })).toThrow(ArgumentError)
    expect(() => prepareWasmVolume(volume, { quality: 'best' as never })).toThrow(ArgumentError)
    expect(() => prepareWasmVolume(volume, { quality: 'joseph', mips: 1 })).toThrow(ArgumentError)
  })
})
