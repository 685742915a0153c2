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
