import { type Image, lpsToIndex, sampleTrilinear, type Vec3, type Volume } from '@raypose/core'
import { writePng8Rgb } from '@raypose/formats'
import { OVERLAY_COLOURS } from './overlay.js'
import { createPicture, drawCircle, drawGrey, drawLine } from './picture.js'

/** Extent of a slice about its landmark, mm, and pixels along it. */
const EXTENT_MM = 90
const SIDE = 180
/** Bone window: HU from black to white. */
const WINDOW = { min: -150, max: 750 }

/** Axes along which a slice is taken, with the directions of its picture: columns and rows downwards, LPS. */
const PLANES = [
  { name: 'axial', across: [1, 0, 0], down: [0, 1, 0] },
  { name: 'coronal', across: [1, 0, 0], down: [0, 0, -1] },
  { name: 'sagittal', across: [0, 1, 0], down: [0, 0, -1] }
] as const satisfies readonly { name: string; across: Vec3; down: Vec3 }[]

/**
 * Axial, coronal and sagittal slices through a landmark side by side, as an 8-bit RGB PNG with the landmark in a circle. The patient's
 * left is at the right, as in a C-arm's AP view; anterior is up in the first and left in the last.
 * @param p LPS mm; outside the volume there is air
 */
export function drawSlices(volume: Volume, p: Vec3): Uint8Array {
  const picture = createPicture(SIDE * PLANES.length, SIDE)
  PLANES.forEach(({ across, down }, k) => {
    const left = k * SIDE
    drawGrey(picture, slice(volume, p, across, down), WINDOW, left, 0)
    const middle = (SIDE - 1) / 2
    drawCircle(picture, left + middle, middle, 7, OVERLAY_COLOURS.projected)
    if (k > 0) drawLine(picture, [left, 0], [left, SIDE], 0.5, [90, 96, 104])
  })
  return writePng8Rgb(picture.width, picture.height, picture.rgb)
}

function slice(volume: Volume, p: Vec3, across: Vec3, down: Vec3): Image {
  const data = new Float32Array(SIDE * SIDE)
  const step = EXTENT_MM / SIDE
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++) {
      const a = (x - (SIDE - 1) / 2) * step
      const d = (y - (SIDE - 1) / 2) * step
      const q: Vec3 = [
        p[0] + a * across[0] + d * down[0],
        p[1] + a * across[1] + d * down[1],
        p[2] + a * across[2] + d * down[2]
      ]
      data[y * SIDE + x] = Math.max(WINDOW.min, Math.min(WINDOW.max, sampleTrilinear(volume, q, -1000)))
    }
  return { width: SIDE, height: SIDE, data }
}

/** Whether a landmark lies in the scan, so that slices through it show anything. */
export const isShown = (volume: Volume, p: Vec3): boolean =>
  lpsToIndex(volume, p).every((x, a) => x >= 0 && x <= volume.size[a] - 1)
