import { expSO3, FileFormatError, FileNotFoundError, SeriesError, VolumeError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import {
  chooseSeries,
  groupSeries,
  type NamedBytes,
  volumeFromSeries,
  writeDicomCtSlices
} from '../src/index.js'
import { decimals, edited } from './dicom-edit.js'
import { asymmetricVolume, largestDifference, probes, shuffled, thrown } from './fixtures.js'

const volume = asymmetricVolume(expSO3([0.2, 0.1, -0.3]), [6, 4, 12])
const slices = writeDicomCtSlices(volume)
const POSITION = '00200032'

const moved = (file: NamedBytes, by: readonly number[]): NamedBytes =>
  edited(file, { [POSITION]: ['DS', ...decimals(file, POSITION).map((x, a) => (x + by[a]).toFixed(6))] })

const normal = [2, 5, 8].map(i => volume.direction[i])
const along = (mm: number) => normal.map(x => x * mm)

async function failure(files: readonly NamedBytes[]) {
  return thrown(() => volumeFromSeries(files))
}

describe('a series that is no regular volume is refused, and the slices are named', () => {
  it('missing slice', async () => {
    const error = await failure(shuffled(slices.filter((_, k) => k !== 5)))
    expect(error).toBeInstanceOf(SeriesError)
    expect(error.message).toMatch(
      /1 missing: 4\.500 mm between slice-05\.dcm at \(.*\) and slice-07\.dcm at \(/
    )
    expect(error.hint).toMatch(/export/i)
  })
  it('two gaps of several slices', async () => {
    const error = await failure(shuffled(slices.filter((_, k) => ![2, 7, 8].includes(k))))
    expect(error).toBeInstanceOf(SeriesError)
    expect(error.message).toMatch(/1 missing: .*slice-02.*slice-04.*2 missing: .*slice-07.*slice-10/)
  })
  it('doubled slice, where it is no copy', async () => {
    const other = edited(slices[3], { '7FE00010': ['OW', new Int16Array(24).fill(7).buffer] }, 'copy.dcm')
    const error = await failure([...slices, other])
    expect(error).toBeInstanceOf(SeriesError)
    expect(error.message).toMatch(/more than one slice/)
    expect(error.message).toContain('slice-04.dcm')
    expect(error.message).toContain('copy.dcm')
  })
  it('one slice out of place', async () => {
    const error = await failure(slices.map((s, k) => (k === 4 ? moved(s, along(0.6)) : s)))
    expect(error).toBeInstanceOf(SeriesError)
    expect(error.message).toMatch(/unevenly spaced/)
    expect(error.message).toContain('slice-05.dcm')
  })
  it('spacing that changes on the way by less than single gaps show', async () => {
    // 4 % wider gaps in the second half: each passes for rounding, their sum does not.
    const error = await failure(slices.map((s, k) => moved(s, along(Math.max(0, k - 5) * 0.09))))
    expect(error).toBeInstanceOf(SeriesError)
    expect(error.message).toMatch(/unevenly spaced.*drift/)
  })
  it('gantry tilt', async () => {
    const rows = [1, 4, 7].map(i => volume.direction[i])
    const shear = Math.tan((12 * Math.PI) / 180) * volume.spacing[2]
    const error = await failure(
      slices.map((s, k) =>
        moved(
          s,
          rows.map(x => x * k * shear)
        )
      )
    )
    expect(error).toBeInstanceOf(SeriesError)
    expect(error.message).toMatch(/12\.00° off their normal \(gantry tilt\)/)
  })
  it('a slice aside of the others', async () => {
    const rows = [1, 4, 7].map(i => volume.direction[i])
    const error = await failure(
      slices.map((s, k) =>
        k === 6
          ? moved(
              s,
              rows.map(x => x * 3)
            )
          : s
      )
    )
    expect(error).toBeInstanceOf(SeriesError)
    expect(error.message).toMatch(/slice-07\.dcm at .* 3\.00 mm aside/)
  })
  it('mixed orientation', async () => {
    const error = await failure(
      slices.map((s, k) => (k === 2 ? edited(s, { '00200037': ['DS', '1', '0', '0', '0', '0', '-1'] }) : s))
    )
    expect(error).toBeInstanceOf(SeriesError)
    expect(error.message).toMatch(/mixes orientations.*slice-03\.dcm has 1\\0\\0\\0\\0\\-1/)
  })
  it('mixed size', async () => {
    const other = writeDicomCtSlices(asymmetricVolume(volume.direction, [5, 4, 12]))[2]
    const alien = edited(other, { '0020000E': ['UI', groupSeries(slices).series[0].seriesUid] }, 'alien.dcm')
    const error = await failure(slices.map((s, k) => (k === 2 ? alien : s)))
    expect(error).toBeInstanceOf(SeriesError)
    expect(error.message).toMatch(/mixes image sizes.*alien\.dcm has 5 × 4/)
  })
  it('mixed pixel spacing', async () => {
    const error = await failure(
      slices.map((s, k) => (k === 2 ? edited(s, { '00280030': ['DS', '1', '1'] }) : s))
    )
    expect(error).toBeInstanceOf(SeriesError)
    expect(error.message).toMatch(/mixes pixel spacings.*slice-03\.dcm has 1 × 1 mm/)
  })
  it('several series at once', async () => {
    const error = await failure([...slices, ...writeDicomCtSlices(volume, { seriesUid: '1.2.3' })])
    expect(error).toBeInstanceOf(SeriesError)
    expect(error.message).toMatch(/2 series.*1\.2\.3/)
  })
  it('slices of two patients under one series', async () => {
    const error = await failure(
      slices.map((s, k) => (k === 4 ? edited(s, { '00100020': ['LO', 'SOMEBODY-ELSE'] }) : s))
    )
    expect(error).toBeInstanceOf(SeriesError)
    expect(error.message).toMatch(/mixes slices of 2 patients: slice-05\.dcm/)
  })
  it('another modality', async () => {
    const error = await failure(slices.map(s => edited(s, { '00080060': ['CS', 'MR'] })))
    expect(error).toBeInstanceOf(VolumeError)
    expect(error.message).toMatch(/slice-01\.dcm is of modality MR, not CT/)
  })
  it('too few slices', async () => {
    const error = await failure(slices.slice(0, 7))
    expect(error).toBeInstanceOf(VolumeError)
    expect(error.message).toMatch(/7 slice\(s\).*at least 8/)
    expect((await volumeFromSeries(slices.slice(0, 7), { minSlices: 5 })).volume.size).toEqual([6, 4, 7])
  })
  it('slices without a place in the patient', async () => {
    const error = await failure(slices.map((s, k) => (k === 1 ? edited(s, { [POSITION]: null }) : s)))
    expect(error).toBeInstanceOf(VolumeError)
    expect(error.message).toMatch(/slice-02\.dcm .*Image Position \(0020,0032\)/)
  })
  it('no file at all', async () => {
    expect(await failure([])).toBeInstanceOf(SeriesError)
  })
  it('a truncated slice, wherever it is cut', async () => {
    const pixelBytes = 6 * 4 * 2
    for (const lost of [1, pixelBytes / 2, pixelBytes, pixelBytes + 6, 300]) {
      const cut = slices[3].bytes.slice(0, slices[3].bytes.length - lost)
      const error = await failure(slices.map((s, k) => (k === 3 ? { name: 'cut.dcm', bytes: cut } : s)))
      expect(error).toBeInstanceOf(FileFormatError)
      expect(error.message).toContain('cut.dcm')
    }
  })
})

describe('what real series bring', () => {
  it('gaps rounded to 0.1 mm by the scanner pass', async () => {
    const upright = asymmetricVolume(undefined, [4, 4, 40])
    const fine = writeDicomCtSlices({ ...upright, spacing: [0.7, 1.3, 1.25], origin: [0, 0, 0] })
    const rounded = fine.map(s => {
      const [x, y, z] = decimals(s, POSITION)
      return edited(s, { [POSITION]: ['DS', String(x), String(y), z.toFixed(1)] })
    })
    const read = await volumeFromSeries(rounded)
    expect(read.volume.size[2]).toBe(40)
    expect(read.volume.spacing[2]).toBeCloseTo(1.25, 2)
  })
  it('slope and intercept of each slice', async () => {
    const stored = slices.map((s, k) =>
      edited(s, { '00281053': ['DS', String(1 + (k % 3))], '00281052': ['DS', String(-10 * k)] })
    )
    const { volume: read } = await volumeFromSeries(shuffled(stored))
    expect(read.data).toBeInstanceOf(Int16Array)
    const plane = 24
    for (let i = 0; i < read.data.length; i++) {
      const k = Math.floor(i / plane)
      expect(read.data[i]).toBe(Math.max(-1024, volume.data[i] * (1 + (k % 3)) - 10 * k))
    }
  })
  it('fractional HU are kept, as Float32', async () => {
    const stored = slices.map((s, k) => (k === 8 ? edited(s, { '00281053': ['DS', '0.5'] }) : s))
    const { volume: read } = await volumeFromSeries(stored)
    expect(read.data).toBeInstanceOf(Float32Array)
    for (let i = 0; i < read.data.length; i++)
      expect(read.data[i]).toBe(volume.data[i] * (Math.floor(i / 24) === 8 ? 0.5 : 1))
  })
  it('twelve bits with an overlay in the others', async () => {
    const stored = slices.map((s, k) => {
      const pixels = Uint16Array.from({ length: 24 }, (_, i) => ((k * 24 + i) % 4096) | 0xa000)
      return edited(s, {
        '00280101': ['US', 12],
        '00280102': ['US', 11],
        '00280103': ['US', 0],
        '00281052': ['DS', '-1024'],
        '7FE00010': ['OW', pixels.buffer]
      })
    })
    const { volume: read } = await volumeFromSeries(stored)
    for (let i = 0; i < read.data.length; i++) expect(read.data[i]).toBe(i - 1024)
  })
  it('twelve bits with a sign', async () => {
    const stored = slices.map((s, k) => {
      const pixels = Uint16Array.from({ length: 24 }, (_, i) => (k * 24 + i - 100) & 0xfff)
      return edited(s, { '00280101': ['US', 12], '00280102': ['US', 11], '7FE00010': ['OW', pixels.buffer] })
    })
    const { volume: read } = await volumeFromSeries(stored)
    for (let i = 0; i < read.data.length; i++) expect(read.data[i]).toBe(i - 100)
  })
  it('a localizer is left out and said so', async () => {
    const localizer = edited(
      slices[0],
      {
        '00080008': ['CS', 'ORIGINAL', 'PRIMARY', 'LOCALIZER'],
        '00200037': ['DS', '1', '0', '0', '0', '0', '-1']
      },
      'scout.dcm'
    )
    const read = await volumeFromSeries([localizer, ...slices])
    expect(read.volume.size).toEqual([6, 4, 12])
    expect(read.notes.join()).toMatch(/localizer.*scout\.dcm/)
  })
  it('an unusual character set is no reason to fail', async () => {
    const odd = slices.map(s => edited(s, { '00080005': null }))
    const named = odd.map(s => edited(s, { '00080005': ['CS', 'ISO 2022 IR 6', 'ISO 2022 IR 87'] }))
    expect((await volumeFromSeries(named)).volume.size).toEqual([6, 4, 12])
  })
  it('an enhanced multi-frame CT', async () => {
    const frames = shuffled(slices)
    const pixels = new Int16Array(24 * frames.length)
    frames.forEach((f, n) => {
      const k = Number(f.name.slice(6, 8)) - 1
      pixels.set(volume.data.subarray(24 * k, 24 * (k + 1)), 24 * n)
    })
    const item = (tag: string, ...elements: Record<string, unknown>[]) => ({
      [tag]: { vr: 'SQ', Value: elements }
    })
    const ds = (tag: string, ...values: (string | number)[]) => ({
      [tag]: { vr: 'DS', Value: values.map(String) }
    })
    const shared = {
      ...item('00209116', ds('00200037', ...decimals(slices[0], '00200037'))),
      ...item('00289110', ds('00280030', volume.spacing[1], volume.spacing[0])),
      ...item('00289145', { ...ds('00281052', -3), ...ds('00281053', 1) })
    }
    const perFrame = frames.map(f => item('00209113', ds(POSITION, ...decimals(f, POSITION))))
    const enhanced = edited(
      slices[0],
      {
        '00080016': ['UI', '1.2.840.10008.5.1.4.1.1.2.1'],
        '00280008': ['IS', String(frames.length)],
        '52009229': ['SQ', shared],
        '52009230': ['SQ', ...perFrame],
        [POSITION]: null,
        '00200037': null,
        '00280030': null,
        '7FE00010': ['OW', pixels.buffer]
      },
      'enhanced.dcm'
    )
    const { volume: read } = await volumeFromSeries([enhanced])
    const shifted = { ...volume, data: volume.data.map(x => x - 3) }
    expect(largestDifference(read, shifted, probes(volume))).toBeLessThan(1e-6)
  })
})

describe('a folder of many things', () => {
  const junk: NamedBytes[] = [
    { name: 'README.txt', bytes: new TextEncoder().encode('hello') },
    { name: 'empty', bytes: new Uint8Array() }
  ]
  const report = edited(
    slices[0],
    {
      '00020002': ['UI', '1.2.840.10008.5.1.4.1.1.88.11'],
      '00280010': null,
      '00280100': null,
      '7FE00010': null,
      '0020000E': ['UI', '9.9']
    },
    'report.dcm'
  )
  it('is sorted into series', () => {
    const second = writeDicomCtSlices(volume, {
      seriesUid: '1.2.3',
      seriesNumber: 7,
      seriesDescription: 'bone'
    })
    const listing = groupSeries(shuffled([...slices, ...second, ...junk, report]))
    expect(listing.series.map(s => [s.seriesNumber, s.description, s.count, s.modality])).toEqual([
      [1, '', 12, 'CT'],
      [7, 'bone', 12, 'CT']
    ])
    expect([...listing.notDicom].sort()).toEqual(['README.txt', 'empty'])
    expect(listing.notImages).toEqual(['report.dcm'])
    expect(listing.unreadable).toEqual([])
  })
  it('several CT series are listed and one is asked for', async () => {
    const second = writeDicomCtSlices(volume, { seriesUid: '1.2.3', seriesDescription: 'bone' })
    const listing = groupSeries([...slices, ...second])
    const error = await thrown(() => chooseSeries(listing))
    expect(error).toBeInstanceOf(SeriesError)
    expect(error.message).toMatch(/2 CT series.*1\.2\.3 \(CT "bone", 12 images of 6 × 4\)/)
    expect(chooseSeries(listing, '1.2.3').description).toBe('bone')
    expect(await thrown(() => chooseSeries(listing, '4.4'))).toBeInstanceOf(SeriesError)
  })
  it('a CT beside series of other kinds is taken', () => {
    const mr = edited(slices[0], { '00080060': ['CS', 'MR'], '0020000E': ['UI', '5.5'] })
    expect(chooseSeries(groupSeries([mr, ...slices])).modality).toBe('CT')
  })
  it('without DICOM', async () => {
    const error = await thrown(() => chooseSeries(groupSeries(junk)))
    expect(error).toBeInstanceOf(FileNotFoundError)
    expect(error.message).toMatch(/no DICOM image.*2 of another kind/)
  })
  it('a damaged file is named, not passed over', async () => {
    const broken = { name: 'broken.dcm', bytes: slices[0].bytes.slice(0, 400) }
    const error = await thrown(() => chooseSeries(groupSeries([...slices, broken])))
    expect(error).toBeInstanceOf(FileFormatError)
    expect(error.message).toContain('broken.dcm')
  })
  it('an unknown transfer syntax is named', async () => {
    const video = edited(slices[0], { '00020010': ['UI', '1.2.840.10008.1.2.4.102'] })
    const error = await failure([video])
    expect(error).toBeInstanceOf(FileFormatError)
    expect(error.message).toContain('1.2.840.10008.1.2.4.102')
  })
})
