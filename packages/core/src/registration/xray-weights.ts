import { type Image, imageRange } from '../image/image.js'

export interface XrayWeightOptions {
  /** Half the side of the squares that are looked at, pixels; default 3. */
  readonly radius?: number
  /** Share of clipped pixels in its square from which a pixel counts nothing; default 0.15. */
  readonly clipped?: number
}

/** An end of the grey scale is a clip where at least this share of the pixels is at it. */
const CLIP_SHARE = 0.002

/**
 * Which pixels of an X-ray show the patient: not those behind collimator blades or metal, in markers or in the open beam, which sit at an end
 * of the grey scale, alone or, where noise scatters them, among others.
 * @returns weights 0 or 1; all 1 where less than a tenth of the image would be left
 */
export function xrayWeights(image: Image, { radius = 3, clipped = 0.15 }: XrayWeightOptions = {}): Image {
  const { width, height, data } = image
  const { min, max } = imageRange(image)
  const slack = 1e-6 * (max - min)
  const ends = [min, max].filter(
    end => data.reduce((n, x) => n + (Math.abs(x - end) <= slack ? 1 : 0), 0) >= CLIP_SHARE * data.length
  )
  const weights = new Float32Array(width * height).fill(1)
  if (ends.length === 0) return { width, height, data: weights }
  // Summed-area table of clipped pixels.
  const table = new Uint32Array((width + 1) * (height + 1))
  for (let y = 0; y < height; y++)
    for (let x = 0, row = 0; x < width; x++) {
      const value = data[y * width + x]
      if (ends.some(end => Math.abs(value - end) <= slack)) row++
      table[(y + 1) * (width + 1) + x + 1] = table[y * (width + 1) + x + 1] + row
    }
  let left = 0
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [x0, x1] = [Math.max(0, x - radius), Math.min(width, x + radius + 1)]
      const [y0, y1] = [Math.max(0, y - radius) * (width + 1), Math.min(height, y + radius + 1) * (width + 1)]
      const count = table[y1 + x1] - table[y1 + x0] - table[y0 + x1] + table[y0 + x0]
      const area = ((x1 - x0) * (y1 - y0)) / (width + 1)
      if (count > clipped * area) weights[y * width + x] = 0
      else left++
    }
  return { width, height, data: left >= 0.1 * weights.length ? weights : weights.fill(1) }
}
