const bits = new Uint32Array(1)
const value = new Float32Array(bits.buffer)

/**
 * The bits of the half-precision number nearest to x (ties to even), for 0 ≤ x < 65520: within 2⁻¹¹ of x, relatively,
 * from 2⁻¹⁴ on, and within 2⁻²⁵ absolutely below.
 */
export function halfBits(x: number): number {
  // Below the normal range, halves are the multiples of 2⁻²⁴. Rounding up from the largest of them gives the bits of 2⁻¹⁴.
  if (x < 2 ** -14) return roundToEven(x * 2 ** 24)
  value[0] = x
  const b = bits[0]
  // A carry out of the 10 bits kept goes into the exponent, as it should.
  return (b - 0x38000000 + 0xfff + ((b >>> 13) & 1)) >>> 13
}

function roundToEven(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  return floor + (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? 1 : 0)
}
