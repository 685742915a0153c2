import { RayposeError } from '@raypose/core'
import { type Dataset, type ParsedDicom, parseDicom, peekDicom } from './dataset.js'
import { type DicomFile, dicomImage, type NamedBytes } from './header.js'
import { hasPreamble, looksLikeDicom } from './preamble.js'
import { type Reconstruction, reconstructionsOf } from './reconstructions.js'

/** One series out of a folder. */
export interface SeriesInfo {
  /** The UID; with #1, #2, … behind it where several reconstructions are filed under one. */
  readonly id: string
  readonly seriesUid: string
  readonly studyUid: string
  readonly description: string
  readonly seriesNumber: number | null
  readonly modality: string
  /** Number of images; a multi-frame file counts its frames. */
  readonly count: number
  readonly columns: number
  readonly rows: number
  readonly sliceThickness: number | null
  /** What tells it from others of the same UID: acquisition, kernel, kV; '' where there are none. */
  readonly reconstruction: string
  readonly files: readonly DicomFile[]
}

/** What a heap of files holds. */
export interface SeriesListing {
  /** Sorted by series number, then UID. */
  readonly series: readonly SeriesInfo[]
  /** Names of files that are not DICOM. */
  readonly notDicom: readonly string[]
  /** Names of DICOM files that carry no image (directories, reports, structure sets, waveforms, raw data). */
  readonly notImages: readonly string[]
  readonly unreadable: readonly UnreadableFile[]
}

/** A DICOM image that cannot be read, and why. */
export interface UnreadableFile {
  readonly name: string
  readonly error: RayposeError
  /** The series that it says it is of; null where not even that can be read. */
  readonly seriesUid: string | null
  /** False where it says that it is something else. */
  readonly mayBeCt: boolean
}

/** Sorts files into series. Never throws for a single file: what cannot be used is listed. */
export function groupSeries(files: readonly NamedBytes[]): SeriesListing {
  const sorter = createSeriesSorter()
  for (const file of files) sorter.add(file)
  return sorter.listing()
}

/** Sorts files into series one after the other, so that not all of them need be in memory. */
export interface SeriesSorter {
  /** @param dropPixels whether to hold on to the header only (see {@link DicomFile.pixelsDropped}) */
  add(file: NamedBytes, dropPixels?: boolean): void
  /** Number of series so far. */
  seriesSeen(): number
  listing(): SeriesListing
}

export function createSeriesSorter(): SeriesSorter {
  const groups = new Map<string, DicomFile[]>()
  const notDicom: string[] = []
  const notImages: string[] = []
  const unreadable: UnreadableFile[] = []
  const add = ({ name, bytes }: NamedBytes, dropPixels = false): void => {
    if (!looksLikeDicom(bytes)) {
      notDicom.push(name)
      return
    }
    try {
      const parsed = parseDicom(bytes, name, dropPixels)
      if (isNoImage(parsed)) {
        notImages.push(name)
        return
      }
      const file: DicomFile = dropPixels
        ? { ...dicomImage(parsed, name), pixelsDropped: true }
        : dicomImage(parsed, name)
      const group = groups.get(file.header.seriesUid)
      if (group) group.push(file)
      else groups.set(file.header.seriesUid, [file])
    } catch (error) {
      if (!(error instanceof RayposeError)) throw error
      const seen = peekDicom(bytes, name)
      const storageClass = storageClassOf(bytes) || seen.text('00080016')
      if (isOfNoImageClass(storageClass)) notImages.push(name)
      // Without a preamble, a file whose first bytes pass for an element may be anything.
      else if (!hasPreamble(bytes) && storageClass === '') notDicom.push(name)
      else unreadable.push(unreadableFile(name, error, seen, storageClass))
    }
  }
  const listing = (): SeriesListing => ({
    series: [...groups.values()].flatMap(infosOf).sort(bySeriesNumber),
    notDicom,
    notImages,
    unreadable
  })
  return { add, seriesSeen: () => groups.size, listing }
}

/** One series, or several where overlapping reconstructions share its UID. */
function infosOf(files: readonly DicomFile[]): SeriesInfo[] {
  const parts = reconstructionsOf(files)
  return parts.map((part, k) => infoOf(part, parts.length > 1 ? `#${k + 1}` : ''))
}

function infoOf({ files, what }: Reconstruction, suffix: string): SeriesInfo {
  const { header } = files[0]
  return {
    id: header.seriesUid + suffix,
    seriesUid: header.seriesUid,
    studyUid: header.studyUid,
    description: header.seriesDescription,
    seriesNumber: header.seriesNumber,
    modality: header.modality,
    count: files.reduce((n, f) => n + f.header.frames, 0),
    columns: header.columns,
    rows: header.rows,
    sliceThickness: header.sliceThickness,
    reconstruction: what,
    files
  }
}

const bySeriesNumber = (a: SeriesInfo, b: SeriesInfo) =>
  (a.seriesNumber ?? Number.POSITIVE_INFINITY) - (b.seriesNumber ?? Number.POSITIVE_INFINITY) ||
  (a.id < b.id ? -1 : 1)

/** One line about a series for people. */
export const describeSeries = (s: SeriesInfo): string =>
  `${s.id} (${s.modality} "${s.description}", ${s.count} ${s.count === 1 ? 'image' : 'images'} of ${s.columns} × ${s.rows})${s.reconstruction ? ` [${s.reconstruction}]` : ''}`

/** What can still be told of a file that cannot be read. */
function unreadableFile(
  name: string,
  error: RayposeError,
  seen: Dataset,
  storageClass: string
): UnreadableFile {
  const modality = seen.text('00080060')
  const mayBeCt = modality ? modality === 'CT' : storageClass === '' || CT_CLASSES.includes(storageClass)
  return { name, error, seriesUid: seen.text('0020000E') || null, mayBeCt }
}

/** CT Image, Enhanced CT Image, Legacy Converted Enhanced CT Image Storage. */
const CT_CLASSES = ['1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.5.1.4.1.1.2.1', '1.2.840.10008.5.1.4.1.1.2.2']

/** Neither pixels nor rows: vendors keep their own data in series too. A CT image without them is cut off. */
function isNoImage({ meta, dataset, hasPixels }: ParsedDicom): boolean {
  const storageClass = dataset.text('00080016') || meta.text('00020002')
  return !hasPixels && dataset.number('00280010') === null && !CT_CLASSES.includes(storageClass)
}

const isOfNoImageClass = (storageClass: string): boolean =>
  NO_IMAGE_CLASSES.some(uid => storageClass.startsWith(uid))

/** Media directory, structured reports, presentation states, RT structures and plans, encapsulated documents. */
const NO_IMAGE_CLASSES = [
  '1.2.840.10008.1.3.10',
  '1.2.840.10008.5.1.4.1.1.88',
  '1.2.840.10008.5.1.4.1.1.11.',
  '1.2.840.10008.5.1.4.1.1.481.3',
  '1.2.840.10008.5.1.4.1.1.481.5',
  '1.2.840.10008.5.1.4.1.1.104',
  '1.2.840.10008.5.1.4.1.1.66'
]

/** Media Storage SOP Class UID (0002,0002), straight from the file's meta group: explicit, little-endian, near the start. */
function storageClassOf(bytes: Uint8Array): string {
  const head = new TextDecoder('latin1').decode(bytes.subarray(0, 1024))
  const at = head.indexOf('\x02\x00\x02\x00UI')
  if (at < 0) return ''
  const length = head.charCodeAt(at + 6) + 256 * head.charCodeAt(at + 7)
  return head
    .slice(at + 8, at + 8 + length)
    .replaceAll('\0', '')
    .trim()
}
