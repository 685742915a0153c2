import { createRandom, type TrainingView } from '@raypose/core'
import { binsPerLandmark, compactSpec } from '@raypose/network'
import { describe, expect, it } from 'vitest'
import { createBatchMaker, mirrored } from '../src/training/batches.js'
import { accuracyOf } from '../src/training/validation.js'

const spec = compactSpec(2, { imageWidth: 64, imageHeight: 48 })

/** Views with one bright square where landmark 0 is; landmark 1 is outside the image. */
function squares(seed: number): () => TrainingView {
  const random = createRandom(seed)
  return () => {
    const u = 12 + random.integer(40)
    const v = 12 + random.integer(24)
    const bone = new Float32Array(64 * 48)
    for (let y = v - 2; y <= v + 2; y++) bone.fill(3, y * 64 + u - 2, y * 64 + u + 3)
    return {
      width: 64,
      height: 48,
      bone,
      soft: new Float32Array(64 * 48).fill(1),
      points: Float32Array.from([u, v, -30, 5])
    }
  }
}

const options = {
  spec,
  batchSize: 4,
  sigmaPixels: 3,
  seed: 7,
  poolSize: 12,
  firstViews: 8,
  freshViews: 2,
  augment: 0
}

describe('batches', () => {
  it('repeat themselves for the same seed and source', async () => {
    const a = createBatchMaker(squares(1), { ...options, augment: 1 })
    const b = createBatchMaker(squares(1), { ...options, augment: 1 })
    for (let i = 0; i < 5; i++) expect(await b()).toEqual(await a())
  })

  it('put the target on the landmark of each image, and the absent one in its bin', async () => {
    const bins = binsPerLandmark(spec)
    const { images, targets } = await createBatchMaker(squares(2), options)()
    for (let n = 0; n < 4; n++) {
      const image = images.subarray(n * 64 * 48, (n + 1) * 64 * 48)
      let mass = 0
      let u = 0
      let v = 0
      image.forEach((x, i) => {
        if (x < 1) return
        mass++
        u += i % 64
        v += Math.floor(i / 64)
      })
      const t = targets.subarray(n * 2 * bins, (n * 2 + 1) * bins)
      let tu = 0
      let tv = 0
      for (let i = 0; i < bins - 1; i++) {
        tu += t[i] * (4 * (i % 16) + 1.5)
        tv += t[i] * (4 * Math.floor(i / 16) + 1.5)
      }
      expect(mass).toBe(25)
      expect(Math.hypot(tu - u / mass, tv - v / mass)).toBeLessThan(0.3)
      const absent = targets.subarray((n * 2 + 1) * bins, (n * 2 + 2) * bins)
      expect(absent[bins - 1]).toBe(1)
      expect(absent.subarray(0, bins - 1).every(x => x === 0)).toBe(true)
    }
  })

  it('keep image and landmarks together under augmentation', async () => {
    const make = createBatchMaker(squares(3), { ...options, augment: 1, batchSize: 32 })
    const bins = binsPerLandmark(spec)
    const { images, targets } = await make()
    // Brightness under the target, against the image's mean of 0: on average the square shows through all that augmentation does.
    let on = 0
    for (let n = 0; n < 32; n++)
      for (let i = 0; i < bins - 1; i++) {
        const x = 4 * (i % 16) + 2
        const y = 4 * Math.floor(i / 16) + 2
        on += (targets[n * 2 * bins + i] * images[n * 64 * 48 + y * 64 + x]) / 32
      }
    expect(on).toBeGreaterThan(0.5)
  })
})

describe('a view in a mirror', () => {
  const view: TrainingView = {
    width: 4,
    height: 2,
    bone: Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8]),
    soft: Float32Array.from([8, 7, 6, 5, 4, 3, 2, 1]),
    points: Float32Array.from([0, 1, 2.5, 0.5, Number.NaN, Number.NaN])
  }

  it('has its columns turned round and its landmarks with their partners', () => {
    const m = mirrored(view, [1, 0, 2])
    expect([...m.bone]).toEqual([4, 3, 2, 1, 8, 7, 6, 5])
    expect([...m.soft]).toEqual([5, 6, 7, 8, 1, 2, 3, 4])
    expect([...m.points]).toEqual([0.5, 0.5, 3, 1, Number.NaN, Number.NaN])
  })

  it('is the view of the mirrored patient: twice is the view itself', () => {
    expect(mirrored(mirrored(view, [1, 0, 2]), [1, 0, 2])).toEqual(view)
  })
})

describe('accuracy', () => {
  it('is what one computes by hand', () => {
    const found = [
      [
        { u: 10, v: 10, confidence: 0.9 },
        { u: 5, v: 5, confidence: 0.9 },
        { u: 1, v: 1, confidence: 0.9 }
      ],
      [
        { u: 10, v: 13, confidence: 0.1 },
        { u: 20, v: 24, confidence: 0.8 },
        { u: 1, v: 1, confidence: 0.2 }
      ]
    ]
    // Landmark 1 of image 0 is off the image; landmark 2 is unknown in image 0 and off the image in image 1.
    const points = [
      Float32Array.from([10, 10, -4, 5, Number.NaN, Number.NaN]),
      Float32Array.from([10, 10, 20, 20, 1, 99])
    ]
    const a = accuracyOf(found, points, [40, 30], 0.5)
    expect(a.visible).toBe(3)
    expect(a.meanMm).toBeCloseTo((0 + 1.5 + 2) / 3, 12)
    expect(a.medianMm).toBeCloseTo(1.5, 12)
    expect(a.recall).toBeCloseTo(2 / 3, 12)
    expect(a.confidentMeanMm).toBeCloseTo(1, 12)
    expect(a.falsePositives).toBeCloseTo(1 / 2, 12)
    expect(a.perLandmarkMm[0]).toBeCloseTo(0.75, 12)
    expect(a.perLandmarkMm[1]).toBeCloseTo(2, 12)
    expect(a.perLandmarkMm[2]).toBeNaN()
  })
})
