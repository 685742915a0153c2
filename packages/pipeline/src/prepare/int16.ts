import type { Volume, VoxelArray } from '@raypose/core'

/**
 * A volume in 16 bits: rounded, what is beyond them held at their ends. One that has them already is given back as it is.
 *
 * A plain loop: `Int16Array.from` with a function boxes every value, and on a large CT that ends the process.
 */
export function asInt16(v: Volume): Volume<Int16Array> {
  const { data } = v
  return data instanceof Int16Array ? (v as Volume<Int16Array>) : { ...v, data: rounded(data) }
}

function rounded(values: VoxelArray): Int16Array {
  const out = new Int16Array(values.length)
  for (let i = 0; i < out.length; i++) out[i] = Math.max(-32768, Math.min(32767, Math.round(values[i])))
  return out
}
