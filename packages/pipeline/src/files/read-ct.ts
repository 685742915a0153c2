import { readdir, stat } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { CancelledError, FileFormatError, FileNotFoundError } from '@raypose/core'
import {
  type CtVolume,
  chooseSeries,
  createSeriesSorter,
  type DicomFile,
  type LoadedVolume,
  looksLikeDicom,
  type NamedBytes,
  readVolumeBytes,
  type SeriesInfo,
  type SeriesListing,
  volumeFromSeries
} from '@raypose/formats'
import type { OnProgress } from '../types.js'
import { assertCtSpacing } from './ct-spacing.js'
import { withoutFilling } from './filling.js'
import { fileError, readBytes } from './read-bytes.js'
import { readStart } from './read-start.js'

export interface ReadCtOptions {
  /** UID of the series to take out of a folder that holds several, or the end of one; `UID#2` where the list says so. */
  readonly series?: string
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
  /** Bytes of DICOM files kept while a folder's series are told apart; files beyond them are read again if they are of the series. Default 256 MiB. */
  readonly keepBytes?: number
}

/** Which DICOM series a CT was read from. */
export type SeriesSource = Pick<
  SeriesInfo,
  'seriesUid' | 'studyUid' | 'description' | 'seriesNumber' | 'count'
>

/** A CT, and where it came from. */
export interface ReadCt extends LoadedVolume {
  readonly path: string
  readonly series: SeriesSource | null
}

/** More files than any CT study has: the folder is not one. */
const MOST_FILES = 20_000
/** Files read at a time: enough to keep a disk or a network share busy. */
const AT_A_TIME = 8
/** Some 500 slices; of a larger export a part is read twice. */
const KEEP_BYTES = 256 * 2 ** 20
/** Enough of a file to see whether it is DICOM. */
const START_BYTES = 4096

/**
 * Reads a CT from a folder of DICOM slices (folders within it included) or from one file: NIfTI-1, NRRD, MetaImage,
 * enhanced multi-frame DICOM. HU, in LPS. An .mhd or .nhdr has its voxels in a file beside it. A folder without DICOM that holds
 * exactly one such file stands for it.
 *
 * @throws FileNotFoundError for a path that does not exist, cannot be read, or a folder without a DICOM image or a volume file
 * @throws SeriesError listing the series where it is not clear which is meant, and for slices that make no volume
 * @throws VolumeError for voxels of a size that no CT has, which a wrong unit gives
 * @throws FileFormatError, VolumeError as the readers; CancelledError when `signal` aborts
 */
export async function readCt(path: string, options: ReadCtOptions = {}): Promise<ReadCt> {
  const { signal, onProgress } = options
  const report = (fraction: number, detail?: string) =>
    onProgress?.({ stage: 'Reading the CT', fraction, ...(detail ? { detail } : {}) })
  const info = await stat(path).catch(error => {
    throw fileError(path, error)
  })
  report(0)
  if (!info.isDirectory()) {
    const loaded = await readVolumeFile(path, signal)
    report(1)
    return { ...loaded, path, series: null }
  }
  const { listing, names } = await sortFolder(path, options, fraction => report(fraction / 2))
  if (listing.series.length === 0 && listing.unreadable.length === 0) {
    const file = onlyVolumeFile(path, names)
    const loaded = await readVolumeFile(join(path, file), signal)
    report(1)
    const notes = [...loaded.notes, `${path} holds no DICOM image; its one volume file was taken: ${file}.`]
    return { ...loaded, notes, path: join(path, file), series: null }
  }
  const { files, ...chosen } = chooseSeries(listing, options.series)
  const { seriesUid, studyUid, description, seriesNumber, count } = chosen
  const several = listing.series.length
  const loaded = await volumeFromSeries(await withPixels(path, files, signal), {
    signal,
    onProgress: (done, total) => report(0.5 + done / total / 2, `${total} slices`)
  })
  assertCtSpacing(loaded.volume, path)
  const notes = [...chosen.notes, ...loaded.notes]
  if (several > 1)
    notes.push(`${path} holds ${several} series; this one was taken: ${description || chosen.id}.`)
  return { ...loaded, notes, path, series: { seriesUid, studyUid, description, seriesNumber, count } }
}

/** Reads one file, and the one beside it that an .mhd or .nhdr keeps its voxels in. */
async function readVolumeFile(path: string, signal: AbortSignal | undefined): Promise<LoadedVolume> {
  const sibling = (file: string) =>
    readBytes(join(dirname(path), file)).catch(error => {
      if (!(error instanceof FileNotFoundError)) throw error
      throw new FileNotFoundError(
        `${path} keeps its voxels in ${file}, which cannot be read beside it`,
        `Put ${file} into the same folder, or convert both to one file: .nrrd, .mha, or NIfTI.`,
        { cause: error }
      )
    })
  const loaded = await readVolumeBytes(path, await readBytes(path), { signal, sibling })
  assertCtSpacing(loaded.volume, path)
  if (loaded.format === 'dicom') return loaded
  const { volume, note } = withoutFilling(loaded.volume)
  return note === null ? loaded : { ...loaded, volume: volume as CtVolume, notes: [...loaded.notes, note] }
}

const VOLUME_FILE = /\.(mhd|mha|nii|nii\.gz|nrrd|nhdr)$/i

/**
 * The volume file of a folder without a DICOM image.
 * @throws FileNotFoundError unless there is exactly one
 */
function onlyVolumeFile(folder: string, names: readonly string[]): string {
  const volumes = names.filter(name => VOLUME_FILE.test(name))
  if (volumes.length === 1) return volumes[0]
  if (volumes.length > 1)
    throw new FileNotFoundError(
      `${folder} holds no DICOM image, but ${volumes.length} volume files: ${volumes.slice(0, 5).join(', ')}${volumes.length > 5 ? ' …' : ''}`,
      'Give the one that is meant.'
    )
  throw new FileNotFoundError(
    names.length === 0
      ? `${folder} is an empty folder`
      : `${folder} holds no DICOM image (${names.length} ${names.length === 1 ? 'file' : 'files'} of another kind)`,
    'Give the folder of a DICOM CT series, or a .nii, .nii.gz, .nrrd or .mha file.'
  )
}

/**
 * Sorts every file of a folder into series, by its path within it; hidden ones, which file managers leave about, are passed over. Of an export of many series
 * not all is held on to: what is no DICOM hardly, and beyond `keepBytes` headers only.
 */
async function sortFolder(
  folder: string,
  { signal, keepBytes = KEEP_BYTES }: ReadCtOptions,
  onFraction: (fraction: number) => void
): Promise<{ listing: SeriesListing; names: string[] }> {
  const paths = await filesWithin(folder)
  const names = paths.map(path => relative(folder, path))
  const sorter = createSeriesSorter()
  let kept = 0
  for (let from = 0; from < paths.length; from += AT_A_TIME) {
    if (signal?.aborted) throw new CancelledError()
    const some = await Promise.all(paths.slice(from, from + AT_A_TIME).map(readIfDicom))
    for (const [k, bytes] of some.entries()) {
      kept += bytes.length
      // One series is needed whole in any case.
      sorter.add({ name: names[from + k], bytes }, kept > keepBytes && sorter.seriesSeen() > 1)
    }
    onFraction(Math.min(1, (from + AT_A_TIME) / paths.length))
  }
  return { listing: sorter.listing(), names }
}

/** All of a DICOM file, and the beginning of any other, or of one that cannot be read whole. An empty file is one more that is not DICOM. */
async function readIfDicom(path: string): Promise<Uint8Array> {
  const start = await readStart(path, START_BYTES)
  if (start.length < START_BYTES) return start
  if (!looksLikeDicom(start)) return start
  return readBytes(path).catch(error => {
    // What is too large for a slice, or was emptied meanwhile, is listed as unreadable by what its start says.
    if (error instanceof FileFormatError) return start
    throw error
  })
}

/** The files of a series, those read again whose pixels were let go. */
async function withPixels(
  folder: string,
  files: readonly DicomFile[],
  signal: AbortSignal | undefined
): Promise<(DicomFile | NamedBytes)[]> {
  const whole: (DicomFile | NamedBytes)[] = []
  const read = async (file: DicomFile) =>
    file.pixelsDropped ? { name: file.name, bytes: await readBytes(join(folder, file.name)) } : file
  for (let from = 0; from < files.length; from += AT_A_TIME) {
    if (signal?.aborted) throw new CancelledError()
    whole.push(...(await Promise.all(files.slice(from, from + AT_A_TIME).map(read))))
  }
  return whole
}

async function filesWithin(folder: string): Promise<string[]> {
  const found: string[] = []
  const open = [folder]
  for (let at = open.shift(); at !== undefined; at = open.shift()) {
    const here = at
    const entries = await readdir(here, { withFileTypes: true }).catch(error => {
      throw fileError(here, error)
    })
    for (const entry of entries
      .filter(e => !e.name.startsWith('.'))
      .sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(here, entry.name)
      // A link is followed to a file, never to a folder, which could lead in a circle.
      const isFile =
        entry.isFile() ||
        (entry.isSymbolicLink() &&
          (await stat(path).then(
            s => s.isFile(),
            () => false
          )))
      if (isFile) found.push(path)
      else if (entry.isDirectory()) open.push(path)
    }
    if (found.length > MOST_FILES)
      throw new FileFormatError(
        `${folder} holds more than ${MOST_FILES} files`,
        'Give the folder of the CT series itself.'
      )
  }
  return found
}
