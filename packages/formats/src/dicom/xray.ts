import {
  assertDetector,
  centredDetector,
  cross,
  type Detector,
  dot,
  type Vec2,
  type Vec3,
  XrayError
} from '@raypose/core'
import { beamFromPositioner, withOptions, type Xray, type XrayOptions } from '../xray/xray.js'
import { type DicomFile, readDicomFile } from './header.js'
import { decodeFrame } from './pixels.js'

const MODALITIES = ['XA', 'RF', 'DX', 'CR']

/**
 * Reads a DICOM X-ray (XA, RF, DX, CR) with what its tags say of the geometry.
 *
 * Source to detector (0018,1110), source to patient (0018,1111), Imager Pixel Spacing (0018,1164), positioner angles
 * (0018,1510) and (0018,1511); the principal point, which DICOM cannot say, is taken at the image centre.
 * @throws XrayError for another modality, a frame that is not there, an empty image.
 * @throws FileFormatError for a truncated or damaged file; GeometryError for tags that make no detector.
 */
export async function xrayFromDicom(
  bytes: Uint8Array,
  name = 'The DICOM file',
  options: XrayOptions = {}
): Promise<Xray> {
  const file = readDicomFile(bytes, name)
  const { header, dataset } = file
  if (!MODALITIES.includes(header.modality))
    throw new XrayError(
      `${name} is of modality ${header.modality || '(none)'}, not an X-ray (${MODALITIES.join(', ')})`,
      'Give a radiograph or a fluoroscopy image.'
    )
  const notes: string[] = []
  const frame = options.frame ?? 0
  if (!(Number.isInteger(frame) && frame >= 0 && frame < header.frames))
    throw new XrayError(`${name} has ${header.frames} frame(s), not a frame ${frame}`, 'Count frames from 0.')
  if (header.frames > 1 && options.frame === undefined)
    notes.push(`${name} has ${header.frames} frames; the first is taken.`)
  if (dataset.items('00283000').length > 0)
    notes.push(`${name} has a modality look-up table, which is not applied: stored values are taken.`)

  const stored = await decodeFrame(file, frame)
  const { rescaleSlope, rescaleIntercept } = header
  const data = Float32Array.from(stored, v => rescaleSlope * v + rescaleIntercept)
  const { detector, missing } = detectorOf(file, notes)
  const primary = dataset.number('00181510')
  const secondary = dataset.number('00181511')
  const radians = (deg: number) => (deg * Math.PI) / 180
  const positioner =
    primary === null || secondary === null
      ? null
      : { primary: radians(primary), secondary: radians(secondary) }
  const mirrored = positioner ? isMirrored(dataset.texts('00200020'), positioner) : null
  if (mirrored)
    notes.push(`${name} is stored as seen from behind the detector: it has to be mirrored for registration.`)
  const xray: Xray = {
    image: { width: header.columns, height: header.rows, data },
    detector,
    missing,
    cameraFromLps: null,
    sourceToPatient: positive(dataset.number('00181111')),
    positioner,
    ...meaningOf(file),
    mirrored,
    frames: header.frames,
    modality: header.modality,
    photometric: header.photometric,
    notes
  }
  return withOptions(xray, options, name)
}

const positive = (n: number | null) => (n !== null && n > 0 ? n : null)

function detectorOf(file: DicomFile, notes: string[]): { detector: Detector | null; missing: string[] } {
  const { header, dataset } = file
  const sdd = positive(dataset.number('00181110'))
  const pixel = detectorPixel(file, notes)
  const missing = [
    sdd ? '' : 'source-to-detector distance (0018,1110)',
    pixel ? '' : 'imager pixel spacing (0018,1164)'
  ].filter(Boolean)
  if (!sdd || !pixel) return { detector: null, missing }
  const detector = centredDetector(sdd, pixel, [header.columns, header.rows])
  assertDetector(detector)
  return { detector, missing }
}

/** Pixel size on the detector (du, dv), mm: the best tag there is, with a note for anything but the first. */
function detectorPixel({ dataset, name, header }: DicomFile, notes: string[]): Vec2 | null {
  const pair = (tag: string): Vec2 | null => {
    const n = dataset.numbers(tag, 2)
    return n && n[0] > 0 && n[1] > 0 ? [n[1], n[0]] : null
  }
  const imager = pair('00181164')
  if (imager) return imager
  const element = pair('00187022')
  if (element) {
    const binning = pair('0018701A') ?? [1, 1]
    notes.push(`${name} has no imager pixel spacing: detector element spacing × binning is taken.`)
    return [element[0] * binning[0], element[1] * binning[1]]
  }
  const spacing = header.pixelSpacing
  if (!spacing || !(spacing[0] > 0 && spacing[1] > 0)) return null
  const magnification = positive(dataset.number('00181114'))
  const calibrated = dataset.text('00280A02') !== ''
  if (calibrated && magnification) {
    notes.push(
      `${name} has only a pixel spacing calibrated in the patient: it is scaled by the magnification ${magnification}.`
    )
    return [spacing[0] * magnification, spacing[1] * magnification]
  }
  if (calibrated) {
    notes.push(`${name} has only a pixel spacing calibrated in the patient, which is not the detector's.`)
    return null
  }
  notes.push(`${name} has no imager pixel spacing: pixel spacing (0028,0030) is taken for the detector's.`)
  return spacing
}

/** Pixel Intensity Relationship (0028,1040) and its sign (0028,1041), else what each kind of machine usually stores. */
function meaningOf({ header, dataset }: DicomFile): Pick<Xray, 'intensity' | 'bright' | 'guessed'> {
  const relation = dataset.text('00281040')
  const sign = dataset.number('00281041')
  const guessed: ('intensity' | 'bright')[] = []
  const isFluoroscopy = header.modality === 'XA' || header.modality === 'RF'
  let intensity: Xray['intensity'] = isFluoroscopy && relation !== 'DISP' ? 'linear' : 'log'
  if (relation === 'LIN' || relation === 'LOG') intensity = relation === 'LIN' ? 'linear' : 'log'
  else guessed.push('intensity')
  // Fluoroscopy shows bone dark, radiography bright; MONOCHROME1 shows small values bright.
  const boneShownBright = !isFluoroscopy
  const largeShownBright = header.photometric !== 'MONOCHROME1'
  let bright: Xray['bright'] = boneShownBright === largeShownBright ? 'attenuation' : 'exposure'
  // PS3.3 C.8.11.3.1.2: 1 means that small values are little beam intensity.
  if (sign === 1 || sign === -1) bright = sign === 1 ? 'exposure' : 'attenuation'
  else guessed.push('bright')
  return { intensity, bright, guessed }
}

const LETTERS: Readonly<Record<string, Vec3>> = {
  L: [1, 0, 0],
  R: [-1, 0, 0],
  P: [0, 1, 0],
  A: [0, -1, 0],
  H: [0, 0, 1],
  F: [0, 0, -1]
}

/** Whether column × row runs against the beam; null where Patient Orientation (0020,0020) does not tell. */
function isMirrored(
  orientation: readonly string[],
  { primary, secondary }: { primary: number; secondary: number }
): boolean | null {
  const [column, row] = orientation.map(directionOf)
  if (!column || !row) return null
  const along = dot(cross(column, row), beamFromPositioner(primary, secondary))
  return Math.abs(along) < 0.1 ? null : along < 0
}

/** "LF" is mostly left, a little to the feet: later letters count less. */
function directionOf(letters: string): Vec3 | null {
  const v: [number, number, number] = [0, 0, 0]
  for (const [k, letter] of [...letters].entries()) {
    const d = LETTERS[letter]
    if (!d) return null
    for (let a = 0; a < 3; a++) v[a] += d[a] / 2 ** k
  }
  return letters === '' ? null : v
}
