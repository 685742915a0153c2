import { describe, expect, it } from 'vitest'
import { binnedDetector, type Detector, PAPER_DETECTOR } from '../src/geometry/camera.js'
import { binImage, type Image } from '../src/image/image.js'
import { resampleToDetector, toDetectorPixel } from '../src/image/resample-image.js'

/** A smooth function of the ray's slopes, as a detector sees it. */
function seen(d: Detector): Image {
  const [width, height] = d.size
  const data = new Float32Array(width * height)
  for (let v = 0; v < height; v++)
    for (let u = 0; u < width; u++) {
      const x = ((u - d.principalPoint[0]) * d.pixel[0]) / d.sdd
      const y = ((v - d.principalPoint[1]) * d.pixel[1]) / d.sdd
      data[v * width + u] = Math.sin(18 * x) + Math.cos(14 * y + 9 * x)
    }
  return { width, height, data }
}

const worst = (a: Image, b: Image): number => Math.max(...a.data.map((x, i) => Math.abs(x - b.data[i])))

describe('resampling to another detector', () => {
  it('shows each ray what it saw: finer pixels, other distance, off-centre, not square', () => {
    const cases: Detector[] = [
      { sdd: 1200, pixel: [0.4, 0.4], size: [960, 752], principalPoint: [479.5, 375.5] },
      { sdd: 1000, pixel: [0.9, 1.1], size: [420, 300], principalPoint: [180, 160] },
      { sdd: 1500, pixel: [2.1, 2.1], size: [240, 188], principalPoint: [119.5, 93.5] }
    ]
    for (const d of cases)
      expect(worst(resampleToDetector(seen(d), d, PAPER_DETECTOR), seen(PAPER_DETECTOR))).toBeLessThan(0.01)
  })

  it('leaves an image on its own detector as it is', () => {
    const image = seen(PAPER_DETECTOR)
    expect(worst(resampleToDetector(image, PAPER_DETECTOR, PAPER_DETECTOR), image)).toBeLessThan(1e-6)
  })

  it('agrees with binning on the binned detector', () => {
    const image = seen(PAPER_DETECTOR)
    expect(
      worst(resampleToDetector(image, PAPER_DETECTOR, binnedDetector(PAPER_DETECTOR, 4)), binImage(image, 4))
    ).toBeLessThan(1e-5)
  })

  it('maps pixels along the same ray, there and back', () => {
    const d: Detector = { sdd: 1000, pixel: [0.9, 1.1], size: [420, 300], principalPoint: [180, 160] }
    const p = toDetectorPixel(30, 200, PAPER_DETECTOR, d)
    const q = toDetectorPixel(p.u, p.v, d, PAPER_DETECTOR)
    expect(q.u).toBeCloseTo(30, 9)
    expect(q.v).toBeCloseTo(200, 9)
    expect(((p.u - 180) * 0.9) / 1000).toBeCloseTo(((30 - 119.5) * 1.6) / 1200, 12)
  })
})
