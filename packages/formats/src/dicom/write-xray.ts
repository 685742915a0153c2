import {
  ArgumentError,
  assertDetector,
  assertRigid,
  type Detector,
  type Image,
  imageRange,
  type Mat4,
  type Vec3,
  XrayError
} from '@raypose/core'
import { littleEndianBytes } from '../bytes/elements.js'
import { createUid } from './uid.js'
import { commonElements, type DicomMeta, decimal, type Elements, writeDicomFile } from './write-elements.js'

const XA_IMAGE_STORAGE = '1.2.840.10008.5.1.4.1.1.12.1'

/** How an X-ray was taken, as far as XA tags can say it. */
export interface XrayGeometry {
  readonly detector: Detector
  /** Source to isocentre, mm. */
  readonly sourceToPatient?: number
  /** Pose; gives positioner angles (which leave out the roll) and Patient Orientation. */
  readonly cameraFromLps?: Mat4
  readonly intensity?: 'linear' | 'log'
  readonly bright?: 'attenuation' | 'exposure'
}

/**
 * Writes an X-ray as a DICOM XA image of 16 bits, geometry in its tags. Values survive to 1/65535 of their range.
 * @throws ArgumentError for a principal point off the image centre, which DICOM cannot say.
 * @throws XrayError for an image that is not of the detector's size, or not finite.
 */
export function writeDicomXray(image: Image, geometry: XrayGeometry, meta: DicomMeta = {}): Uint8Array {
  const { detector } = geometry
  assertDetector(detector)
  const [columns, rows] = detector.size
  const [cu, cv] = detector.principalPoint
  if (Math.abs(cu - (columns - 1) / 2) > 1e-6 || Math.abs(cv - (rows - 1) / 2) > 1e-6)
    throw new ArgumentError(
      `The principal point (${cu}, ${cv}) is not the image centre, and a DICOM XA image cannot say so`,
      'Write a PNG and a geometry JSON.'
    )
  if (image.width !== columns || image.height !== rows)
    throw new XrayError(
      `The image is ${image.width} × ${image.height} pixels, its geometry is for ${columns} × ${rows}`,
      'Give the detector that the image was taken with.'
    )
  const { min, max } = imageRange(image)
  if (!Number.isFinite(max - min) || image.data.some(Number.isNaN))
    throw new XrayError('The image holds a value that is not a number', 'Replace NaN and infinite values.')
  const slope = max > min ? Number(decimal((max - min) / 65535)) : 1
  const stored = Uint16Array.from(image.data, v =>
    Math.max(0, Math.min(65535, Math.round((v - min) / slope)))
  )
  const pixels = littleEndianBytes(stored)
  const instance = createUid(`${createUid(pixels)} ${JSON.stringify(geometry)} ${JSON.stringify(meta)}`)
  return writeDicomFile({
    ...commonElements(XA_IMAGE_STORAGE, instance, 'XA', meta),
    '00080008': ['CS', 'ORIGINAL', 'PRIMARY', 'SINGLE PLANE'],
    '00180060': ['DS'],
    '00181110': ['DS', decimal(detector.sdd)],
    ...(geometry.sourceToPatient === undefined
      ? {}
      : { '00181111': ['DS', decimal(geometry.sourceToPatient)] }),
    '00181155': ['CS', 'GR'],
    '00181164': ['DS', decimal(detector.pixel[1]), decimal(detector.pixel[0])],
    ...poseElements(geometry.cameraFromLps),
    '00200013': ['IS', '1'],
    '00280002': ['US', 1],
    '00280004': ['CS', 'MONOCHROME2'],
    '00280010': ['US', rows],
    '00280011': ['US', columns],
    '00280100': ['US', 16],
    '00280101': ['US', 16],
    '00280102': ['US', 15],
    '00280103': ['US', 0],
    '00281040': ['CS', geometry.intensity === 'linear' ? 'LIN' : 'LOG'],
    '00281041': ['SS', geometry.bright === 'exposure' ? 1 : -1],
    '00281052': ['DS', decimal(min)],
    '00281053': ['DS', decimal(slope)],
    '00281054': ['LO', 'US'],
    '7FE00010': ['OW', pixels]
  })
}

/** Positioner angles from the direction of the beam, and Patient Orientation from the image axes. */
function poseElements(cameraFromLps: Mat4 | undefined): Elements {
  if (!cameraFromLps) return { '00200020': ['CS'] }
  const m = assertRigid(cameraFromLps, 'cameraFromLps')
  const degrees = (rad: number) => decimal((rad * 180) / Math.PI)
  const [x, y, z]: Vec3[] = [
    [m[0], m[1], m[2]],
    [m[4], m[5], m[6]],
    [m[8], m[9], m[10]]
  ]
  return {
    '00181510': ['DS', degrees(Math.atan2(z[0], -z[1]))],
    '00181511': ['DS', degrees(Math.asin(Math.max(-1, Math.min(1, z[2]))))],
    '00200020': ['CS', letters(x), letters(y)]
  }
}

/** The letters of a direction, the largest part first, parts below 0.3 left out (about 17°). */
function letters(v: Vec3): string {
  const names = ['LR', 'PA', 'HF']
  return [0, 1, 2]
    .filter(a => Math.abs(v[a]) > 0.3)
    .sort((a, b) => Math.abs(v[b]) - Math.abs(v[a]))
    .map(a => names[a][v[a] > 0 ? 0 : 1])
    .join('')
}
