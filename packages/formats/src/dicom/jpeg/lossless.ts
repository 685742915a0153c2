import { FileFormatError } from '@raypose/core'
import { createBitReader, type JpegScan } from './markers.js'

/**
 * Decodes a lossless JPEG scan (process 14, predictors 1–7). Source: ITU-T T.81 annex H.
 * @returns width·height samples of up to 16 bits, unsigned
 * @throws FileFormatError if the data ends early or is damaged.
 */
export function decodeLosslessJpeg(bytes: Uint8Array, scan: JpegScan, what: string): Uint16Array {
  const { width, height, precision, predictor, pointTransform, restartInterval, dc } = scan
  if (predictor < 1 || predictor > 7 || precision < 2 || precision > 16)
    throw new FileFormatError(
      `${what}: lossless JPEG with predictor ${predictor} at ${precision} bits is not valid`,
      'The file is damaged: copy or export it again.'
    )
  const out = new Uint16Array(width * height)
  const bits = createBitReader(bytes, scan.start, what)
  const initial = 1 << (precision - pointTransform - 1)
  // The first line after a restart is predicted as the first of the image is.
  let firstLine = 0
  let untilRestart = restartInterval
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at++) {
      if (restartInterval > 0 && untilRestart-- === 0) {
        bits.restart()
        untilRestart = restartInterval - 1
        firstLine = y
      }
      const category = bits.symbol(dc)
      if (category > 16)
        throw new FileFormatError(
          `${what}: lossless JPEG data holds a difference of ${category} bits`,
          'The file is damaged: copy or export it again.'
        )
      const difference = category === 16 ? 32768 : bits.difference(category)
      let prediction: number
      if (y === firstLine) prediction = x === 0 ? initial : out[at - 1]
      else if (x === 0) prediction = out[at - width]
      else prediction = predict(predictor, out[at - 1], out[at - width], out[at - width - 1])
      out[at] = prediction + difference
    }
  if (pointTransform > 0) for (let i = 0; i < out.length; i++) out[i] <<= pointTransform
  return out
}

/** Table H.1: from the sample at the left (a), above (b) and above left (c). */
function predict(predictor: number, a: number, b: number, c: number): number {
  switch (predictor) {
    case 1:
      return a
    case 2:
      return b
    case 3:
      return c
    case 4:
      return a + b - c
    case 5:
      return a + ((b - c) >> 1)
    case 6:
      return b + ((a - c) >> 1)
    default:
      return (a + b) >> 1
  }
}
