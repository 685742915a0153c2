import type { Detector } from '../geometry/camera.js'
import type { Image } from './image.js'

/** The image with its columns reversed. */
export function mirrorImage({ width, height, data }: Image): Image {
  const out = new Float32Array(data.length)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) out[y * width + x] = data[y * width + width - 1 - x]
  return { width, height, data: out }
}

/** The detector of {@link mirrorImage}'s image: the principal point goes with the columns. */
export const mirrorDetector = (d: Detector): Detector => ({
  ...d,
  principalPoint: [d.size[0] - 1 - d.principalPoint[0], d.principalPoint[1]]
})
