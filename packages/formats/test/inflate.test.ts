import { CancelledError, createRandom, FileFormatError } from '@raypose/core'
import { gzipSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import { concatBytes, ELEMENT_BYTES, type ElementType, huFromBytes } from '../src/bytes/elements.js'
import { gunzip, gunzipInPieces } from '../src/bytes/inflate.js'
import { readVolumeBytes, writeNifti } from '../src/index.js'
import { asymmetricVolume, thrown } from './fixtures.js'

/** Noise, which does not grow smaller: several pieces of a compressed file. */
const noise = Uint8Array.from({ length: 3_000_000 }, () => 0)
const random = createRandom(3)
for (let i = 0; i < noise.length; i++) noise[i] = random.integer(256)
const same = (a: Uint8Array, b: Uint8Array) => a.length === b.length && a.every((x, i) => x === b[i])

describe('a gzip stream', () => {
  const compressed = gzipSync(noise, { level: 1 })

  it('of many pieces, of several members, or of zeros, comes out as it went in', async () => {
    const zeros = new Uint8Array(5_000_000)
    const two = concatBytes([compressed, gzipSync(zeros)])
    for (const read of [gunzip, gunzipInPieces]) {
      expect(same(await read(compressed, 'a'), noise)).toBe(true)
      expect(same(await read(gzipSync(zeros), 'a'), zeros)).toBe(true)
      expect(same(await read(two, 'a'), concatBytes([noise, zeros]))).toBe(true)
    }
  })

  it('with a wrong length at its end is refused, however large that is', async () => {
    for (const length of [0, 7, 0x7fffffff, 0xffffffff]) {
      const bytes = gzipSync(noise.subarray(0, 1000))
      new DataView(bytes.buffer).setUint32(bytes.length - 4, length, true)
      expect(await thrown(() => gunzip(bytes, 'a'))).toBeInstanceOf(FileFormatError)
    }
  })

  it('lets go when the work is cancelled', async () => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 0)
    const volume = asymmetricVolume(undefined, [150, 150, 100])
    const bytes = gzipSync(writeNifti(volume), { level: 1 })
    expect(bytes.length).toBeGreaterThan(2_000_000)
    const error = await thrown(() => readVolumeBytes('ct.nii.gz', bytes, { signal: controller.signal }))
    expect(error).toBeInstanceOf(CancelledError)
  })
})

describe('stored numbers as HU', () => {
  const types: [ElementType, number[]][] = [
    ['uint8', [1, 2, 250]],
    ['int16', [0x0100, 0x0200, -3]],
    ['uint16', [1, 2, 30000]],
    ['int32', [-5, 7, 900]],
    ['float32', [-1000, 40.25, 3]],
    ['float64', [-1000, 40.25, 3]],
    ['int64', [-1000, 40, 3]]
  ]
  it.each(types)('%s: at any place among the bytes, in either order, apart from them', (type, values) => {
    const size = ELEMENT_BYTES[type]
    for (const little of [true, false])
      for (const offset of [0, 8, 3]) {
        const bytes = new Uint8Array(offset + size * values.length)
        const view = new DataView(bytes.buffer)
        values.forEach((x, i) => {
          const at = offset + i * size
          if (type === 'uint8') view.setUint8(at, x)
          else if (type === 'int16' || type === 'uint16') view.setInt16(at, x, little)
          else if (type === 'int32') view.setInt32(at, x, little)
          else if (type === 'float32') view.setFloat32(at, x, little)
          else if (type === 'float64') view.setFloat64(at, x, little)
          else view.setBigInt64(at, BigInt(x), little)
        })
        const before = bytes.slice()
        const read = (slope?: number, intercept?: number) =>
          huFromBytes(bytes.subarray(offset), type, 3, little, 'a', slope, intercept)
        const hu = read()
        expect([...hu]).toEqual(values)
        expect([...read(2, -1)]).toEqual(values.map(x => (2 * x - 1 > 32767 ? 59999 : 2 * x - 1)))
        expect(bytes).toEqual(before)
        hu.fill(0)
        expect(bytes).toEqual(before)
      }
  })
})
