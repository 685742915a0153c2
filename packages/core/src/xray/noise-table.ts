import type { Random } from '../random/random.js'

/** Length of {@link noiseTable}, a power of 2. */
export const NOISE_LENGTH = 1 << 16
let table: Float32Array | undefined

/** Standard normal numbers, the same in every run, to be read from a random place in random strides: drawing 45,000 of them an image would cost more than all else. */
export function noiseTable(): Float32Array {
  if (table) return table
  let s = 0x2545f491
  const uniform = () => ((s = (Math.imul(s, 1664525) + 1013904223) >>> 0) + 0.5) / 4294967296
  table = Float32Array.from(
    { length: NOISE_LENGTH },
    () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
  )
  return table
}

/** Independent standard normal numbers, up to {@link NOISE_LENGTH} of them none twice. */
export function normalNoise(length: number, random: Random): Float32Array {
  const numbers = noiseTable()
  const stride = 1 + 2 * random.integer(NOISE_LENGTH / 2)
  let at = random.integer(NOISE_LENGTH)
  const out = new Float32Array(length)
  for (let i = 0; i < length; i++) {
    out[i] = numbers[at]
    at = (at + stride) & (NOISE_LENGTH - 1)
  }
  return out
}
