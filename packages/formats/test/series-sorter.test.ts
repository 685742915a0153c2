import { describe, expect, it } from 'vitest'
import { outlineOf } from '../src/dicom/outline.js'
import {
  chooseSeries,
  createSeriesSorter,
  groupSeries,
  type NamedBytes,
  volumeFromSeries
} from '../src/index.js'
import {
  changed,
  implicitItems,
  implicitSequence,
  partTen,
  seriesFiles,
  sliceElements
} from './dicom-bytes.js'
import { shuffled } from './fixtures.js'

const enhanced = partTen(
  'enhanced.dcm',
  changed(sliceElements(0, new Int16Array(640).fill(64)), {
    '0020000E': ['UI', '1.2.9'],
    '00200032': null,
    '00200037': null,
    '00280008': ['IS', '10'],
    '00280030': null,
    '52009229': [
      'UN',
      implicitItems({
        '00209116': implicitSequence({ '00200037': ['DS', '1', '0', '0', '0', '1', '0'] }),
        '00289110': implicitSequence({ '00280030': ['DS', '0.7', '0.7'] })
      })
    ],
    '52009230': [
      'UN',
      implicitItems(
        ...Array.from({ length: 10 }, (_, k) => ({
          '00209113': implicitSequence({ '00200032': ['DS', '0', '0', `${2 * k}`] })
        }))
      )
    ]
  })
)
const letter: NamedBytes = { name: 'letter.txt', bytes: new TextEncoder().encode('Dear Raypose') }
const cut = { name: 'cut.dcm', bytes: seriesFiles(1)[0].bytes.slice(0, -20) }
const files = shuffled([...seriesFiles(12), enhanced, letter, cut])

describe('series told apart file by file', () => {
  const sorter = createSeriesSorter()
  // As Node reads files.
  for (const { name, bytes } of files) sorter.add({ name, bytes: Buffer.from(bytes) }, true)
  const light = sorter.listing()
  const whole = groupSeries(files)

  it('are the same where pixels are let go', () => {
    expect(light.series.map(s => ({ ...s, files: s.files.map(f => f.header) }))).toEqual(
      whole.series.map(s => ({ ...s, files: s.files.map(f => f.header) }))
    )
    expect(light.series.map(s => outlineOf(s.files))).toEqual(whole.series.map(s => outlineOf(s.files)))
    expect([light.notDicom, light.unreadable.map(u => u.name)]).toEqual([['letter.txt'], ['cut.dcm']])
  })

  it('hold no more than headers then', () => {
    for (const [i, s] of light.series.entries())
      for (const [k, file] of s.files.entries()) {
        expect(file.pixelsDropped).toBe(true)
        expect(file.dataset.bytes('7FE00010')).toBeNull()
        const whole0 = whole.series[i].files[k]
        const pixels = whole0.dataset.bytes('7FE00010')!
        expect(file.dataset.bytes('0020000E')!.buffer.byteLength).toBeLessThan(
          pixels.buffer.byteLength - pixels.length + 1
        )
      }
  })

  it('make no volume until they are read again', async () => {
    const sound = createSeriesSorter()
    for (const file of files) if (file !== cut) sound.add(file, true)
    const chosen = chooseSeries(sound.listing(), '1.2.3.4')
    await expect(volumeFromSeries(chosen.files)).rejects.toThrow(/no pixel data/)
    const again = chosen.files.map(f => files.find(({ name }) => name === f.name)!)
    expect((await volumeFromSeries(again)).volume.size).toEqual([8, 8, 12])
  })
})
