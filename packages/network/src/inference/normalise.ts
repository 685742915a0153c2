import { ArgumentError } from '@raypose/core'
import type { NetworkGeometry } from '../architectures/spec.js'

/**
 * What training and inference both do to an image before the network: zero mean and unit standard deviation, then
 * padded at the right and bottom to the input size by repeating the last column and row.
 * @param image imageHeight × imageWidth values, row-major, in any linear scale (bone bright)
 * @param into receives [inputHeight, inputWidth] at `offset`
 */
export function normaliseInput(
  geometry: NetworkGeometry,
  image: Float32Array,
  into: Float32Array = new Float32Array(geometry.inputWidth * geometry.inputHeight),
  offset = 0
): Float32Array {
  const { imageWidth: w, imageHeight: h, inputWidth, inputHeight } = geometry
  if (image.length !== w * h)
    throw new ArgumentError(
      `The image has ${image.length} pixels; the network takes ${w}×${h}`,
      'Resample the image to the size in the spec of the network.'
    )
  let sum = 0
  for (let i = 0; i < image.length; i++) sum += image[i]
  const mean = sum / image.length
  let squares = 0
  for (let i = 0; i < image.length; i++) squares += (image[i] - mean) ** 2
  // A flat image has no scale; it becomes zeros.
  const deviation = Math.sqrt(squares / image.length)
  const factor = 1 / (deviation + 1e-6)
  for (let y = 0; y < inputHeight; y++) {
    const from = Math.min(y, h - 1) * w
    const to = offset + y * inputWidth
    for (let x = 0; x < inputWidth; x++) into[to + x] = (image[from + Math.min(x, w - 1)] - mean) * factor
  }
  return into
}
