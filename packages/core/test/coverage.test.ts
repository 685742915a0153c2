import { describe, expect, it } from 'vitest'
import { binnedDetector, PAPER_DETECTOR } from '../src/geometry/camera.js'
import type { Vec3 } from '../src/geometry/linear.js'
import { DEGREE } from '../src/geometry/rotation.js'
import { poseFromView } from '../src/geometry/view.js'
import type { Image } from '../src/image/image.js'
import { coverage } from '../src/registration/coverage.js'
import type { Volume } from '../src/volume/volume.js'

const DETECTOR = PAPER_DETECTOR

describe('coverage', () => {
  // A patient of water, 100 mm square, that goes on beyond both ends of a scan of 60 mm.
  const size: Vec3 = [61, 61, 31]
  const data = new Int16Array(61 * 61 * 31).fill(-1000)
  for (let k = 0; k < 31; k++)
    for (let j = 5; j <= 55; j++) for (let i = 5; i <= 55; i++) data[(k * 61 + j) * 61 + i] = 0
  const volume: Volume<Int16Array> = {
    data,
    size,
    spacing: [2, 2, 2],
    origin: [-60, -60, -30],
    direction: [1, 0, 0, 0, 1, 0, 0, 0, 1]
  }
  const at = (alpha: number, z: number) => {
    const pose = poseFromView({ alpha, beta: 0, gamma: 0, translation: [0, 0, z] }, [0, 0, 0])
    return coverage(volume, { detector: DETECTOR, cameraFromLps: pose })
  }
  it('is 1 between the ends and 0 beyond', () => {
    const { width, height, data } = at(0, 0)
    const middle = (v: number) => data[v * width + 120]
    const rows = Array.from({ length: height }, (_, v) => v).filter(v => middle(v) === 1)
    // The widest rays that leave through the back: 30 mm up at a depth of 700 + 60 mm, but through air from 50 mm on.
    const reach = (30 / 750) * (1200 / 1.6)
    expect(rows[0]).toBeCloseTo(93.5 - reach, -0.5)
    expect(rows[rows.length - 1]).toBeCloseTo(93.5 + reach, -0.5)
    expect(rows.length).toBe(rows[rows.length - 1] - rows[0] + 1)
    expect(data[0]).toBe(0)
  })
  it('keeps a margin from rays that do not count, in millimetres on the detector, but not from the rim of the picture', () => {
    const pose = poseFromView({ alpha: 0, beta: 0, gamma: 0, translation: [0, 0, 0] }, [0, 0, 0])
    for (const factor of [1, 4]) {
      const camera = { detector: binnedDetector(DETECTOR, factor), cameraFromLps: pose }
      const plain = coverage(volume, camera)
      const kept = coverage(volume, camera, { margin: 4.8 })
      // Three pixels of 1.6 mm; of 6.4 mm, one.
      const pixels = factor === 1 ? 3 : 1
      const { width, height } = plain
      for (let v = 0; v < height; v++)
        for (let u = 0; u < width; u++) {
          let least = 1
          for (let y = Math.max(0, v - pixels); y <= Math.min(height - 1, v + pixels); y++)
            for (let x = Math.max(0, u - pixels); x <= Math.min(width - 1, u + pixels); x++)
              least = Math.min(least, plain.data[y * width + x])
          expect(kept.data[v * width + u]).toBe(least)
        }
    }
  })
  it('follows the view', () => {
    const share = (image: Image) => image.data.reduce((s, x) => s + x, 0) / image.data.length
    expect(share(at(0, 0))).toBeGreaterThan(share(at(25 * DEGREE, 0)))
    expect(share(at(0, 500))).toBe(0)
  })
})
