import { FileFormatError, SeriesError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { chooseSeries, groupSeries, type NamedBytes, readVolumeBytes } from '../src/index.js'
import { type Content, changed, partTen, seriesFiles, sliceElements } from './dicom-bytes.js'
import { shuffled, thrown } from './fixtures.js'

const axial = seriesFiles(12)
const choose = (files: readonly NamedBytes[], uid?: string) => chooseSeries(groupSeries(shuffled(files)), uid)

const WITHOUT_IMAGE: Record<string, Content | null> = {
  '00280010': null,
  '00280011': null,
  '00280100': null,
  '7FE00010': null
}
const other = (name: string, changes: Record<string, Content | null>, syntax?: string) =>
  partTen(name, changed(sliceElements(0), { '0020000E': ['UI', '1.2.3.77'], ...changes }), syntax)
const cut = (file: NamedBytes, by: number): NamedBytes => ({
  name: file.name,
  bytes: file.bytes.slice(0, file.bytes.length - by)
})
/** Cut off right behind its meta group: nothing says which series it is of. */
const nameless = (file: NamedBytes, storageClass: string): NamedBytes => ({
  name: file.name,
  bytes: Uint8Array.from([...partTen('', { '00080016': ['UI', storageClass] }).bytes.slice(0, -2)])
})

describe('files of other series do not stand in the way', () => {
  const CASES: Record<string, [NamedBytes, RegExp]> = {
    'a Siemens CSA object': [
      other('csa.dcm', { '00080016': ['UI', '1.3.12.2.1107.5.9.1'], ...WITHOUT_IMAGE }),
      /without an image left out: csa\.dcm/
    ],
    'an ECG': [
      other('ecg.dcm', {
        '00080016': ['UI', '1.2.840.10008.5.1.4.1.1.9.1.1'],
        '00080060': ['CS', 'ECG'],
        ...WITHOUT_IMAGE
      }),
      /without an image left out: ecg\.dcm/
    ],
    'a transfer syntax that is not supported': [
      other('film.dcm', { '00080060': ['CS', 'US'] }, '1.2.840.10008.1.2.4.102'),
      /cannot be read and were left out: film\.dcm/
    ],
    'one of a CT': [other('film.dcm', {}, '1.2.840.10008.1.2.4.102'), /left out: film\.dcm/],
    'a truncated file of another series': [cut(other('cut.dcm', {}), 20), /left out: cut\.dcm/],
    'a truncated file that is of another kind': [
      nameless(other('us.dcm', {}), '1.2.840.10008.5.1.4.1.1.6.1'),
      /left out: us\.dcm/
    ]
  }
  it.each(Object.keys(CASES))('%s', what => {
    const [file, note] = CASES[what]
    for (const uid of [undefined, '1.2.3.4']) {
      const chosen = choose([...axial, file], uid)
      expect([chosen.seriesUid, chosen.count]).toEqual(['1.2.3.4', 12])
      expect(chosen.notes.join()).toMatch(note)
    }
  })
  it('a damaged file of the series, or of no series that is known, does', async () => {
    const ct = '1.2.840.10008.5.1.4.1.1.2'
    for (const file of [cut(axial[4], 20), nameless(axial[4], ct), nameless(axial[4], '')])
      for (const uid of [undefined, '1.2.3.4']) {
        const error = await thrown(() => choose([...axial.filter((_, k) => k !== 4), file], uid))
        expect(error).toBeInstanceOf(FileFormatError)
        expect(error.message).toContain('a05.dcm')
      }
  })
  it('a CT slice that ends before its pixels is damaged, not another thing', async () => {
    const files = axial.map((f, k) =>
      k === 11 ? partTen(f.name, changed(sliceElements(55), WITHOUT_IMAGE)) : f
    )
    expect((await thrown(() => choose(files))).message).toContain('a12.dcm')
  })
  it('a whole CT that cannot be read is said, not passed over for a scout', async () => {
    const video = axial.map((f, k) => partTen(f.name, sliceElements(5 * k), '1.2.840.10008.1.2.4.102'))
    const scout = other('scout.dcm', { '00080008': ['CS', 'ORIGINAL', 'PRIMARY', 'LOCALIZER'] })
    for (const uid of [undefined, '1.2.3.4']) {
      const error = await thrown(() => choose([...video, scout], uid))
      expect(error).toBeInstanceOf(FileFormatError)
      expect(error.message).toMatch(/1\.2\.840\.10008\.1\.2\.4\.102.*11 more/)
    }
    expect(await thrown(() => choose([...video, scout], '9.9'))).toBeInstanceOf(SeriesError)
  })
})

it('a DICOMDIR given as the CT: the folder is asked for', async () => {
  const directory = partTen('DICOMDIR', {
    '00080016': ['UI', '1.2.840.10008.1.3.10'],
    '00041130': ['CS', 'DISC']
  })
  const error = await thrown(() => readVolumeBytes('DICOMDIR', directory.bytes))
  expect(error).toBeInstanceOf(FileFormatError)
  expect(error.message).toMatch(/DICOMDIR.*table of contents/)
  expect(error.hint).toMatch(/Give the folder/)
})
