import { FileFormatError, FileNotFoundError, SeriesError } from '@raypose/core'
import { outlineOf } from './outline.js'
import { describeSeries, type SeriesInfo, type SeriesListing } from './series.js'

/** A series, and what the user should know about the choice. */
export interface ChosenSeries extends SeriesInfo {
  readonly notes: readonly string[]
}

/**
 * The CT series to work with: the one named, or the only one that can be a volume.
 * @param seriesUid UID, or its end where that is unique
 * @throws FileNotFoundError where there is no DICOM at all; FileFormatError naming an unreadable file.
 * @throws SeriesError listing the series where several could be meant or the one named is not there.
 */
export function chooseSeries(listing: SeriesListing, seriesUid?: string): ChosenSeries {
  const { series, unreadable, notDicom } = listing
  if (unreadable.length > 0)
    throw new FileFormatError(
      `${unreadable[0].error.message}${unreadable.length > 1 ? ` (and ${unreadable.length - 1} more files)` : ''}`,
      unreadable[0].error.hint,
      { cause: unreadable[0].error }
    )
  if (series.length === 0)
    throw new FileNotFoundError(
      `There is no DICOM image among the files (${notDicom.length} of another kind)`,
      'Give the folder of a DICOM CT series, or a .nii.gz, .nrrd or .mha file.'
    )
  return seriesUid === undefined ? onlyOne(series) : named(series, seriesUid)
}

function named(series: readonly SeriesInfo[], seriesUid: string): ChosenSeries {
  const found = series.filter(s => s.seriesUid.endsWith(seriesUid))
  if (found.length === 1) return { ...found[0], notes: [] }
  throw new SeriesError(
    `${found.length === 0 ? 'No series has' : `${found.length} series have`} a UID ending in ${seriesUid}: there are ${listOf(series)}`,
    'Give one of these UIDs.'
  )
}

function onlyOne(series: readonly SeriesInfo[]): ChosenSeries {
  const ct = series.filter(s => s.modality === 'CT')
  const hint = 'Name one by its series UID.'
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
