import { FileFormatError } from '@raypose/core'
import { zlibSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import { readMha, readVolumeBytes } from '../src/index.js'
import { thrown } from './fixtures.js'

const data = Int16Array.from({ length: 1000 }, (_, i) => (i % 7) * 100 - 300)
const body = new Uint8Array(data.buffer)
const KEYS = [
  'ObjectType = Image',
  'NDims = 3',
  'BinaryData = True',
  'BinaryDataByteOrderMSB = False',
  'TransformMatrix = 1 0 0 0 1 0 0 0 1',
  'ElementSpacing = 0.8 0.7 2',
  'DimSize = 10 10 10',
  'ElementType = MET_SHORT'
]
const mha = (keys: readonly string[], ...parts: Uint8Array[]) =>
  Uint8Array.from([
    ...new TextEncoder().encode(`${[...keys, 'ElementDataFile = LOCAL'].join('\n')}\n`),
    ...parts.flatMap(p => [...p])
  ])

describe('compressed MetaImage without its size', () => {
  const compressed = zlibSync(body)
  const keys = [...KEYS, 'CompressedData = True']

  it.each([0, 1, 2, 3, 4, 5, 17, 1000, 4096])('followed by %i bytes that are not its own', count => {
    for (const value of [0, 10, 255]) {
      const rest = new Uint8Array(count).fill(value)
      expect(readMha(mha(keys, compressed, rest)).volume.data).toEqual(data)
    }
  })

  it('truncated or damaged is refused as ever', async () => {
    const damaged = compressed.slice()
    damaged[damaged.length - 1] ^= 1
    for (const bytes of [compressed.subarray(0, -2), compressed.subarray(0, -20), damaged])
      for (const rest of [new Uint8Array(), new Uint8Array(3)])
        expect(await thrown(() => readMha(mha(keys, bytes, rest)))).toBeInstanceOf(FileFormatError)
  })
})

describe('a MetaImage is known', () => {
  it.each([
    'DistanceUnits = mm',
    'DimSize = 10 10 10',
    'AnatomicalOrientation = RAI',
    'Comment = a CT',
    'BinaryData = True'
  ])('when it begins with %s', async first => {
    const keys = [first, ...KEYS.filter(k => !k.startsWith(first.split(' ')[0]))]
    const read = await readVolumeBytes('ct.dat', mha(keys, body))
    expect(read.format).toBe('mha')
    expect(read.volume.data).toEqual(data)
  })

  it('and text with an equals sign is none', async () => {
    const error = await thrown(() => readVolumeBytes('a.txt', new TextEncoder().encode('x = 1\ny = 2\n')))
    expect(error.message).toMatch(/not a volume file/)
  })
})
