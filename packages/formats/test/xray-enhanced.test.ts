import { DEGREE, XrayError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { readXrayBytes } from '../src/index.js'
import { edited } from './dicom-edit.js'
import { thrown } from './fixtures.js'
import { item, SIZE, xaFile } from './xray-fixtures.js'

/** Nothing of the geometry at the top level. */
const BARE = {
  '00181110': null,
  '00181111': null,
  '00181164': null,
  '00281040': null,
  '00281041': null,
  '00281052': null,
  '00281053': null
}
const sequence = (elements: Parameters<typeof item>[0]) => ['SQ', item(elements)] as const
const geometry = (sdd: string, isocentre: number) =>
  sequence({ '00181110': ['DS', sdd], '00189402': ['FL', isocentre] })
const pixels = sequence({
  '00181164': ['DS', '2', '2.5'],
  '00281040': ['CS', 'LIN'],
  '00281041': ['SS', 1]
})
const SHARED = {
  '00189476': geometry('1100', 700),
  '00289443': pixels,
  '00189405': sequence({ '00181510': ['DS', '-30'], '00181511': ['DS', '10'] })
}
const twoFrames = (() => {
  const count = SIZE[0] * SIZE[1]
  const values = Uint16Array.from({ length: 2 * count }, (_, i) => (i % 89) + (i < count ? 0 : 500))
  return { '00280008': ['IS', '2'], '7FE00010': ['OW', values.buffer] } as const
})()

describe('geometry in the functional groups of an enhanced XA image', () => {
  it('shared by all frames', async () => {
    const file = edited(xaFile(), { ...BARE, '52009229': sequence(SHARED) }, 'enhanced.dcm')
    const read = await readXrayBytes('enhanced.dcm', file.bytes)
    expect(read.detector.sdd).toBe(1100)
    expect(read.detector.pixel).toEqual([2.5, 2])
    expect(read.sourceToPatient).toBe(700)
    expect(read.positioner?.primary).toBeCloseTo(-30 * DEGREE, 12)
    expect(read.positioner?.secondary).toBeCloseTo(10 * DEGREE, 12)
    expect([read.intensity, read.bright, read.guessed]).toEqual(['linear', 'exposure', []])
  })

  it("a frame's own go before the shared ones, and these before the top level", async () => {
    const file = edited(xaFile(), {
      ...BARE,
      ...twoFrames,
      '00181110': ['DS', '900'],
      '00181164': ['DS', '1', '1'],
      '52009229': sequence(SHARED),
      '52009230': [
        'SQ',
        item({}),
        item({
          '00189476': geometry('1200', 720),
          '00189405': sequence({ '00181510': ['DS', '40'], '00181511': ['DS', '0'] })
        })
      ]
    })
    const [first, second] = await Promise.all(
      [0, 1].map(frame => readXrayBytes('e.dcm', file.bytes, undefined, { frame }))
    )
    expect([first.detector.sdd, first.sourceToPatient]).toEqual([1100, 700])
    expect([second.detector.sdd, second.sourceToPatient]).toEqual([1200, 720])
    expect(second.detector.pixel).toEqual([2.5, 2])
    expect(second.positioner?.primary).toBeCloseTo(40 * DEGREE, 12)
    expect([first.image.data[1], second.image.data[1]]).toEqual([1, ((SIZE[0] * SIZE[1] + 1) % 89) + 500])
  })

  it('orientation and rescaling of the frame', async () => {
    const file = edited(xaFile(), {
      ...BARE,
      '00200020': null,
      '52009229': sequence({
        ...SHARED,
        '00189405': sequence({ '00181510': ['DS', '180'], '00181511': ['DS', '0'] }),
        '00209450': sequence({ '00200020': ['CS', 'R', 'F'] }),
        '00289145': sequence({ '00281052': ['DS', '100'], '00281053': ['DS', '2'] })
      })
    })
    const read = await readXrayBytes('e.dcm', file.bytes)
    expect(read.mirrored).toBe(true)
    expect(read.image.data[0]).toBe(100)
  })

  it('what is nowhere is still missed', async () => {
    const file = edited(xaFile(), { ...BARE, '52009229': sequence({ '00289443': pixels }) })
    const error = await thrown(() => readXrayBytes('e.dcm', file.bytes))
    expect(error).toBeInstanceOf(XrayError)
    expect(error.message).toMatch(/\(0018,1110\)$/)
  })
})
