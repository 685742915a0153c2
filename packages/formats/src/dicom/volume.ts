import { normalize, SeriesError, scale, type Vec3, VolumeError } from '@raypose/core'
import { type LoadedVolume, volumeFromSteps } from '../volume.js'
import { withoutCopies } from './copies.js'
import { type DicomFile, type NamedBytes, readDicomFile } from './header.js'
import { hounsfield } from './hounsfield.js'
import { reconstructionsOf } from './reconstructions.js'
import { listed, slicesOf } from './slices.js'
import { sortStack } from './stack.js'

/** How a series is put together. */
export interface SeriesOptions {
  /** Fewest slices that make a CT; default 8. */
  readonly minSlices?: number
  /** Called after each slice that is decoded. */
  readonly onProgress?: (done: number, total: number) => void
  readonly signal?: AbortSignal
}

/**
 * Puts the slices of one CT series together: HU in LPS, i along image columns, j along rows, k along +row × column.
 *
 * @param files the files of one series in any order, as bytes or parsed ({@link groupSeries})
 * @throws SeriesError for a missing, doubled or uneven slice, several series, mixed geometry, gantry tilt.
 * @throws VolumeError for another modality, too few slices, slices without a place in the patient.
 * @throws FileFormatError for a truncated or damaged file.
 */
export async function volumeFromSeries(
  files: readonly (NamedBytes | DicomFile)[],
  options: SeriesOptions = {}
): Promise<LoadedVolume> {
  const parsed = files.map(f => ('bytes' in f ? readDicomFile(f.bytes, f.name) : f))
  if (parsed.length === 0)
    throw new SeriesError('The series holds no DICOM image', 'Give the folder of a CT series.')
  checkOneCtSeries(parsed)
  const notes: string[] = []
  const slices = slicesOf(await withoutCopies(parsed, notes), notes)
  const minimum = Math.max(2, options.minSlices ?? 8)
  if (slices.length < minimum)
    throw new VolumeError(
      `The series has ${slices.length} slice(s) (${listed(slices.map(s => s.label))}); a CT needs at least ${minimum}`,
      'Give the folder that holds the whole series.'
    )
  const stack = sortStack(slices)
  const { row, column, spacing, position, file } = stack.slices[0]
  const size: Vec3 = [file.header.columns, file.header.rows, slices.length]
  const data = await hounsfield(stack.slices, size, options, notes)
  const volume = volumeFromSteps(
    size,
    // Directions written with few digits are no unit vectors: their length is not the pixels'.
    [scale(normalize(row), spacing[0]), scale(normalize(column), spacing[1]), stack.step],
    position,
    data,
    'The series'
  )
  return { volume, format: 'dicom', notes }
}

function checkOneCtSeries(files: readonly DicomFile[]): void {
  const other = files.find(f => f.header.modality !== 'CT')
  if (other)
    throw new VolumeError(
      `${other.name} is of modality ${other.header.modality || '(none)'}, not CT: its values are not Hounsfield units`,
      'Give a CT series.'
    )
  const series = new Set(files.map(f => f.header.seriesUid))
  if (series.size > 1)
    throw new SeriesError(
      `The files belong to ${series.size} series: ${listed([...series])}`,
      'Choose one of them by its series UID.'
    )
  const parts = reconstructionsOf(files)
  if (parts.length > 1)
    throw new SeriesError(
      `The series ${files[0].header.seriesUid} holds ${parts.length} reconstructions that overlap: ${parts.map((p, k) => `#${k + 1} ${p.what} (${p.files.length} images, ${p.files[0].name} …)`).join('; ')}`,
      'Choose one of them: the series UID with #1, #2, … behind it.'
    )
  // Series identifiers are unique until an anonymiser gives every patient the same.
  const patients = new Set(files.map(f => f.header.patient))
  if (patients.size > 1) {
    const alien = files.find(f => f.header.patient !== files[0].header.patient)!
    throw new SeriesError(
      `The series mixes slices of ${patients.size} patients: ${alien.name} is of another one than ${files[0].name}`,
      'Put the slices of each patient into a folder of their own.'
    )
  }
}
