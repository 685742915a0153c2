import { FileFormatError } from '@raypose/core'
import { createBitReader, type JpegScan } from './markers.js'

/** Where the k-th coefficient of a zigzag goes in a row-major 8×8 block. Source: ITU-T T.81 figure A.6. */
const ZIGZAG = Uint8Array.from([
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46,
  53, 60, 61, 54, 47, 55, 62, 63
])

/** `COSINE[8·x + u] = C(u)/2 · cos((2x + 1) u π / 16)`: one dimension of the inverse DCT. */
const COSINE = Float64Array.from({ length: 64 }, (_, i) => {
  const u = i % 8
  return ((u === 0 ? Math.SQRT1_2 : 1) / 2) * Math.cos(((2 * (i >> 3) + 1) * u * Math.PI) / 16)
})

/**
 * Decodes a sequential DCT scan of one component, 8 or 12 bits (JPEG Baseline and Extended). Source: T.81 annexes A, F.
 * @returns width·height samples, unsigned
 * @throws FileFormatError if the data ends early or is damaged.
 */
export function decodeSequentialJpeg(bytes: Uint8Array, scan: JpegScan, what: string): Uint16Array {
  const { width, height, precision, restartInterval } = scan
  const quantization = scan.quantization as Uint16Array
  const ac = scan.ac as Uint16Array
  const out = new Uint16Array(width * height)
  const bits = createBitReader(bytes, scan.start, what)
  const coefficients = new Float64Array(64)
  const samples = new Float64Array(64)
  const shift = 2 ** (precision - 1)
  const highest = 2 ** precision - 1
  let dc = 0
  let untilRestart = restartInterval
  for (let y = 0; y < height; y += 8)
    for (let x = 0; x < width; x += 8) {
      if (restartInterval > 0 && untilRestart-- === 0) {
        bits.restart()
        untilRestart = restartInterval - 1
        dc = 0
      }
      coefficients.fill(0)
      dc += bits.difference(checkedLength(bits.symbol(scan.dc), what))
      coefficients[0] = dc * quantization[0]
      for (let k = 1; k < 64; k++) {
        const symbol = bits.symbol(ac)
        const run = symbol >> 4
        const length = symbol & 15
        if (length === 0) {
          // Sixteen zeros, or the end of the block.
          if (run !== 15) break
          k += 15
          continue
        }
        k += run
        if (k > 63) throw damaged(what)
        coefficients[ZIGZAG[k]] = bits.difference(length) * quantization[k]
      }
      inverseDct(coefficients, samples)
      const w = Math.min(8, width - x)
      const h = Math.min(8, height - y)
      for (let r = 0; r < h; r++)
        for (let c = 0; c < w; c++)
          out[(y + r) * width + x + c] = Math.max(
            0,
            Math.min(highest, Math.round(samples[8 * r + c] + shift))
          )
    }
  return out
}

const damaged = (what: string) =>
  new FileFormatError(
    `${what}: JPEG data holds an impossible coefficient`,
    'The file is damaged: copy or export it again.'
  )

function checkedLength(n: number, what: string): number {
  if (n > 15) throw damaged(what)
  return n
}

const rowsDone = new Float64Array(64)

/** Separable: columns of the transform over rows, then over columns. */
function inverseDct(f: Float64Array, out: Float64Array): void {
  for (let v = 0; v < 8; v++)
    for (let x = 0; x < 8; x++) {
      let s = 0
      for (let u = 0; u < 8; u++) s += COSINE[8 * x + u] * f[8 * v + u]
      rowsDone[8 * v + x] = s
    }
  for (let x = 0; x < 8; x++)
    for (let y = 0; y < 8; y++) {
      let s = 0
      for (let v = 0; v < 8; v++) s += COSINE[8 * y + v] * rowsDone[8 * v + x]
      out[8 * y + x] = s
    }
}
