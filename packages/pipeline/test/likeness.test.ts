import {
  createPhantom,
  createRandom,
  createWasmRenderer,
  DEGREE,
  type Image,
  noiseVariance,
  PAPER_DETECTOR,
  poseFromView
} from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { networkEye } from '../src/register/initial/eye.js'
import { likenessOf } from '../src/register/initial/likeness.js'
import type { Picture } from '../src/register/initial/picture.js'

const detector = PAPER_DETECTOR
const { ct, isocenter } = createPhantom({ seed: 12, spacing: 4 })
const drr = createWasmRenderer(ct).render({
  detector,
  cameraFromLps: poseFromView(
    { alpha: 3 * DEGREE, beta: 0, gamma: 10 * DEGREE, translation: [0, 0, 0] },
    isocenter
  )
})
const eye = networkEye(detector, detector)

const pictureOf = (image: Image, mask = new Uint8Array(image.data.length).fill(1)): Picture => ({
  encoding: { intensity: 'log', bright: 'attenuation', mirrored: false },
  image,
  detector,
  mask,
  fieldShare: mask.reduce((s, x) => s + x, 0) / mask.length,
  open: 0
})

const mean = (x: Float32Array) => x.reduce((s, v) => s + v, 0) / x.length
const covariance = (a: Float32Array, b: Float32Array) => {
  const [ma, mb] = [mean(a), mean(b)]
  return a.reduce((s, v, i) => s + (v - ma) * (b[i] - mb), 0) / a.length
}
const varianceOf = (x: Float32Array) => covariance(x, x)
const correlation = (a: Float32Array, b: Float32Array) =>
  covariance(a, b) / Math.sqrt(varianceOf(a) * varianceOf(b))

describe('a DRR made like an X-ray', () => {
  it('has the very noise of the X-ray', () => {
    const random = createRandom(4)
    const sd = 0.3
    const noise = drr.data.map(() => sd * random.normal())
    const xray = { ...drr, data: drr.data.map((x, i) => 0.8 * x + noise[i]) }
    const alike = likenessOf({ picture: pictureOf(xray), eye })(drr)
    const median = (x: Float32Array) => Float32Array.from(x).sort()[x.length >> 1]
    const level = (data: Float32Array) => median(noiseVariance({ ...drr, data }).data)
    expect(level(alike) / level(xray.data)).toBeGreaterThan(0.75)
    expect(level(alike) / level(xray.data)).toBeLessThan(1.25)
    // White noise keeps 8/9 of its variance where the mean of 3 × 3 pixels is taken from it: a correlation of 0.94.
    const contrast = Math.sqrt(varianceOf(xray.data) - sd * sd) / Math.sqrt(varianceOf(drr.data))
    const taken = alike.map((x, i) => x - contrast * drr.data[i])
    expect(correlation(taken, noise)).toBeGreaterThan(0.9)
  })

  it('does not take over what is no noise', () => {
    const random = createRandom(5)
    const sd = 0.05
    const [width] = detector.size
    const rod = drr.data.map((_, i) => (Math.abs((i % width) - 90) < 3 ? 15 : 0))
    const xray = { ...drr, data: drr.data.map((x, i) => x + rod[i] + sd * random.normal()) }
    const alike = likenessOf({ picture: pictureOf(xray), eye })(drr)
    const { data: variance } = noiseVariance(xray)
    const contrast = Math.sqrt(varianceOf(xray.data) / varianceOf(drr.data))
    const taken = alike.map((x, i) => Math.abs(x - contrast * drr.data[i]) / Math.sqrt(variance[i]))
    expect(Math.max(...taken)).toBeLessThan(3.5)
  })

  it('shows the open beam where the X-ray shows a border', () => {
    const mask = Uint8Array.from(drr.data, (_, i) => Number(i % detector.size[0] >= 60))
    const drawn = likenessOf({ picture: pictureOf(drr, mask), eye })(drr)
    const hidden = drawn.filter((_, i) => mask[i] === 0)
    expect(new Set(hidden).size).toBe(1)
    expect(hidden[0]).toBeLessThan(Float32Array.from(drawn).sort()[drawn.length >> 1])
  })
})
