import { createPhantom, cropToBox, IDENTITY3, type Vec3, type Volume } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { withoutFilling } from '../src/files/filling.js'
import { assertHounsfield } from '../src/prepare/hounsfield.js'
import { assertCt, keptSpacing, takeIn } from '../src/prepare/intake.js'
import { sampled } from './bodies.js'

const phantom = createPhantom({ seed: 4, spacing: 4 })
const shifted = (v: Volume, by: number): Volume => {
  const data = new Float32Array(v.data.length)
  for (let i = 0; i < data.length; i++) data[i] = v.data[i] + by
  return { ...v, data }
}
const notHu = expect.objectContaining({
  code: 'volume',
  message: expect.stringMatching(/not in Hounsfield units.*no air/),
  hint: expect.stringMatching(/1024 too high.*rescale.*subtract 1024/)
})

describe('values without their rescale', () => {
  it.each([1024, 1000])('HU + %i are refused, whether or not air is in view', by => {
    expect(() => assertCt(shifted(phantom.ct, by))).toThrow(notHu)
    expect(() => assertHounsfield(shifted(cutInside(60), by))).toThrow(notHu)
  })

  it('are refused with what a scanner writes outside its field', () => {
    const [ni, nj] = phantom.ct.size
    const raw = shifted(phantom.ct, 1024)
    for (let i = 0; i < raw.data.length; i++) {
      const [x, y] = [(i % ni) - ni / 2, (Math.floor(i / ni) % nj) - nj / 2]
      if (Math.hypot(x / ni, y / nj) > 0.5) raw.data[i] = -2000
    }
    expect(() => assertCt(raw)).toThrow(notHu)
  })

  it('are refused where the body is small in its field', () => {
    // A body of 25 cm, a tenth of whose area is bone, in a field of 78 cm: 8 % of it.
    const raw = sampled([78, 78, 12], [10, 10, 5], [-385, -385, 0], (x, y) => {
      const r = Math.hypot(x, y)
      return r > 125 ? 24 : r < 40 ? 1700 : 1064
    })
    expect(() => assertHounsfield(raw)).toThrow(notHu)
    expect(() => assertHounsfield(shifted(raw, -1024))).not.toThrow()
  })

  it('are not seen in a CT in HU: whole, cut out of a body, or of bone mostly', () => {
    expect(() => assertCt(phantom.ct)).not.toThrow()
    for (const half of [45, 60, 80]) expect(() => assertCt(cutInside(half))).not.toThrow()
    // A shaft of dense bone fills a third of it.
    const shaft = sampled([50, 50, 50], [2, 2, 2], [-49, -49, -49], (x, y) =>
      Math.abs(Math.hypot(x, y) - 33) < 8 ? 1400 : 40
    )
    expect(() => assertCt(shaft)).not.toThrow()
    // Bone of one value, and air about it.
    const model = sampled([50, 50, 50], [2, 2, 2], [-49, -49, -49], (x, y) =>
      Math.hypot(x, y) < 40 ? 1000 : -1000
    )
    expect(() => assertCt(model)).not.toThrow()
  })
})

/** A box within the phantom's body. */
function cutInside(half: number): Volume {
  const c = phantom.isocenter
  return cropToBox(phantom.ct, {
    min: c.map(x => x - half) as unknown as Vec3,
    max: c.map(x => x + half) as unknown as Vec3
  })
}

describe('padding below the scale', () => {
  const located = {
    lpsFromCt: IDENTITY3,
    isocenter: [0, 0, 0] as Vec3,
    agreeing: 20,
    landmarks: 23,
    residualMm: 3,
    verified: true,
    orientationsTried: 1
  }
  const padded = sampled([300, 300, 60], [0.4, 0.4, 1], [-60, -60, -30], (x, y) =>
    Math.hypot(x, y) > 55 ? -3024 : Math.hypot(x, y) < 40 ? 700 : 0
  )

  it('is lifted to -1024 HU before voxels are averaged, and a note says so', () => {
    const before = padded.data.slice()
    const { volume, notes } = takeIn(padded, located, 'pelvis')
    expect(Math.min(...volume.data.slice(0, 150 * 150))).toBe(-1024)
    expect(notes.join(' ')).toMatch(/\d+ voxels \(33\.\d+ %\) below -1024 HU, down to -3024/)
    // What was given stays as it was.
    expect(padded.data.every((x, i) => x === before[i])).toBe(true)
  })

  it('of a few voxels is lifted without a word', () => {
    const volume = sampled([80, 80, 80], [2, 2, 2], [-80, -80, -80], (x, y) =>
      Math.hypot(x, y) < 60 ? 40 : -1000
    )
    volume.data[7] = -1500
    const taken = takeIn(volume, located, 'pelvis')
    expect(taken.volume.data[7]).toBe(-1024)
    expect(taken.notes).toHaveLength(3)
  })
})

describe('what fills a CT beyond its field', () => {
  // A field of 110 mm, filled with water beyond it; a body of 80 mm with some water in it.
  const filledWith = (fill: number) =>
    sampled([60, 60, 12], [2, 2, 3], [-59, -59, 0], (x, y) => {
      const r = Math.hypot(x, y)
      return r > 55 ? fill : r > 40 ? -1000 : r < 5 ? 0 : 40
    })

  it('is air, whichever axis runs along the body, and a note says so', () => {
    const volume = filledWith(0)
    const { volume: cleared, note } = withoutFilling(volume)
    expect(note).toMatch(/hold 0 HU, and 3\d\.\d % .* now -1024 HU/)
    const expected = filledWith(-1024)
    expect(cleared.data).toEqual(expected.data)
    expect(volume.data).toEqual(filledWith(0).data)
    // The same voxels with slices along the first axis.
    const [nx, ny, nz] = volume.size
    const turned: Volume = {
      ...volume,
      size: [nz, nx, ny],
      spacing: [3, 2, 2],
      direction: [0, 1, 0, 0, 0, 1, 1, 0, 0],
      data: Int16Array.from(
        { length: nx * ny * nz },
        (_, i) => volume.data[Math.floor(i / nz) + (i % nz) * nx * ny]
      )
    }
    expect(withoutFilling(turned).volume.data).toEqual(
      Int16Array.from(
        { length: nx * ny * nz },
        (_, i) => expected.data[Math.floor(i / nz) + (i % nz) * nx * ny]
      )
    )
  })

  it('is air where the field is tilted, or ends before the file does', () => {
    // Turned about x by so much within a box that stays: beyond the scan's ends as well as beside it.
    for (const degrees of [2, 3, 5, 10]) {
      const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)]
      const tilted = (fill: number) =>
        sampled([50, 50, 40], [4, 4, 5], [-98, -98, -97.5], (x, y, z) => {
          const [r, height] = [Math.hypot(x, c * y + s * z), c * z - s * y]
          return r > 90 || Math.abs(height) > 90 ? fill : r < 60 ? 40 : -1000
        })
      expect(withoutFilling(tilted(0)).volume.data, `${degrees}°`).toEqual(tilted(-1024).data)
    }
  })

  it('stays where it is air, where a slice has it not, and where the body is made of it', () => {
    expect(withoutFilling(filledWith(-1000)).note).toBeNull()
    const odd = filledWith(0)
    odd.data[7 * 3600] = 1
    expect(withoutFilling(odd)).toEqual({ volume: odd, note: null })
    const tank = sampled([60, 60, 12], [2, 2, 3], [-59, -59, 0], (x, y) => (Math.hypot(x, y) < 20 ? 700 : 0))
    expect(withoutFilling(tank)).toEqual({ volume: tank, note: null })
  })

  it('is cleared of values with fractions', () => {
    const volume = filledWith(0.5)
    const fractions = { ...volume, data: Float32Array.from(volume.data, x => (x === 0 ? 0.5 : x)) }
    expect(withoutFilling(fractions).volume.data[0]).toBe(-1024)
  })
})

describe('the voxels that are kept', () => {
  it('are a scanner’s own, unless they are too fine or too many', () => {
    const kept = (size: Vec3, spacing: Vec3) => keptSpacing({ size, spacing })
    expect(kept([512, 475, 460], [0.8, 0.8, 1])).toEqual([0.8, 0.8, 1])
    expect(kept([400, 400, 100], [0.4, 0.4, 5])).toEqual([0.8, 0.8, 5])
    for (const [size, spacing] of [
      [
        [512, 475, 920],
        [0.8, 0.8, 0.5]
      ],
      [
        [960, 760, 920],
        [0.5, 0.5, 0.5]
      ]
    ] as [Vec3, Vec3][]) {
      const s = kept(size, spacing)
      const count = s.reduce((n, x, a) => (n * size[a] * spacing[a]) / x, 1)
      expect(count).toBeLessThanOrEqual(130e6)
      expect(count).toBeGreaterThan(110e6)
      expect(Math.max(...s)).toBeLessThan(1)
    }
  })
})
