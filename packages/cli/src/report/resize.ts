import { binImage, type Image } from '@raypose/core'

/** An image at another size, and where its pixels went. */
export interface ResizedImage {
  readonly image: Image
  /** Pixels of the result per pixel of the original. */
  readonly scale: number
}

/**
 * `factor` times as many pixels each way, by Catmull–Rom interpolation; the same area is covered, so that pixel u comes
 * to lie at (u + 1/2)·factor − 1/2.
 */
export function upscale(image: Image, factor: number): Image {
  if (factor === 1) return image
  const wide = resample(image.data, image.width, image.height, factor, 1, image.width)
  const width = image.width * factor
  return { width, height: image.height * factor, data: resample(wide, image.height, width, factor, width, 1) }
}

/** Interpolates `lines` lines of `n` values `step` apart; the line keeps its place, its values `factor` times as many. */
function resample(
  data: Float32Array,
  n: number,
  lines: number,
  factor: number,
  step: number,
  stride: number
): Float32Array {
  const out = new Float32Array(data.length * factor)
  const outStride = step === 1 ? stride * factor : stride
  for (let i = 0; i < n * factor; i++) {
    const x = (i + 0.5) / factor - 0.5
    const k = Math.floor(x)
    const t = x - k
    const weights = [
      ((-t + 2) * t - 1) * t * 0.5,
      ((3 * t - 5) * t * t + 2) * 0.5,
      ((-3 * t + 4) * t + 1) * t * 0.5,
      (t - 1) * t * t * 0.5
    ]
    const from = weights.map((_, m) => Math.max(0, Math.min(n - 1, k - 1 + m)) * step)
    for (let line = 0; line < lines; line++) {
      const o = line * stride
      out[line * outStride + i * step] =
        weights[0] * data[o + from[0]] +
        weights[1] * data[o + from[1]] +
        weights[2] * data[o + from[2]] +
        weights[3] * data[o + from[3]]
    }
  }
  return out
}

/** Brings an image near `width` pixels: whole factors up to 3, or blocks averaged where it is larger. */
export function resizeForScreen(image: Image, width = 800): ResizedImage {
  if (image.width > 1.5 * width) {
    const factor = Math.floor(image.width / width)
    return { image: binImage(image, factor), scale: 1 / factor }
  }
  const factor = Math.max(1, Math.min(3, Math.floor(width / image.width)))
  return { image: upscale(image, factor), scale: factor }
}
