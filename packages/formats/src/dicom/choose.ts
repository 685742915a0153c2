import { FileFormatError, FileNotFoundError, SeriesError } from '@raypose/core'
import { FEWEST_PLANES, outlineOf } from './outline.js'
import { describeSeries, type SeriesInfo, type SeriesListing, type UnreadableFile } from './series.js'
import { listed } from './slices.js'

/** A series, and what the user should know about the choice. */
export interface ChosenSeries extends SeriesInfo {
  readonly notes: readonly string[]
}

/**
 * The CT series to work with: the one named, or the only one that can be a volume.
 * @param seriesUid UID, or its end where that is unique; with #1, #2, … where the list says so
 * @throws FileNotFoundError where there is no DICOM at all; FileFormatError naming an unreadable file
 * that is of the series, or may be.
 * @throws SeriesError listing the series where several could be meant or the one named is not there.
 */
export function chooseSeries(listing: SeriesListing, seriesUid?: string): ChosenSeries {
  const { series, unreadable, notDicom, notImages } = listing
  if (series.length === 0 && unreadable.length === 0)
    throw new FileNotFoundError(
      `There is no DICOM image among the files (${notDicom.length} of another kind)`,
      'Give the folder of a DICOM CT series, or a .nii.gz, .nrrd or .mha file.'
    )
  if (series.length === 0) throw unreadableError(unreadable)
  const chosen = seriesUid === undefined ? onlyOne(listing) : named(listing, seriesUid)
  const isNeeded = (u: UnreadableFile) =>
    u.seriesUid === null ? u.mayBeCt : u.seriesUid === chosen.seriesUid
  const needed = unreadable.filter(isNeeded)
  if (needed.length > 0) throw unreadableError(needed)
  const notes = [...chosen.notes]
  if (unreadable.length > 0)
    notes.push(
      `${unreadable.length} file(s) of other series cannot be read and were left out: ${listed(unreadable.map(u => u.name))}.`
    )
  if (notImages.length > 0)
    notes.push(`${notImages.length} DICOM file(s) without an image left out: ${listed(notImages)}.`)
  return { ...chosen, notes }
}

const unreadableError = (files: readonly UnreadableFile[]) =>
  new FileFormatError(
    `${files[0].error.message}${files.length > 1 ? ` (and ${files.length - 1} more files)` : ''}`,
    files[0].error.hint,
    { cause: files[0].error }
  )

function named({ series, unreadable }: SeriesListing, seriesUid: string): ChosenSeries {
  const found = series.filter(s => s.id.endsWith(seriesUid) || s.seriesUid.endsWith(seriesUid))
  if (found.length === 1) return { ...found[0], notes: [] }
  const lost = unreadable.filter(u => u.seriesUid?.endsWith(seriesUid))
  if (found.length === 0 && lost.length > 0) throw unreadableError(lost)
  throw new SeriesError(
    `${found.length === 0 ? 'No series has' : `${found.length} series have`} a UID ending in ${seriesUid}: there are ${listOf(series)}`,
    'Give one of these UIDs, with its #1, #2, … where it has one.'
  )
}

function onlyOne({ series, unreadable }: SeriesListing): ChosenSeries {
  const ct = series.filter(s => s.modality === 'CT')
  // A CT of which nothing can be read may be the one that is meant.
  const lost = unreadable.filter(u => u.mayBeCt && !ct.some(s => s.seriesUid === u.seriesUid))
  if (lost.length >= FEWEST_PLANES || (ct.length === 0 && lost.length > 0)) throw unreadableError(lost)
  const hint = ct.some(s => s.id !== s.seriesUid)
    ? 'Name one by its series UID, with its #1, #2, … where several reconstructions share one.'
    : 'Name one by its series UID.'
  // A single series, whatever it is, goes on to the errors that say what it lacks.
  if (ct.length === 1) return { ...ct[0], notes: [] }
  if (series.length === 1) return { ...series[0], notes: [] }
  if (ct.length === 0)
    throw new SeriesError(`None of the ${series.length} series is a CT: ${listOf(series)}`, hint)
  // The export of a PACS brings scouts, dose reports and bolus timing along, all of them "CT".
  const outlines = ct.map(s => ({ series: s, ...outlineOf(s.files) }))
  const volumes = outlines.filter(o => o.obstacle === null)
  const others = outlines
    .filter(o => o.obstacle !== null)
    .map(o => `${describeSeries(o.series)}: ${o.obstacle}`)
  if (volumes.length === 1)
    return {
      ...volumes[0].series,
      notes: [`CT series left out because they make no volume: ${others.join('; ')}.`]
    }
  if (volumes.length === 0)
    throw new SeriesError(`None of the ${ct.length} CT series makes a volume: ${others.join('; ')}`, hint)
  throw new SeriesError(
    `There are ${volumes.length} CT series: ${volumes.map(o => `${describeSeries(o.series)}: ${o.text}`).join('; ')}${others.length > 0 ? `; besides these, which make no volume: ${others.join('; ')}` : ''}`,
    hint
  )
}

const listOf = (series: readonly SeriesInfo[]) => series.map(describeSeries).join('; ')
