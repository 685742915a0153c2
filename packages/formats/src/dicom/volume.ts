import { CancelledError, FileFormatError, SeriesError, scale, type Vec3, VolumeError } from '@raypose/core'
import type { HuArray } from '../bytes/elements.js'
import { type LoadedVolume, volumeFromSteps } from '../volume.js'
import { type DicomFile, type NamedBytes, readDicomFile } from './header.js'
import { decodeFrame } from './pixels.js'
import { listed, type Slice, slicesOf } from './slices.js'
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
  const slices = slicesOf(parsed, notes)
  const minimum = Math.max(2, options.minSlices ?? 8)
  if (slices.length < minimum)
    throw new VolumeError(
      `The series has ${slices.length} slice(s) (${listed(slices.map(s => s.label))}); a CT needs at least ${minimum}`,
      'Give the folder that holds the whole series.'
    )
  const stack = sortStack(slices)
  const { row, column, spacing, position, file } = stack.slices[0]
  const size: Vec3 = [file.header.columns, file.header.rows, slices.length]
  const data = await houndsfield(stack.slices, size, options)
  const volume = volumeFromSteps(
    size,
    [scale(row, spacing[0]), scale(column, spacing[1]), stack.step],
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

/** Rescales each slice by its own slope and intercept: Int16 as long as every value fits, else Float32. */
async function houndsfield(slices: readonly Slice[], size: Vec3, options: SeriesOptions): Promise<HuArray> {
  const plane = size[0] * size[1]
  let out: HuArray = allocate(plane * slices.length)
  for (const [k, slice] of slices.entries()) {
    if (options.signal?.aborted) throw new CancelledError()
    const stored = await decodeFrame(slice.file, slice.frame)
    const { slope, intercept } = slice
    const at = k * plane
    if (out instanceof Int16Array) {
      const wrong = rescaleInto(out, at, stored, slope, intercept)
      if (wrong) out = Float32Array.from(out)
    }
    if (out instanceof Float32Array)
      for (let i = 0; i < plane; i++) out[at + i] = slope * stored[i] + intercept
    options.onProgress?.(k + 1, slices.length)
  }
  return out
}

/** Writes rescaled values as Int16; true where one of them does not fit. */
function rescaleInto(
  out: Int16Array,
  at: number,
  stored: ArrayLike<number>,
  slope: number,
  intercept: number
): boolean {
  if (slope === 1 && intercept === 0 && stored instanceof Int16Array) {
    out.set(stored, at)
    return false
  }
  for (let i = 0; i < stored.length; i++) {
    const v = slope * stored[i] + intercept
    const w = Math.round(v)
    if (!(Math.abs(v - w) <= 1e-6 && w >= -32768 && w <= 32767)) return true
    out[at + i] = w
  }
  return false
}

function allocate(count: number): Int16Array {
  try {
    return new Int16Array(count)
  } catch (cause) {
    throw new FileFormatError(
      `The series says it has ${count} voxels, more than there is memory for`,
      'Check the headers, or crop the series.',
      { cause }
    )
  }
}
