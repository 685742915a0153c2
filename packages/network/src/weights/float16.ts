/** IEEE 754 half precision, as bits; round to nearest, ties to even; beyond ±65504 becomes infinity. */
export function toFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const out = new Uint16Array(values.length)
  for (let i = 0; i < values.length; i++) {
    const sign = (bits[i] >>> 16) & 0x8000
    const magnitude = bits[i] & 0x7fffffff
    if (magnitude >= 0x7f800000) out[i] = sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00)
    else if (magnitude >= 0x477ff000) out[i] = sign | 0x7c00
    else if (magnitude >= 0x38800000) {
      const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1)
      out[i] = sign | ((rounded - 0x38000000) >>> 13)
    } else {
      // Subnormal halves are multiples of 2^-24.
      const scaled = Math.abs(values[i]) * 16777216
      const floor = Math.floor(scaled)
      const rest = scaled - floor
      out[i] = sign | (floor + (rest > 0.5 || (rest === 0.5 && floor & 1) ? 1 : 0))
    }
  }
  return out
}

export function fromFloat16(bits: Uint16Array): Float32Array {
  const out = new Float32Array(bits.length)
  for (let i = 0; i < bits.length; i++) {
    const exponent = (bits[i] >>> 10) & 31
    const mantissa = bits[i] & 1023
    const value =
      exponent === 31
        ? mantissa
          ? Number.NaN
          : Number.POSITIVE_INFINITY
        : exponent === 0
          ? mantissa * 2 ** -24
          : (1 + mantissa / 1024) * 2 ** (exponent - 15)
    out[i] = bits[i] & 0x8000 ? -value : value
  }
  return out
}
