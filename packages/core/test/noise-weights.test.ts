import { describe, expect, it } from 'vitest'
import type { Camera } from '../src/geometry/camera.js'
import { centredDetector, project } from '../src/geometry/camera.js'
import { poseFromView } from '../src/geometry/view.js'
import { BONE_LABELS, type BoneLabels } from '../src/hips/femur-labels.js'
import { femurShadow, looseFemurs } from '../src/hips/femur-shadow.js'
import type { HipJoint } from '../src/hips/hip-joints.js'
import type { Image } from '../src/image/image.js'
import { createRandom } from '../src/random/random.js'
import { noiseShareIn, noiseWeights } from '../src/registration/noise-weights.js'

const WIDTH = 80
const HEIGHT = 60
const picture = (of: (x: number, y: number) => number): Image => ({
  width: WIDTH,
  height: HEIGHT,
  data: Float32Array.from({ length: WIDTH * HEIGHT }, (_, i) => of(i % WIDTH, Math.floor(i / WIDTH)))
})

describe('weights by noise', () => {
  it('are the reciprocal of the variance', () => {
    const random = createRandom(1)
    // Less than half of the picture is noisy, so that its median is the quiet part's.
    const sigma = (x: number) => (x < 50 ? 0.1 : 0.8)
    const image = picture((x, y) => 0.01 * x + 0.005 * y + sigma(x) * random.normal())
    const { data } = noiseWeights(image, { radius: 7 })
    const mean = (from: number, to: number) => {
      let [sum, n] = [0, 0]
      for (let y = 0; y < HEIGHT; y++) for (let x = from; x < to; x++, n++) sum += data[y * WIDTH + x]
      return sum / n
    }
    expect(mean(0, 40)).toBeGreaterThan(0.98)
    // Up to twice the usual variance counts 1.
    const expected = (2 * 0.1 ** 2) / 0.8 ** 2
    expect(mean(60, 80)).toBeGreaterThan(expected / 1.5)
    expect(mean(60, 80)).toBeLessThan(expected * 1.5)
  })

  it('take edges and smooth structure for no noise', () => {
    const step = noiseWeights(picture((x, y) => (x + 0.3 * y > 45 ? 3 : 1) + 0.2 * Math.sin(x / 6)))
    expect(Math.min(...step.data)).toBe(1)
  })

  it('look at what counts to tell what is usual', () => {
    const random = createRandom(2)
    const noisy = picture(x => (x < 60 ? 2 : 0.05) * random.normal())
    const inField = picture(x => (x < 60 ? 0 : 1))
    const at = (w: Image) => w.data[30 * WIDTH + 72]
    expect(at(noiseWeights(noisy, { weights: inField.data }))).toBeGreaterThan(0.5)
    expect(noiseWeights(noisy, { weights: inField.data }).data[30 * WIDTH + 20]).toBeLessThan(0.02)
  })
})

describe('the share of noise', () => {
  it('is that of its variance in all', () => {
    const random = createRandom(3)
    const image = picture((x, y) =>
      x < 40 ? 2 * Math.sin(x / 12) + 0.1 * random.normal() : 0.3 * random.normal() + 0.001 * y
    )
    // Variance of the sine over the part, by numbers.
    const sine = Array.from({ length: 34 }, (_, x) => 2 * Math.sin(x / 12))
    const mean = sine.reduce((s, v) => s + v, 0) / sine.length
    const spread = sine.reduce((s, v) => s + (v - mean) ** 2, 0) / sine.length
    const left = noiseShareIn(image, i => i % WIDTH < 34)
    expect(left).toBeGreaterThan((0.01 / (spread + 0.01)) * 0.6)
    expect(left).toBeLessThan((0.01 / (spread + 0.01)) * 1.6)
    expect(noiseShareIn(image, i => i % WIDTH >= 46)).toBeGreaterThan(0.75)
    expect(
      noiseShareIn(
        picture(() => 2),
        () => true
      )
    ).toBe(0)
  })
})

describe('the shadow of loose femurs', () => {
  const joint: HipJoint = { side: 'left', centre: [0, 0, 0], radius: 22, neck: [1, 0, 0] }
  /** A rod along x from the joint's centre, and bone that stays. */
  const labels: BoneLabels = {
    origin: [-60, -20, -20],
    size: [61, 21, 21],
    spacing: 2,
    data: new Uint8Array(61 * 21 * 21)
  }
  for (let i = 0; i < 61; i++)
    labels.data[(10 * 21 + 10) * 61 + i] = i >= 30 ? BONE_LABELS.leftFemur : BONE_LABELS.fixed
  const camera: Camera = {
    detector: centredDetector(1200, [1.6, 1.6], [240, 188]),
    cameraFromLps: poseFromView({ alpha: 0, beta: 0, gamma: 0.2, translation: [0, 0, 0] }, [0, 0, 0])
  }

  it('falls where the femur projects beyond its head, and nowhere else', () => {
    const { data, width } = femurShadow(looseFemurs(labels, [joint]), camera, 0.25)
    const at = (p: readonly [number, number, number]) => {
      const { u, v } = project(camera, p)
      return data[Math.round(v) * width + Math.round(u)]
    }
    expect([30, 40, 50, 58].map(x => at([x, 0, 0]))).toEqual([0.25, 0.25, 0.25, 0.25])
    // Within the head, on the other side, and beside the rod.
    expect([at([0, 0, 0]), at([15, 0, 0]), at([-40, 0, 0]), at([40, 0, 25]), at([40, 0, -25])]).toEqual([
      1, 1, 1, 1, 1
    ])
    expect(new Set(data)).toEqual(new Set([1, 0.25]))
  })

  it('is none without hips', () => {
    const { data } = femurShadow(looseFemurs(labels, []), camera, 0.25)
    expect(Math.min(...data)).toBe(1)
  })
})
