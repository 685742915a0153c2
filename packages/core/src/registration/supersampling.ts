import type { Renderer } from '../drr/renderer.js'
import type { Detector } from '../geometry/camera.js'
import { binImage } from '../image/image.js'

/** The inverse of `binnedDetector`: each pixel divided into factor × factor. */
export const dividedDetector = (d: Detector, factor: number): Detector => ({
  sdd: d.sdd,
  pixel: [d.pixel[0] / factor, d.pixel[1] / factor],
  size: [d.size[0] * factor, d.size[1] * factor],
  principalPoint: [
    d.principalPoint[0] * factor + (factor - 1) / 2,
    d.principalPoint[1] * factor + (factor - 1) / 2
  ]
})

/**
 * A renderer that averages factor × factor rays per pixel. A coarse pixel of a binned X-ray is a mean over its area; one ray
 * through its centre would alias, and the similarity of the right pose would drop.
 */
export function supersampled(renderer: Pick<Renderer, 'render'>, factor: number): Pick<Renderer, 'render'> {
  if (factor === 1) return renderer
  let buffer = new Float32Array(0)
  return {
    render({ detector, cameraFromLps }, out) {
      const fine = dividedDetector(detector, factor)
      const length = fine.size[0] * fine.size[1]
      if (buffer.length !== length) buffer = new Float32Array(length)
      const image = binImage(renderer.render({ detector: fine, cameraFromLps }, buffer), factor)
      if (!out) return image
      out.set(image.data)
      return { ...image, data: out }
    }
  }
}
