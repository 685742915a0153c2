import { type Vec2, type Vec3, VolumeError } from '@raypose/core'
import type { Dataset } from './dataset.js'
import { type DicomFile, orientationOf, spacingOf } from './header.js'
import { type Rescale, rescaleOf } from './rescale.js'

/** One plane of a series: a single-frame file, or one frame of an enhanced multi-frame file. */
export interface Slice {
  readonly file: DicomFile
  readonly frame: number
  /** For messages: the file name, with the frame where there are several. */
  readonly label: string
  readonly row: Vec3
  readonly column: Vec3
  readonly position: Vec3
  /** Between columns and between rows, mm. */
  readonly spacing: Vec2
  readonly rescale: Rescale
}

const isOfType = (plane: Plane, type: string) => plane.imageType.some(t => t.toUpperCase() === type)

export const isLocalizer = (plane: Plane): boolean => isOfType(plane, 'LOCALIZER')

/** Secondary Capture Image Storage and its multi-frame kinds. */
export const isSecondaryCapture = ({ header }: DicomFile): boolean =>
  /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.7(\.|$)/.test(header.sopClassUid)

/** A page that scanners put beside the slices (dose report, screen shot): it is nowhere in the patient. */
function isPage(file: DicomFile, plane: Plane): boolean {
  if (isOfType(plane, 'SCREEN SAVE') || isSecondaryCapture(file))
    return !(plane.orientation && plane.position && plane.spacing)
  // Resampled slices are SECONDARY too: one that has lost part of its geometry only is missed, not passed over.
  return isOfType(plane, 'SECONDARY') && !plane.orientation && !plane.position
}

/**
 * The planes that files hold. Localizers and pages without a place in the patient are left out, with a note.
 * @throws VolumeError for a plane without orientation, position or spacing, or whose values are not known to be HU.
 */
export function slicesOf(files: readonly DicomFile[], notes: string[]): Slice[] {
  const slices: Slice[] = []
  const localizers: string[] = []
  const pages: string[] = []
  for (const file of files)
    for (const plane of planesOf(file))
      if (isLocalizer(plane)) localizers.push(plane.label)
      else if (isPage(file, plane)) pages.push(plane.label)
      else slices.push(complete(file, plane))
  if (localizers.length > 0)
    notes.push(`${localizers.length} localizer image(s) left out: ${listed(localizers)}.`)
  if (pages.length > 0)
    notes.push(
      `${pages.length} secondary image(s) without a place in the patient left out: ${listed(pages)}.`
    )
  return slices
}

/** The planes of a file as its headers give them, complete or not. @throws VolumeError for frames that do not add up. */
export const planesOf = (file: DicomFile): Plane[] =>
  file.header.frames > 1 || hasFunctionalGroups(file) ? framesOf(file) : [singleOf(file)]

/** At most five names, and how many more. */
export const listed = (names: readonly string[]): string =>
  names.length <= 5 ? names.join(', ') : `${names.slice(0, 4).join(', ')} and ${names.length - 4} more`

/** A plane as its headers give it. */
export interface Plane {
  readonly frame: number
  readonly label: string
  readonly imageType: readonly string[]
  readonly orientation: { readonly row: Vec3; readonly column: Vec3 } | null
  readonly position: Vec3 | null
  readonly spacing: Vec2 | null
  /** Data sets that may give its rescaling, the nearest first. */
  readonly rescaling: readonly Dataset[]
}

function singleOf({ header, dataset, name }: DicomFile): Plane {
  return {
    frame: 0,
    label: name,
    imageType: header.imageType,
    orientation: header.orientation,
    position: header.position,
    spacing: header.pixelSpacing,
    rescaling: [dataset]
  }
}

function complete(file: DicomFile, plane: Plane): Slice {
  const { orientation, position, spacing } = plane
  if (!orientation || !position || !spacing) {
    const missing = [
      orientation ? '' : 'Image Orientation (0020,0037)',
      position ? '' : 'Image Position (0020,0032)',
      spacing ? '' : 'Pixel Spacing (0028,0030)'
    ].filter(Boolean)
    throw new VolumeError(
      `${plane.label} does not say where it is in the patient: no ${missing.join(', ')}`,
      'Give original axial slices, not screen captures or reports; leave such files out.'
    )
  }
  const { frame, label, rescaling } = plane
  const { row, column } = orientation
  return { file, frame, label, row, column, position, spacing, rescale: rescaleOf(rescaling, label) }
}

const SHARED_GROUPS = '52009229'
const FRAME_GROUPS = '52009230'

const hasFunctionalGroups = ({ dataset }: DicomFile) => dataset.items(FRAME_GROUPS).length > 0

/** The frames of an enhanced CT; source: DICOM PS3.3 C.7.6.16 (multi-frame functional groups). */
function framesOf(file: DicomFile): Plane[] {
  const { dataset, name, header } = file
  const perFrame = dataset.items(FRAME_GROUPS)
  if (perFrame.length !== header.frames)
    throw new VolumeError(
      `${name} has ${header.frames} frames but places ${perFrame.length} of them in the patient`,
      'Give a CT series, or an enhanced CT with its functional groups.'
    )
  const shared = dataset.items(SHARED_GROUPS)[0]
  return perFrame.map((groups, frame) => {
    const macro = (sequence: string): Dataset | undefined =>
      groups.items(sequence)[0] ?? shared?.items(sequence)[0]
    const plane = macro('00209113')
    const orientation = macro('00209116')
    const measures = macro('00289110')
    const transform = macro('00289145')
    const position = plane?.numbers('00200032', 3)
    return {
      frame,
      label: header.frames > 1 ? `${name} frame ${frame + 1}` : name,
      imageType: macro('00189329')?.texts('00089007') ?? header.imageType,
      orientation: orientation ? orientationOf(orientation) : null,
      position: position ? [position[0], position[1], position[2]] : null,
      spacing: measures ? spacingOf(measures) : null,
      rescaling: transform ? [transform, dataset] : [dataset]
    }
  })
}
