import { describe, expect, it } from 'vitest'
import { volumeFromSeries } from '../src/index.js'
import { type Content, seriesFiles } from './dicom-bytes.js'

const CORNERS = [0, 7, 56, 63]
const TWELVE: Record<string, Content> = { '00280101': ['US', 12], '00280102': ['US', 11] }

/** A body of 40 HU with noise, so that no value fills it, and one bone; its corners hold the padding. */
function picture<T extends Int16Array | Uint16Array>(pixels: T, tissue: number, padding: number): T {
  for (let i = 0; i < 64; i++) pixels[i] = tissue + (i % 5)
  pixels[27] = tissue + 1000
  for (const i of CORNERS) pixels[i] = padding
  return pixels
}

/** What the body of {@link picture} is in HU, with air in the corners. */
const wanted = Array.from({ length: 64 }, (_, i) =>
  CORNERS.includes(i) ? -1024 : i === 27 ? 1040 : 40 + (i % 5)
)

const unsigned = (padding: number) => () => picture(new Uint16Array(64), 1064, padding)
const signed = (padding: number) => () => picture(new Int16Array(64), 40, padding)
const UNSIGNED: Record<string, Content> = { '00281052': ['DS', '-1024'] }

async function read(changes: Record<string, Content>, pixels: () => Int16Array | Uint16Array) {
  const { volume, notes } = await volumeFromSeries(seriesFiles(10, () => changes, pixels))
  return { data: volume.data, first: [...volume.data.subarray(0, 64)], notes }
}

describe('padding that the header names is air, and the series stays Int16', () => {
  const CASES: Record<string, [Record<string, Content>, () => Int16Array | Uint16Array]> = {
    'unsigned, 63536': [{ ...UNSIGNED, '00280120': ['US', 63536] }, unsigned(63536)],
    'unsigned, given with the other sign': [{ ...UNSIGNED, '00280120': ['SS', -2000] }, unsigned(63536)],
    'signed, given without sign': [{ '00280120': ['US', 63536] }, signed(-2000)],
    'signed, −32768': [{ '00280120': ['SS', -32768] }, signed(-32768)],
    'twelve bits stored, padding in all sixteen': [
      { ...UNSIGNED, ...TWELVE, '00280120': ['US', 63536] },
      unsigned(63536)
    ],
    'twelve bits signed, padding in all sixteen': [{ ...TWELVE, '00280120': ['SS', -3024] }, signed(-3024)],
    'a value that could be bone': [{ ...UNSIGNED, '00280120': ['US', 2096] }, unsigned(2096)],
    'twelve bits with an overlay in the others': [
      { ...UNSIGNED, ...TWELVE, '00280120': ['US', 3000] },
      () => unsigned(3000)().map(v => v | 0xa000)
    ]
  }
  it.each(Object.keys(CASES))('%s', async what => {
    const { data, first } = await read(...CASES[what])
    expect(first).toEqual(wanted)
    expect(data).toBeInstanceOf(Int16Array)
  })
  it('a range, its limit on either side', async () => {
    const pixels = () => {
      const p = unsigned(63000)()
      p[7] = 63536
      p[56] = 63300
      return p
    }
    for (const [value, limit] of [
      [63000, 63536],
      [63536, 63000]
    ]) {
      const range: Record<string, Content> = { '00280120': ['US', value], '00280121': ['US', limit] }
      expect((await read({ ...UNSIGNED, ...range }, pixels)).first).toEqual(wanted)
    }
  })
  it('a range across zero, in unsigned pixels, is no reason to blank them all', async () => {
    const range: Record<string, Content> = { '00280120': ['SS', -5], '00280121': ['SS', 5] }
    const { first } = await read({ ...UNSIGNED, ...range }, unsigned(65533))
    expect(first).toEqual(wanted)
  })
  it('a value that tissue has is padding at the rim, and tissue within', async () => {
    const pixels = () => {
      const p = picture(new Int16Array(64), 40, 0)
      for (const i of [1, 9, 20, 36]) p[i] = 0
      return p
    }
    const { first } = await read({ '00280120': ['SS', 0] }, pixels)
    // The corner's neighbours are reached from the rim, over each other.
    const expected = wanted.map((hu, i) => ([1, 9].includes(i) ? -1024 : [20, 36].includes(i) ? 0 : hu))
    expect(first).toEqual(expected)
  })
  it('another value than the padding stays', async () => {
    const { first } = await read({ ...UNSIGNED, '00280120': ['US', 63536] }, unsigned(0))
    expect(first).toEqual(wanted)
    const bone = await read({ ...UNSIGNED, '00280120': ['US', 63536] }, () => {
      const p = unsigned(63536)()
      p[20] = 4096 - 3
      return p
    })
    expect(bone.first[20]).toBe(3069)
  })
})

describe('padding that the header does not name', () => {
  it('far below air: air, as Int16', async () => {
    for (const value of [-2000, -3024, -32768]) {
      const { data, first, notes } = await read({}, signed(value))
      expect(first).toEqual(wanted)
      expect(data).toBeInstanceOf(Int16Array)
      expect(notes).toEqual([])
    }
    const lowered = await read({ '00281052': ['DS', '-1024'] }, () =>
      picture(new Int16Array(64), 1064, -32768)
    )
    expect(lowered.first).toEqual(wanted)
    expect(lowered.data).toBeInstanceOf(Int16Array)
  })
  it('one value above −300 HU in the corners of every slice: air, with a note', async () => {
    for (const value of [2096, 63536]) {
      const { data, first, notes } = await read(UNSIGNED, unsigned(value))
      expect(first).toEqual(wanted)
      expect(data).toBeInstanceOf(Int16Array)
      expect(notes.join()).toMatch(new RegExp(`corners.*${value - 1024} HU.*air`))
    }
  })
  it('the same value inside the circle stays', async () => {
    const { first } = await read(UNSIGNED, () => {
      const p = unsigned(2096)()
      p[28] = 2096
      return p
    })
    expect(first[28]).toBe(1072)
  })
  it('fractional values keep it too', async () => {
    const { data, first } = await read({ '00281053': ['DS', '0.5'] }, () =>
      picture(new Int16Array(64), 81, 2096)
    )
    expect(data).toBeInstanceOf(Float32Array)
    expect(CORNERS.map(i => first[i])).toEqual([-1024, -1024, -1024, -1024])
    expect(first[1]).toBe(41)
    expect(first[2]).toBe(41.5)
  })
  it('corners that differ in one slice stay as they are, large values as Float32', async () => {
    for (const value of [2096, 63536]) {
      const files = seriesFiles(
        10,
        () => UNSIGNED,
        k => {
          const p = unsigned(value)()
          if (k === 9) p[63] = 1100
          return p
        }
      )
      const { volume, notes } = await volumeFromSeries(files)
      expect(volume.data[0]).toBe(value - 1024)
      expect(volume.data[9 * 64 + 56]).toBe(value - 1024)
      expect(volume.data[9 * 64 + 63]).toBe(76)
      expect(volume.data[1]).toBe(41)
      expect(notes).toEqual([])
    }
  })
  it('a body that fills the slices with one value has no padding', async () => {
    const { first, notes } = await read({}, () => new Int16Array(64).fill(40))
    expect(first).toEqual(new Array(64).fill(40))
    expect(notes).toEqual([])
  })
})
