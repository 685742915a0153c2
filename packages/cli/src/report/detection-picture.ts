import type { Detection, Image } from '@raypose/core'
import { writePng8Rgb } from '@raypose/formats'
import { OVERLAY_COLOURS } from './overlay.js'
import { contrastWindow, createPicture, drawCircle, drawCross, drawGrey, drawLine } from './picture.js'
import { resizeForScreen } from './resize.js'

/**
 * An image with circles where its landmarks are and crosses where a network found them, joined by lines; as PNG.
 * @param points true u, v of each landmark, pixels; landmark after landmark. Those outside the image are left out
 */
export function drawDetections(
  image: Image,
  points: ArrayLike<number>,
  found: readonly Detection[]
): Uint8Array {
  const ground = resizeForScreen(image, 480)
  const { width, height } = ground.image
  const picture = createPicture(width, height)
  drawGrey(picture, ground.image, contrastWindow(image, 0.005))
  const place = (u: number, v: number) =>
    [(u + 0.5) * ground.scale - 0.5, (v + 0.5) * ground.scale - 0.5] as const
  const radius = Math.max(2, width / 110)
  found.forEach((d, k) => {
    const [u, v] = [points[2 * k], points[2 * k + 1]]
    if (!(u >= 0 && v >= 0 && u <= image.width - 1 && v <= image.height - 1)) return
    const [truth, seen] = [place(u, v), place(d.u, d.v)]
    drawLine(picture, truth, seen, 0.5, OVERLAY_COLOURS.detected)
    drawCircle(picture, ...truth, radius, OVERLAY_COLOURS.projected)
    drawCross(picture, ...seen, radius, OVERLAY_COLOURS.detected)
  })
  return writePng8Rgb(width, height, picture.rgb)
}
