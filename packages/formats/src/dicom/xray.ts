import { cross, dot, type GeometryParts, geometryPartsFromJson, type Vec3, XrayError } from '@raypose/core'
import { completeDetector } from '../xray/complete.js'
import {
  beamFromPositioner,
  requireGeometry,
  withReading,
  type Xray,
  type XrayOptions
} from '../xray/xray.js'
import { type DicomHeader, readDicomFile } from './header.js'
import { decodeFrame } from './pixels.js'
import { detectorTags, isFluoroscopy, sourceToPatientOf } from './xray-detector.js'
import { type XrayTags, xrayTags } from './xray-tags.js'

const MODALITIES = ['XA', 'RF', 'DX', 'CR', 'RG']

/**
 * Reads a DICOM X-ray (XA, RF, DX, CR, RG, enhanced or not) with what its tags say of the geometry.
 *
 * Source to detector (0018,1110), source to patient (0018,1111), Imager Pixel Spacing (0018,1164), positioner angles
 * (0018,1510) and (0018,1511); the principal point is the centre of the detector, of which the image may be a part.
 * A geometry in the options goes before the tags, and completes them where it says only a part.
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

  const tags = xrayTags(dataset, frame)
  const slope = tags.number('00281053') ?? 1
  const intercept = tags.number('00281052') ?? 0
  if (slope === 0)
    throw new XrayError(
      `${name} has the rescale slope (0028,1053) 0: every value would be the same`,
      'Correct the tag, or remove it where the stored values are meant.'
    )
  const stored = await decodeFrame(file, frame)
  const data = Float32Array.from(stored, v => slope * v + intercept)
  const told = toldGeometry(options)
  const own = detectorTags(tags, header, name, told, notes)
  const {
    detector,
    missing,
    notes: overridden
  } = completeDetector(told, own, [header.columns, header.rows], name)
  notes.push(...overridden)
  const positioner = positionerOf(tags)
  const mirrored = positioner ? isMirrored(tags.texts('00200020'), positioner) : null
  if (mirrored)
    notes.push(`${name} is stored as seen from behind the detector: it has to be mirrored for registration.`)
  const xray: Xray = {
    image: { width: header.columns, height: header.rows, data },
    detector,
    missing,
    cameraFromLps: told.cameraFromLps ?? null,
    sourceToPatient: sourceToPatientOf(tags, header),
    positioner,
    ...meaningOf(header, tags, slope),
    mirrored,
    frames: header.frames,
    modality: header.modality,
    photometric: header.photometric,
    notes
  }
  const read = withReading(xray, options, name)
  // A size or unit that is told wrongly is told here; what only the file says may still be put right.
  return detector && Object.keys(told).length > 0 ? requireGeometry(read, name) : read
}

/** What the caller knows of the geometry. */
const toldGeometry = ({ geometry, sdd }: XrayOptions): GeometryParts => ({
  ...(geometry !== undefined && geometry !== null && geometryPartsFromJson(geometry)),
  ...(sdd !== undefined && { sdd })
})

function positionerOf(tags: XrayTags): Xray['positioner'] {
  const primary = tags.number('00181510')
  const secondary = tags.number('00181511')
  const radians = (deg: number) => (deg * Math.PI) / 180
  return primary === null || secondary === null
    ? null
    : { primary: radians(primary), secondary: radians(secondary) }
}

/** Pixel Intensity Relationship (0028,1040) and its sign (0028,1041), else what each kind of machine usually stores. */
function meaningOf(
  header: DicomHeader,
  tags: XrayTags,
  slope: number
): Pick<Xray, 'intensity' | 'bright' | 'guessed'> {
  const relation = tags.text('00281040')
  // The sign is about stored values, which a negative slope turns round.
  const sign = (tags.number('00281041') ?? 0) * Math.sign(slope)
  const guessed: ('intensity' | 'bright')[] = []
  const fluoroscopy = isFluoroscopy(header)
  let intensity: Xray['intensity'] = fluoroscopy && relation !== 'DISP' ? 'linear' : 'log'
  if (relation === 'LIN' || relation === 'LOG') intensity = relation === 'LIN' ? 'linear' : 'log'
  else guessed.push('intensity')
  // Fluoroscopy shows bone dark, radiography bright; MONOCHROME1 shows small values bright.
  const boneShownBright = !fluoroscopy
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
