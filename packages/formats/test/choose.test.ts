import { SeriesError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { chooseSeries, groupSeries, type NamedBytes, volumeFromSeries } from '../src/index.js'
import { type Content, changed, partTen, seriesFiles, sliceElements } from './dicom-bytes.js'
import { shuffled, thrown } from './fixtures.js'

type Changes = Record<string, Content | null>
const WITHOUT_PLACE: Changes = { '00200032': null, '00200037': null, '00280030': null }

const one = (name: string, uid: string, changes: Changes): NamedBytes =>
  partTen(name, changed(sliceElements(0), { '0020000E': ['UI', uid], ...changes }))

const axial = seriesFiles(12)
const scout = one('scout.dcm', '1.2.3.1', {
  '0008103E': ['LO', 'Scout'],
  '00080008': ['CS', 'ORIGINAL', 'PRIMARY', 'LOCALIZER'],
  '00200037': ['DS', '1', '0', '0', '0', '0', '-1']
})
const dose = one('dose.dcm', '1.2.3.999', {
  '0008103E': ['LO', 'Dose Report'],
  '00080016': ['UI', '1.2.840.10008.5.1.4.1.1.7'],
  '00080008': ['CS', 'DERIVED', 'SECONDARY', 'SCREEN SAVE'],
  ...WITHOUT_PLACE
})

const choose = (files: readonly NamedBytes[], uid?: string) => chooseSeries(groupSeries(shuffled(files)), uid)

describe('the export of a PACS', () => {
  it('scout, axial slices and dose report: the axial slices are taken, and what was left out is said', async () => {
    const chosen = choose([...axial, scout, dose])
    expect(chosen.seriesUid).toBe('1.2.3.4')
    expect(chosen.notes.join()).toMatch(
      /1\.2\.3\.1 \(CT "Scout", 1 image of 8 × 8\): localizer; 1\.2\.3\.999 \(CT "Dose Report".*\): secondary capture/
    )
    expect((await volumeFromSeries(chosen.files)).volume.size).toEqual([8, 8, 12])
  })
  it('every kind of CT series that makes no volume', () => {
    const kinds: Record<string, NamedBytes[]> = {
      'colour images': [one('c.dcm', '1.9', { '00280002': ['US', 3] })],
      'no place in the patient': [one('p.dcm', '1.9', WITHOUT_PLACE)],
      '3 planes, fewer than 8': seriesFiles(3, () => ({ '0020000E': ['UI', '1.9'] })),
      'all in one plane': seriesFiles(20, () => ({
        '0020000E': ['UI', '1.9'],
        '00200032': ['DS', '0', '0', '50']
      }))
    }
    for (const [reason, files] of Object.entries(kinds)) {
      const chosen = choose([...axial, ...files])
      expect(chosen.seriesUid).toBe('1.2.3.4')
      expect(chosen.notes.join()).toContain(`: ${reason}`)
    }
  })
  it('two volumes: listed by orientation, spacing, extent and kernel', async () => {
    const coronal = seriesFiles(10, k => ({
      '0020000E': ['UI', '1.2.3.5'],
      '00181210': ['SH', 'B70f'],
      '00200032': ['DS', '0', String(-2.5 * k), '0'],
      '00200037': ['DS', '1', '0', '0', '0', '0', '-1'],
      '00280030': ['DS', '2', '3']
    }))
    const error = await thrown(() => choose([...axial, ...coronal, scout]))
    expect(error).toBeInstanceOf(SeriesError)
    expect(error.message).toMatch(/There are 2 CT series/)
    expect(error.message).toMatch(
      /1\.2\.3\.4 \(.*?\): axial, slices 5 mm apart, 8 × 8 × 60 mm, kernel not said/
    )
    expect(error.message).toMatch(
      /1\.2\.3\.5 \(.*?\): coronal, slices 2\.5 mm apart, 24 × 16 × 25 mm, kernel B70f/
    )
    expect(error.message).toMatch(/no volume: 1\.2\.3\.1 .*localizer/)
    expect(choose([...axial, ...coronal, scout], '1.2.3.5').notes).toEqual([])
  })
  it('none that makes a volume: listed with the reasons', async () => {
    const error = await thrown(() => choose([scout, dose]))
    expect(error).toBeInstanceOf(SeriesError)
    expect(error.message).toMatch(/None of the 2 CT series makes a volume.*localizer.*secondary capture/)
  })
})

describe('pages among the slices of a series', () => {
  const page = (changes: Changes) => one('page.dcm', '1.2.3.4', changes)
  it('are left out with a note', async () => {
    for (const changes of [
      { '00080008': ['CS', 'DERIVED', 'SECONDARY'], '00200032': null, '00200037': null },
      { '00080008': ['CS', 'ORIGINAL', 'PRIMARY', 'SCREEN SAVE'], '00200032': null },
      { '00080016': ['UI', '1.2.840.10008.5.1.4.1.1.7'], ...WITHOUT_PLACE }
    ] as Changes[]) {
      const { volume, notes } = await volumeFromSeries([...axial, page(changes)])
      expect(volume.size).toEqual([8, 8, 12])
      expect(notes.join()).toMatch(/without a place in the patient left out: page\.dcm/)
    }
  })
  it('an original slice without a place is missed, not passed over', async () => {
    const error = await thrown(() => volumeFromSeries([...axial, page(WITHOUT_PLACE)]))
    expect(error.message).toMatch(/page\.dcm does not say where it is/)
  })
})
