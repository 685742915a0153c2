import type { Detector } from '../geometry/camera.js'
import { binImage, createImage, type Image } from './image.js'

export interface DetectorResampleOptions {
  /**
   * In-plane turn of the new detector about the optical axis, radians: its axes are those of the old one turned from +column towards
   * +row. Default 0.
   */
  readonly turn?: number
  /** Value of rays that miss the image; by default they repeat its edge. */
  readonly outside?: number
}

/**
 * What another detector on the same source would have seen: bilinear along equal rays, after averaging blocks where the image is much
 * finer.
 * @param image on detector `from`; returned as it is where both are one
 */
export function resampleToDetector(
  image: Image,
  from: Detector,
  to: Detector,
  { turn = 0, outside }: DetectorResampleOptions = {}
): Image {
  if (turn === 0 && sameRays(from, to)) return image
  // Ray slopes per pixel; their ratio is how many image pixels one output pixel spans.
  const su = (to.pixel[0] / to.sdd) * (from.sdd / from.pixel[0])
  const sv = (to.pixel[1] / to.sdd) * (from.sdd / from.pixel[1])
  const factor = Math.max(1, Math.round(Math.min(su, sv)))
  const source = factor > 1 ? binImage(image, factor) : image
  const [width, height] = to.size
  const out = createImage(width, height)
  const half = (factor - 1) / 2
  const clamp = (x: number, n: number) => Math.min(Math.max(x, 0), n - 1)
  // Steps of the source's (column, row) for one output column and one output row.
  const c = Math.cos(turn)
  const s = Math.sin(turn)
  const aspect = (from.sdd / from.pixel[1]) * (to.pixel[0] / to.sdd)
  const back = (from.sdd / from.pixel[0]) * (to.pixel[1] / to.sdd)
  const [xu, xv] = [(c * su) / factor, (-s * back) / factor]
  const [yu, yv] = [(s * aspect) / factor, (c * sv) / factor]
  const x00 = (from.principalPoint[0] - half) / factor - to.principalPoint[0] * xu - to.principalPoint[1] * xv
  const y00 = (from.principalPoint[1] - half) / factor - to.principalPoint[0] * yu - to.principalPoint[1] * yv
  const { data, width: w, height: h } = source
  for (let v = 0; v < height; v++)
    for (let u = 0; u < width; u++) {
      const px = x00 + u * xu + v * xv
      const py = y00 + u * yu + v * yv
      if (outside !== undefined && (px < -0.5 || py < -0.5 || px > w - 0.5 || py > h - 0.5)) {
        out.data[v * width + u] = outside
        continue
      }
      const x = clamp(px, w)
      const y = clamp(py, h)
      const x0 = Math.min(Math.floor(x), Math.max(0, w - 2))
      const y0 = Math.min(Math.floor(y), Math.max(0, h - 2))
      const x1 = Math.min(x0 + 1, w - 1)
      const y1 = Math.min(y0 + 1, h - 1)
      const fx = x - x0
      const a = data[y0 * w + x0] * (1 - fx) + data[y0 * w + x1] * fx
      const b = data[y1 * w + x0] * (1 - fx) + data[y1 * w + x1] * fx
      out.data[v * width + u] = a + (y - y0) * (b - a)
    }
  return out
}

/** Whether every pixel of both is on the same ray. */
const sameRays = (a: Detector, b: Detector): boolean =>
  a.sdd === b.sdd &&
  [0, 1].every(
    k => a.pixel[k] === b.pixel[k] && a.size[k] === b.size[k] && a.principalPoint[k] === b.principalPoint[k]
  )

/**
 * A pixel of detector `from` as a pixel of detector `to`, along the same ray.
 * @param turn of `from` about the optical axis against `to`, radians: as {@link DetectorResampleOptions.turn} of an image that was resampled
 *   from `to`
 */
export function toDetectorPixel(
  u: number,
  v: number,
  from: Detector,
  to: Detector,
  turn = 0
): { u: number; v: number } {
  const x = ((u - from.principalPoint[0]) * from.pixel[0]) / from.sdd
  const y = ((v - from.principalPoint[1]) * from.pixel[1]) / from.sdd
  const c = Math.cos(turn)
  const s = Math.sin(turn)
  return {
    u: to.principalPoint[0] + (c * x - s * y) * (to.sdd / to.pixel[0]),
    v: to.principalPoint[1] + (s * x + c * y) * (to.sdd / to.pixel[1])
  }
}
