import { IDENTITY3 } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { sha256 } from '../src/files/hash.js'
import { hashVolume } from '../src/prepare/intake.js'

describe('SHA-256', () => {
  it('of text, of bytes, of a part of a buffer and of nothing', () => {
    const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    const bytes = new TextEncoder().encode('-abc-')
    expect(sha256('abc')).toBe(abc)
    expect(sha256(bytes.subarray(1, 4))).toBe(abc)
    const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    expect(sha256(new Uint8Array())).toBe(empty)
    expect(sha256('')).toBe(empty)
  })

  it('of a volume stays what patients were prepared with', () => {
    const data = Int16Array.from({ length: 8 }, (_, i) => 100 * i - 300)
    const volume = {
      size: [2, 2, 2],
      spacing: [1, 1, 2],
      origin: [0, 5, -7],
      direction: IDENTITY3,
      data
    } as const
    expect(hashVolume(volume)).toBe('27fd4ee8da6c9c592d0acb92479b6059563684e6ec5b7019dc71e67d036c1720')
  })

  it('of more than 2 GiB', () => {
    // As sha256sum has it for that many zeros.
    expect(sha256(new Uint8Array(2 ** 31 + 10))).toBe(
      '9ca421a580ce54604c1989291253343d59a7032271badaf10a54c60c03ea2175'
    )
  })
})
