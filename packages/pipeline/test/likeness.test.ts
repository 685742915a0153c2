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
import { averaged } from '../src/register/initial/differenced.js'
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

describe('a DRR made like an X-ray', () => {
  it('has its noise, drawn anew each time', () => {
    const random = createRandom(4)
    const sd = 0.3
    const xray = { ...drr, data: drr.data.map(x => 0.8 * x + sd * random.normal()) }
    const draws = likenessOf({ picture: pictureOf(xray), eye })(drr, 1)
    expect(draws).toHaveLength(3)
    const median = (x: Float32Array) => Float32Array.from(x).sort()[x.length >> 1]
    const noise = (data: Float32Array) => median(noiseVariance({ ...drr, data }).data)
    for (const draw of draws) {
      expect(noise(draw) / noise(xray.data)).toBeGreaterThan(0.75)
      expect(noise(draw) / noise(xray.data)).toBeLessThan(1.25)
    }
    expect(draws[0]).not.toEqual(draws[1])
  })

  it('shows the open beam where the X-ray shows a border', () => {
    const mask = Uint8Array.from(drr.data, (_, i) => Number(i % detector.size[0] >= 60))
    const [drawn] = likenessOf({ picture: pictureOf(drr, mask), eye })(drr, 0)
    const hidden = drawn.filter((_, i) => mask[i] === 0)
    expect(new Set(hidden).size).toBe(1)
    expect(hidden[0]).toBeLessThan(Float32Array.from(drawn).sort()[drawn.length >> 1])
  })

  it('is looked at several times, and the clear detections are averaged', () => {
    const at = (u: number, confidence: number) => ({ u, v: 2 * u, confidence, spread: 1 })
    const mean = averaged([
      [at(10, 0.9), at(5, 0.1)],
      [at(12, 0.7), at(7, 0.2)],
      [at(90, 0.1), at(9, 0.3)]
    ])
    expect(mean[0]).toMatchObject({ u: 11, v: 22, confidence: 0.8 })
    expect(mean[1]).toMatchObject(at(5, 0.1))
  })
})
