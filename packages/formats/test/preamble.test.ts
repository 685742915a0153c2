import { FileNotFoundError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { chooseSeries, groupSeries, type NamedBytes, readDicomFile, volumeFromSeries } from '../src/index.js'
import {
  type Content,
  changed,
  dataSetBytes,
  implicitItems,
  implicitSequence,
  partTen,
  seriesFiles,
  sliceElements
} from './dicom-bytes.js'
import { thrown } from './fixtures.js'

const twelve = (make: (k: number) => Uint8Array): NamedBytes[] =>
  Array.from({ length: 12 }, (_, k) => ({ name: `a${k}`, bytes: make(k) }))

describe('a data set without the preamble', () => {
  const CASES: Record<string, [NamedBytes[], string]> = {
    'explicit, with its meta group': [
      seriesFiles(12).map(f => ({ ...f, bytes: f.bytes.slice(132) })),
      '1.2.840.10008.1.2.1'
    ],
    'implicit, with its meta group': [
      twelve(k => partTen('', sliceElements(5 * k), '1.2.840.10008.1.2').bytes.slice(132)),
      '1.2.840.10008.1.2'
    ],
    explicit: [twelve(k => dataSetBytes(sliceElements(5 * k))), '1.2.840.10008.1.2.1'],
    implicit: [twelve(k => dataSetBytes(sliceElements(5 * k), false)), '1.2.840.10008.1.2'],
    'implicit, from the SOP class on': [
      twelve(k => dataSetBytes(changed(sliceElements(5 * k), { '00080008': null }), false)),
      '1.2.840.10008.1.2'
    ]
  }
  it.each(Object.keys(CASES))('%s', async what => {
    const [files, syntax] = CASES[what]
    expect(readDicomFile(files[0].bytes).header.transferSyntax.uid).toBe(syntax)
    const { volume } = await volumeFromSeries(chooseSeries(groupSeries(files)).files)
    expect(volume.size).toEqual([8, 8, 12])
    expect(new Set(volume.data)).toEqual(new Set([40]))
  })
  it('other files that begin alike are none, and stand in nobody’s way', async () => {
    const start = Uint8Array.from([8, 0, 5, 0, 10, 0, 0, 0])
    const alike: NamedBytes[] = [
      { name: 'short', bytes: start },
      { name: 'noise', bytes: Uint8Array.from([...start, ...new Array(90).fill(1)]) },
      { name: 'too long', bytes: Uint8Array.from([8, 0, 5, 0, 255, 255, 0, 0, ...new Array(90).fill(0)]) },
      { name: 'odd', bytes: Uint8Array.from([8, 0, 5, 0, 3, 0, 0, 0, ...new Array(90).fill(0)]) },
      { name: 'other group', bytes: Uint8Array.from([9, 0, 5, 0, 10, 0, 0, 0, ...new Array(90).fill(0)]) }
    ]
    expect([...groupSeries(alike).notDicom].sort()).toEqual(alike.map(f => f.name).sort())
    expect(await thrown(() => chooseSeries(groupSeries(alike)))).toBeInstanceOf(FileNotFoundError)
    expect(chooseSeries(groupSeries([...seriesFiles(12), ...alike])).count).toBe(12)
  })
  it('a truncated one of the series is named', async () => {
    const files = twelve(k => dataSetBytes(sliceElements(5 * k), false))
    const cut = files.map((f, k) => (k === 11 ? { name: 'cut', bytes: f.bytes.slice(0, -20) } : f))
    expect((await thrown(() => chooseSeries(groupSeries(cut)))).message).toMatch(/^cut: it ends inside/)
  })
})

describe('functional groups that an archive stored as of unknown kind (UN)', () => {
  // The archive knew only the length: the content stays in implicit little endian.
  it('are read as implicit little endian', async () => {
    const shared = {
      '00209116': implicitSequence({ '00200037': ['DS', '1', '0', '0', '0', '1', '0'] }),
      '00289110': implicitSequence({ '00280030': ['DS', '0.7', '0.7'] }),
      '00289145': implicitSequence({ '00281052': ['DS', '-24'], '00281053': ['DS', '1'] })
    } satisfies Record<string, Content>
    const frames = Array.from(
      { length: 10 },
      (_, k): Record<string, Content> => ({
        '00209113': implicitSequence({ '00200032': ['DS', '0', '0', `${2 * k}`] })
      })
    )
    const elements = changed(sliceElements(0, new Int16Array(640).fill(64)), {
      '00200032': null,
      '00200037': null,
      '00280008': ['IS', '10'],
      '00280030': null,
      '00281052': null,
      '00281053': null,
      '52009229': ['UN', implicitItems(shared)],
      '52009230': ['UN', implicitItems(...frames)]
    })
    const { volume } = await volumeFromSeries([partTen('enhanced.dcm', elements)])
    expect(volume.size).toEqual([8, 8, 10])
    expect(volume.spacing).toEqual([0.7, 0.7, 2])
    expect(volume.data[0]).toBe(40)
  })
})
