import { VolumeError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { volumeFromSeries } from '../src/index.js'
import {
  type Content,
  changed,
  dataSetBytes,
  itemBytes,
  partTen,
  seriesFiles,
  sliceElements
} from './dicom-bytes.js'
import { thrown } from './fixtures.js'

const read = (changes: Record<string, Content | null>) => volumeFromSeries(seriesFiles(10, () => changes))

describe('values that are not known to be Hounsfield units are refused', () => {
  it('no intercept, no slope, neither', async () => {
    const none = await thrown(() => read({ '00281052': null, '00281053': null }))
    expect(none).toBeInstanceOf(VolumeError)
    expect(none.message).toMatch(/^a\d\d\.dcm .*Intercept \(0028,1052\), Rescale Slope \(0028,1053\)/)
    expect(none.hint).toMatch(/export.*again/i)
    const intercept = await thrown(() => read({ '00281052': null }))
    expect(intercept.message).toMatch(/no Rescale Intercept \(0028,1052\)$/)
    const slope = await thrown(() => read({ '00281053': ['DS', '0'] }))
    expect(slope.message).toMatch(/no Rescale Slope \(0028,1053\)$/)
  })
  it('one slice of the series suffices', async () => {
    const files = seriesFiles(10, k => (k === 6 ? { '00281052': null } : {}))
    expect((await thrown(() => volumeFromSeries(files))).message).toContain('a07.dcm')
  })
  it('another unit', async () => {
    for (const type of ['MGML', 'Z_EFF', 'ED']) {
      const error = await thrown(() => read({ '00281054': ['LO', type] }))
      expect(error).toBeInstanceOf(VolumeError)
      expect(error.message).toMatch(new RegExp(`Rescale Type \\(0028,1054\\) is ${type}`))
    }
    for (const type of ['HU', 'US', '', 'hu'])
      expect((await read({ '00281054': ['LO', type] })).volume.data[0]).toBe(40)
  })
})

describe('an enhanced CT', () => {
  const sequence = (...items: Uint8Array[]): Content => ['SQ', itemBytes(...items)]
  const enhanced = (transform: Record<string, Content> | null, changes: Record<string, Content | null>) => {
    const shared = dataSetBytes({
      '00209116': sequence(dataSetBytes({ '00200037': ['DS', '1', '0', '0', '0', '1', '0'] })),
      '00289110': sequence(dataSetBytes({ '00280030': ['DS', '1', '1'] })),
      ...(transform ? { '00289145': sequence(dataSetBytes(transform)) } : {})
    })
    const frames = Array.from({ length: 10 }, (_, k) =>
      dataSetBytes({
        '00209113': sequence(dataSetBytes({ '00200032': ['DS', '0', '0', String(2 * k)] }))
      })
    )
    const elements = changed(sliceElements(0, new Int16Array(640).fill(40)), {
      '00080016': ['UI', '1.2.840.10008.5.1.4.1.1.2.1'],
      '00200032': null,
      '00200037': null,
      '00280008': ['IS', '10'],
      '00280030': null,
      '00281052': null,
      '00281053': null,
      '52009229': sequence(shared),
      '52009230': sequence(...frames),
      ...changes
    })
    return volumeFromSeries([partTen('enhanced.dcm', elements)])
  }
  it('takes the rescaling of its functional groups, or its own', async () => {
    const ten: Record<string, Content> = { '00281052': ['DS', '10'], '00281053': ['DS', '1'] }
    expect((await enhanced(ten, {})).volume.data[0]).toBe(50)
    expect((await enhanced(ten, { '00281052': ['DS', '7'] })).volume.data[0]).toBe(50)
    expect((await enhanced(null, ten)).volume.data[0]).toBe(50)
  })
  it('is refused without one, or in another unit', async () => {
    expect((await thrown(() => enhanced(null, {}))).message).toMatch(/frame 1 .*\(0028,1052\)/)
    const density: Record<string, Content> = {
      '00281052': ['DS', '0'],
      '00281053': ['DS', '1'],
      '00281054': ['LO', 'MGML']
    }
    expect((await thrown(() => enhanced(density, {}))).message).toMatch(/frame 1 .*MGML/)
  })
})
