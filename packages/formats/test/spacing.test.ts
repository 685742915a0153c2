import { SeriesError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { type NamedBytes, volumeFromSeries } from '../src/index.js'
import { changed, partTen, sliceElements } from './dicom-bytes.js'
import { shuffled, thrown } from './fixtures.js'

/** Slices at these heights, written as text. */
const at = (heights: readonly string[]): NamedBytes[] =>
  heights.map((z, k) =>
    partTen(
      `s${String(k + 1).padStart(3, '0')}.dcm`,
      changed(sliceElements(k), { '00200032': ['DS', '-10', '-20', z] })
    )
  )

const rounded = (spacing: number, digits: number, count = 60, start = -33.3) =>
  Array.from({ length: count }, (_, k) => (start + k * spacing).toFixed(digits))

const read = (heights: readonly string[]) => volumeFromSeries(shuffled(at(heights)))
const failure = (heights: readonly string[]) => thrown(() => read(heights))

describe('thin slices whose positions are rounded to 0.1 mm', () => {
  it.each([0.45, 0.5, 0.6, 0.625, 0.75, 0.8, 0.9, 1.25])('%s mm pass', async spacing => {
    for (const start of [-33.3, -33.33, 0.05, 120.77]) {
      const { volume } = await read(rounded(spacing, 1, 60, start))
      expect(volume.size[2]).toBe(60)
      expect(Math.abs(volume.spacing[2] - spacing)).toBeLessThan(0.1 / 59 + 1e-9)
    }
  })
  it.each([0.45, 0.625, 0.75])('%s mm: slices that are missing are found and counted', async spacing => {
    const heights = rounded(spacing, 1)
    for (const k of [1, 7, 20, 41, 58]) {
      const error = await failure(heights.filter((_, i) => i !== k))
      expect(error).toBeInstanceOf(SeriesError)
      expect(error.message).toMatch(/missing.*1 missing: /)
    }
    const more = await failure(heights.filter((_, i) => i < 20 || i >= 31))
    expect(more.message).toMatch(/11 missing: /)
  })
  it('a slice that stands a third of the way off is found', async () => {
    const heights = rounded(0.625, 3)
    heights[30] = (Number(heights[30]) + 0.2).toFixed(3)
    expect((await failure(heights)).message).toMatch(/unevenly spaced/)
  })
  it('gaps of rounding size that do not even out are no rounding', async () => {
    // 0.6 mm in the first half, 0.7 mm in the second: each gap could be rounded, all of them cannot.
    const heights = Array.from({ length: 60 }, (_, k) => (k < 30 ? 0.6 * k : 18 + 0.7 * (k - 30)).toFixed(1))
    expect((await failure(heights)).message).toMatch(/unevenly spaced.*drift/)
  })
  it('at 0.1 mm rounding is no excuse: a missing slice is found', async () => {
    const heights = rounded(0.1, 1).filter((_, k) => k !== 30)
    expect((await failure(heights)).message).toMatch(/1 missing/)
  })
})

describe('directions written with two digits', () => {
  it('leave the pixels their size', async () => {
    const turned = Array.from({ length: 20 }, (_, k) =>
      partTen(
        `s${k}.dcm`,
        changed(sliceElements(k), { '00200037': ['DS', '0.71', '0.71', '0', '-0.71', '0.71', '0'] })
      )
    )
    const plain = (
      await volumeFromSeries(Array.from({ length: 20 }, (_, k) => partTen(`s${k}.dcm`, sliceElements(k))))
    ).volume
    const { volume } = await volumeFromSeries(turned)
    for (const axis of [0, 1, 2]) expect(volume.spacing[axis]).toBeCloseTo(plain.spacing[axis], 9)
    expect(volume.direction[0]).toBeCloseTo(Math.SQRT1_2, 9)
  })
})
