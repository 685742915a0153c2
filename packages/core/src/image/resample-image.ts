import type { Detector } from '../geometry/camera.js'
import { binImage, createImage, type Image } from './image.js'

/**
 * What another detector on the same source would have seen: bilinear along equal rays, after averaging blocks where the image is much
 * finer. Rays that miss the image repeat its edge.
 * @param image on detector `from`
 */
export function resampleToDetector(image: Image, from: Detector, to: Detector): Image {
  // Ray slopes per pixel; their ratio is how many image pixels one output pixel spans.
  const su = (to.pixel[0] / to.sdd) * (from.sdd / from.pixel[0])
  const sv = (to.pixel[1] / to.sdd) * (from.sdd / from.pixel[1])
  const factor = Math.max(1, Math.round(Math.min(su, sv)))
  const source = factor > 1 ? binImage(image, factor) : image
  const [width, height] = to.size
  const out = createImage(width, height)
  const half = (factor - 1) / 2
  const clamp = (x: number, n: number) => Math.min(Math.max(x, 0), n - 1)
  for (let v = 0; v < height; v++) {
    const y = clamp((from.principalPoint[1] + (v - to.principalPoint[1]) * sv - half) / factor, source.height)
    const y0 = Math.min(Math.floor(y), Math.max(0, source.height - 2))
    const y1 = Math.min(y0 + 1, source.height - 1)
    const fy = y - y0
    for (let u = 0; u < width; u++) {
      const x = clamp(
        (from.principalPoint[0] + (u - to.principalPoint[0]) * su - half) / factor,
        source.width
      )
      const x0 = Math.min(Math.floor(x), Math.max(0, source.width - 2))
      const x1 = Math.min(x0 + 1, source.width - 1)
      const fx = x - x0
      const a = source.data[y0 * source.width + x0] * (1 - fx) + source.data[y0 * source.width + x1] * fx
      const b = source.data[y1 * source.width + x0] * (1 - fx) + source.data[y1 * source.width + x1] * fx
      out.data[v * width + u] = a * (1 - fy) + b * fy
    }
  }
  return out
}

/** A pixel of detector `from` as a pixel of detector `to`, along the same ray. */
export const toDetectorPixel = (
  u: number,
  v: number,
  from: Detector,
  to: Detector
): { u: number; v: number } => ({
  u:
    to.principalPoint[0] +
    (((u - from.principalPoint[0]) * from.pixel[0]) / from.sdd) * (to.sdd / to.pixel[0]),
  v:
    to.principalPoint[1] +
    (((v - from.principalPoint[1]) * from.pixel[1]) / from.sdd) * (to.sdd / to.pixel[1])
})
