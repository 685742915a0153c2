import { SeriesError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { type NamedBytes, volumeFromSeries } from '../src/index.js'
import { type Content, changed, partTen, seriesFiles, sliceElements } from './dicom-bytes.js'
import { convert, hasCommand, thrown } from './fixtures.js'

const axial = seriesFiles(12)
const again = (changes: Record<string, Content | null>, pixels?: Int16Array): NamedBytes =>
  partTen('copy/a04.dcm', changed(sliceElements(15, pixels), changes))

describe('the same slice twice', () => {
  it('a copy is left out with a note', async () => {
    const plain = await volumeFromSeries(axial)
    const { volume, notes } = await volumeFromSeries([
      ...axial,
      again({}),
      { ...axial[7], name: 'copy/a08.dcm' }
    ])
    expect(volume).toEqual(plain.volume)
    expect(notes.join()).toMatch(/2 file\(s\) are copies.*copy\/a04\.dcm, copy\/a08\.dcm/)
  })
  it.skipIf(!hasCommand('dcmcrle'))('a copy that was compressed is one too', async () => {
    const bytes = convert(axial[3].bytes, 'dcmcrle', (input, output) => [input, output])
    const { volume, notes } = await volumeFromSeries([...axial, { name: 'rle.dcm', bytes }])
    expect(volume.size[2]).toBe(12)
    expect(notes.join()).toMatch(/copies.*rle\.dcm/)
  })
  it('at the same place with other pixels, another UID, or other rescaling: refused', async () => {
    for (const other of [
      again({}, new Int16Array(64).fill(41)),
      again({ '00080018': ['UI', '9.9.9'] }),
      again({ '00080018': null }),
      again({ '00281052': ['DS', '-1024'] })
    ]) {
      const error = await thrown(() => volumeFromSeries([...axial, other]))
      expect(error).toBeInstanceOf(SeriesError)
      expect(error.message).toMatch(/more than one slice.*a04\.dcm/)
    }
  })
  it('one UID for all slices, as careless anonymisers leave, makes no copies', async () => {
    const files = seriesFiles(12, () => ({ '00080018': ['UI', '9.9.9'] }))
    const { volume, notes } = await volumeFromSeries(files)
    expect(volume.size[2]).toBe(12)
    expect(notes).toEqual([])
  })
})
