import { GeometryError, XrayError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { readUncalibratedXray, readXrayBytes, writePng16 } from '../src/index.js'
import { edited } from './dicom-edit.js'
import { thrown } from './fixtures.js'
import { SIZE, xaFile } from './xray-fixtures.js'

const xa = xaFile(650)
const spacingOnly = { '00181164': null, '00280030': ['DS', '1', '1.5'] } as const

describe('a pixel spacing alone, of a C-arm', () => {
  const read = (changes: Parameters<typeof edited>[1], geometry?: unknown) =>
    readXrayBytes('p.dcm', edited(xa, { ...spacingOnly, ...changes }).bytes, geometry)

  it('is scaled by the magnification factor', async () => {
    const { detector, notes } = await read({ '00181114': ['DS', '1.6'] })
    expect(detector.pixel).toEqual([1.5 * 1.6, 1.6])
    expect(notes.join()).toMatch(/scaled by the magnification 1\.6 \(0018,1114\)/)
  })

  it('else by source to detector over source to patient', async () => {
    const { detector, notes } = await read({})
    expect(detector.pixel[0]).toBeCloseTo((1.5 * 1000) / 650, 9)
    expect(notes.join()).toMatch(/scaled by 1\.538/)
    const told = await read({}, { sddMm: 1300 })
    expect(told.detector.pixel[0]).toBeCloseTo(3, 9)
  })

  it("else it is taken for the detector's, with what that may do", async () => {
    const { detector, notes } = await read({ '00181111': null })
    expect(detector.pixel).toEqual([1.5, 1])
    expect(notes.join()).toMatch(/nothing says how the patient was magnified.*depth and scale are wrong/)
  })

  it('radiography has it for the detector', async () => {
    const { detector } = await read({ '00080060': ['CS', 'DX'] })
    expect(detector.pixel).toEqual([1.5, 1])
  })

  it('nothing is said of it where the pixel size is given', async () => {
    const { detector, notes } = await read({ '00181111': null }, { pixelMm: [2, 2] })
    expect(detector.pixel).toEqual([2, 2])
    expect(notes.join()).not.toMatch(/imager pixel spacing/)
  })
})

describe('a geometry that says a part', () => {
  const bare = edited(xa, { '00181110': null }, 'bare.dcm')

  it('completes what the file lacks', async () => {
    const read = await readXrayBytes('bare.dcm', bare.bytes, { sddMm: 1200 })
    expect(read.detector).toEqual({
      sdd: 1200,
      pixel: [2, 2],
      size: SIZE,
      principalPoint: [59.5, 44.5]
    })
    expect(read.notes).toEqual([])
    const byOption = await readXrayBytes('bare.dcm', bare.bytes, undefined, { sdd: 1200 })
    expect(byOption.detector).toEqual(read.detector)
  })

  it('goes before the file, and says so', async () => {
    const read = await readXrayBytes('xa.dcm', xa.bytes, { sddMm: 1200, pixelMm: [1, 2] })
    expect([read.detector.sdd, read.detector.pixel]).toEqual([1200, [1, 2]])
    expect(read.notes.join()).toMatch(/source is 1000 mm from the detector: 1200 mm is taken/)
    expect(read.notes.join()).toMatch(/pixels are 2 × 2 mm: 1 × 2 mm is taken/)
    expect((await readXrayBytes('xa.dcm', xa.bytes, { sddMm: 1000 })).notes).toEqual([])
  })

  it('and the distance on the command line goes before both', async () => {
    const geometry = { sddMm: 1100, pixelMm: [2, 2], size: SIZE }
    expect((await readXrayBytes('xa.dcm', xa.bytes, geometry, { sdd: 1200 })).detector.sdd).toBe(1200)
    const image = {
      width: SIZE[0],
      height: SIZE[1],
      data: Float32Array.from({ length: SIZE[0] * SIZE[1] }, (_, i) => i % 97)
    }
    const png = writePng16(image, { min: 0, max: 100 })
    expect((await readXrayBytes('x.png', png, geometry, { sdd: 1200 })).detector.sdd).toBe(1200)
    const error = await thrown(() => readXrayBytes('x.png', png, { sddMm: 1200 }))
    expect(error).toBeInstanceOf(GeometryError)
  })

  it('names what is missing still', async () => {
    const error = await thrown(() => readXrayBytes('bare.dcm', bare.bytes, { pixelMm: [2, 2] }))
    expect(error).toBeInstanceOf(XrayError)
    expect(error.message).toMatch(/bare\.dcm.*no source-to-detector distance/)
    expect(error.message).not.toMatch(/pixel/)
    expect(error.hint).toMatch(/--sdd/)
    expect((await readUncalibratedXray('bare.dcm', bare.bytes, { sdd: 1200 })).detector?.sdd).toBe(1200)
  })

  it('of another size, or that is none', async () => {
    const size = await thrown(() => readXrayBytes('bare.dcm', bare.bytes, { sddMm: 1200, size: [9, 9] }))
    expect(size).toBeInstanceOf(XrayError)
    expect(size.message).toMatch(/120 × 90 pixels.*9 × 9/)
    for (const sdd of [0, -1200, Number.NaN])
      expect(await thrown(() => readXrayBytes('b.dcm', bare.bytes, undefined, { sdd }))).toBeInstanceOf(
        GeometryError
      )
  })
})
