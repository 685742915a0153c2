/** A single-channel image: row-major, pixel centres at integer (column u, row v). */
export interface Image {
  readonly width: number
  readonly height: number
  readonly data: Float32Array
}

export const createImage = (width: number, height: number): Image => ({
  width,
  height,
  data: new Float32Array(width * height)
})

/** Smallest and largest value. */
export function imageRange(image: Image): { min: number; max: number } {
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY
  for (const x of image.data) {
    if (x < min) min = x
    if (x > max) max = x
  }
  return { min, max }
}

/** Mean over factor×factor blocks; rows and columns left over at the end are dropped. */
export function binImage(image: Image, factor: number): Image {
  const width = Math.floor(image.width / factor)
  const height = Math.floor(image.height / factor)
  const out = new Float32Array(width * height)
  for (let y = 0; y < height * factor; y++) {
    const row = Math.floor(y / factor) * width
    for (let x = 0; x < width * factor; x++)
      out[row + Math.floor(x / factor)] += image.data[y * image.width + x]
  }
  const s = 1 / (factor * factor)
  for (let i = 0; i < out.length; i++) out[i] *= s
  return { width, height, data: out }
}
