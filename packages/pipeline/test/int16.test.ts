import { IDENTITY3, type Volume, type VoxelArray } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { asInt16 } from '../src/prepare/int16.js'

const row = (data: VoxelArray): Volume => ({
  size: [data.length, 1, 1],
  spacing: [1, 1, 1],
  origin: [0, 0, 0],
  direction: IDENTITY3,
  data
})

describe('a volume in 16 bits', () => {
  it('is rounded, and held at the ends', () => {
    const { data } = asInt16(row(Float32Array.from([0.4, 0.6, -0.5, -2.7, 4e4, -4e4])))
    expect([...data]).toEqual([0, 1, 0, -3, 32767, -32768])
    expect([...asInt16(row(Uint16Array.from([7, 65535]))).data]).toEqual([7, 32767])
  })

  it('is not copied where it has them already', () => {
    const v = row(Int16Array.from([1, 2]))
    expect(asInt16(v)).toBe(v)
  })

  it('costs little time and no memory but its own, however large', () => {
    // Boxing each of these took six seconds and 1.3 GB.
    const v = row(new Float32Array(24_000_000).fill(40.3))
    const before = process.resourceUsage().maxRSS
    const started = performance.now()
    const { data } = asInt16(v)
    expect(performance.now() - started).toBeLessThan(2500)
    expect((process.resourceUsage().maxRSS - before) / 1024).toBeLessThan(150)
    expect(data[23_999_999]).toBe(40)
  })
})
