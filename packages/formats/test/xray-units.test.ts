import { GeometryError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { readXrayBytes, writeDicomXray, writePng16 } from '../src/index.js'
import { edited } from './dicom-edit.js'
import { thrown } from './fixtures.js'

const size = [120, 90] as const
const image = {
  width: size[0],
  height: size[1],
  data: Float32Array.from({ length: size[0] * size[1] }, (_, i) => i % 97)
}
const png = writePng16(image, { min: 0, max: 100 })
const detector = { sdd: 1000, pixel: [2, 2], size, principalPoint: [59.5, 44.5] } as const
const xa = { name: 'xa.dcm', bytes: writeDicomXray(image, { detector }) }

const read = (g: object) => readXrayBytes('x.png', png, { sddMm: 1000, pixelMm: [2, 2], size, ...g })

async function refuses(work: () => unknown, message: RegExp, hint: RegExp): Promise<void> {
  const error = await thrown(work)
  expect(error).toBeInstanceOf(GeometryError)
  expect(error.message).toMatch(message)
  expect(error.hint).toMatch(hint)
}

describe('lengths in another unit', () => {
  it.each([
    [{ sddMm: 120 }, /distance of x\.png is 120 mm.*centimetres/, /1200 instead of 120/],
    [{ sddMm: 1.2 }, /distance of x\.png is 1\.2 mm.*metres/, /1200 instead of 1\.2/],
    [{ sddMm: 1200000 }, /1200000 mm.*micrometres/, /1200 instead/],
    [{ sddMm: 47 }, /47 mm.*centimetres/, /sddMm/],
    [{ pixelMm: [800, 800] }, /pixel size of x\.png is 800 mm.*micrometres/, /0\.8 instead of 800/],
    [{ pixelMm: [2, 0.0008] }, /pixel size of x\.png is 0\.0008 mm.*metres/, /0\.8 instead/],
    [{ pixelMm: [0.1, 0.1] }, /longer side of x\.png \(120 pixels of 0\.1 mm\) is 12 mm/, /pixelMm/],
    [{ sddMm: 1e9 }, /no X-ray machine has \(300 to 4000 mm\)/, /sddMm/]
  ])('%j is refused, and the unit guessed', (g, message, hint) => refuses(() => read(g), message, hint))

  it('a DICOM file with centimetres, unless a geometry says it right', async () => {
    const cm = edited(xa, { '00181110': ['DS', '120'] }, 'cm.dcm')
    await refuses(() => readXrayBytes('cm.dcm', cm.bytes), /cm\.dcm is 120 mm.*centimetres/, /0018,1110/)
    const told = await readXrayBytes('cm.dcm', cm.bytes, { sddMm: 1200, pixelMm: [2, 2], size })
    expect(told.detector.sdd).toBe(1200)
  })

  it('a detector larger than any', async () => {
    const wide = writePng16({ ...image, width: 240, height: 45 }, { min: 0, max: 100 })
    await refuses(
      () => readXrayBytes('w.png', wide, { sddMm: 4000, pixelMm: [5, 5], size: [240, 45] }),
      /longer side of w\.png \(240 pixels of 5 mm\) is 1200 mm/,
      /pixelMm/
    )
  })

  it.each([
    [{ sddMm: 300, pixelMm: [0.3, 0.3] }],
    [{ sddMm: 4000, pixelMm: [5, 5] }],
    [{ sddMm: 1200, pixelMm: [1.6, 1.6] }]
  ])('%j is taken', async g => {
    expect((await read(g)).detector.sdd).toBe(g.sddMm)
  })

  it('a cut-out of few pixels may be small', async () => {
    const cut = { width: 12, height: 9, data: image.data.subarray(0, 108) }
    const small = writePng16(cut, { min: 0, max: 100 })
    const g = { sddMm: 1000, pixelMm: [0.4, 0.4], size: [12, 9] }
    expect((await readXrayBytes('c.png', small, g)).detector.size).toEqual([12, 9])
  })
})
