import {
  type Detector,
  EmptyXrayError,
  geometryFromJson,
  type Image,
  type Mat4,
  type Vec2,
  type Vec3,
  type View,
  XrayError
} from '@raypose/core'
import { DISTANCE } from './complete.js'
import { assertPlausible } from './plausible.js'

/** An X-ray as read, and all that its file says about how it was taken. */
export interface Xray {
  /** Values of the file after its own rescaling; columns × rows as stored. */
  readonly image: Image
  /** Null where the geometry is not complete; `missing` names what lacks. */
  readonly detector: Detector | null
  readonly missing: readonly string[]
  /** Pose, where a geometry JSON gave one. */
  readonly cameraFromLps: Mat4 | null
  /** Source to patient (isocentre), mm. */
  readonly sourceToPatient: number | null
  /** C-arm angles of DICOM (0018,1510/1511), radians; {@link viewFromPositioner} turns them into a view. */
  readonly positioner: { readonly primary: number; readonly secondary: number } | null
  /** Whether values go with the detector reading I = I₀·exp(−integral), or with the integral itself. */
  readonly intensity: 'linear' | 'log'
  /** What large values mean: more attenuation (bone is bright, as in a DRR) or more X-rays on the detector. */
  readonly bright: 'attenuation' | 'exposure'
  /** Which of these two the file does not say, so that they are guesses. */
  readonly guessed: readonly ('intensity' | 'bright')[]
  /**
   * Whether the columns run against the camera contract (as seen from behind the detector), so that no rigid pose can
   * explain the image: use {@link mirrorXray}. Null where the file does not tell.
   */
  readonly mirrored: boolean | null
  /** Frames in the file; this is one of them. */
  readonly frames: number
  readonly modality: string
  readonly photometric: string
  /** Sentences for the user: what was assumed, chosen or converted. */
  readonly notes: readonly string[]
}

/** What the caller knows better than the file. */
export interface XrayOptions {
  /**
   * Parsed geometry JSON of the contract; goes before what the file says. It may leave out what a DICOM file says itself.
   */
  readonly geometry?: unknown
  /** Source-to-detector distance, mm; goes before the file and the geometry JSON. */
  readonly sdd?: number
  readonly intensity?: 'linear' | 'log'
  readonly bright?: 'attenuation' | 'exposure'
  /** Frame of a multi-frame image, from 0. */
  readonly frame?: number
}

/** An X-ray whose detector is known: what registration needs. */
export type CalibratedXray = Xray & { readonly detector: Detector }

const GEOMETRY_HINT =
  'Give a geometry file with --geometry: {"sddMm": 1200, "pixelMm": [0.4, 0.4], "size": [columns, rows]}.'
/** Where that is all that a file lacks. */
const DISTANCE_HINT = 'Give it in mm, with --sdd 1200 or in a geometry file: --geometry with {"sddMm": 1200}.'

/**
 * @throws XrayError naming what the geometry lacks, or an image size other than the geometry's.
 * @throws GeometryError for lengths that no machine has, as in another unit.
 */
export function requireGeometry(xray: Xray, name: string): CalibratedXray {
  const { detector, image } = xray
  if (!detector)
    throw new XrayError(
      `${name} does not say how it was taken: no ${xray.missing.join(', no ') || 'geometry'}`,
      xray.missing.join() === DISTANCE ? DISTANCE_HINT : GEOMETRY_HINT
    )
  if (image.width !== detector.size[0] || image.height !== detector.size[1])
    throw new XrayError(
      `${name} is ${image.width} × ${image.height} pixels, its geometry is for ${detector.size.join(' × ')}`,
      'Give the geometry of this very image: size as columns × rows, and the pixel size that goes with it.'
    )
  assertPlausible(detector, name)
  return { ...xray, detector }
}

/**
 * Applies what the caller knows of the values.
 * @throws XrayError for an empty image, or NaN
 */
export function withReading(xray: Xray, options: XrayOptions, name: string): Xray {
  checkImage(xray.image, name)
  const told = (['intensity', 'bright'] as const).filter(k => options[k] !== undefined)
  return {
    ...xray,
    intensity: options.intensity ?? xray.intensity,
    bright: options.bright ?? xray.bright,
    guessed: xray.guessed.filter(k => !told.includes(k))
  }
}

/**
 * Applies what the caller knows to an image whose file says nothing of how it was taken.
 * @throws GeometryError for a geometry that is none; XrayError for an empty image, NaN, or another size.
 */
export function withOptions(xray: Xray, options: XrayOptions, name: string): Xray {
  const known = withReading(xray, options, name)
  if (options.geometry === undefined || options.geometry === null) return known
  const { detector, cameraFromLps } = geometryFromJson(options.geometry)
  const sdd = options.sdd ?? detector.sdd
  return requireGeometry(
    {
      ...known,
      detector: { ...detector, sdd },
      missing: [],
      cameraFromLps: cameraFromLps ?? known.cameraFromLps
    },
    name
  )
}

function checkImage(image: Image, name: string): void {
  const first = image.data[0]
  let flat = true
  for (let i = 0; i < image.data.length; i++) {
    const v = image.data[i]
    if (!Number.isFinite(v))
      throw new XrayError(
        `${name} holds a value that is not a number, at column ${i % image.width}, row ${Math.floor(i / image.width)}`,
        'Replace NaN and infinite values and write the image again.'
      )
    if (v !== first) flat = false
  }
  if (flat)
    throw new EmptyXrayError(
      `${name} is empty: every pixel is ${first}`,
      'Give an X-ray with something in it.'
    )
}

/** The image seen from the other side: columns reversed, the principal point with them. */
export function mirrorXray<T extends Xray>(xray: T): T {
  const { width, height, data } = xray.image
  const out = new Float32Array(data.length)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) out[y * width + x] = data[y * width + width - 1 - x]
  const d = xray.detector
  return {
    ...xray,
    image: { width, height, data: out },
    detector: d && {
      ...d,
      principalPoint: [d.size[0] - 1 - d.principalPoint[0], d.principalPoint[1]] as Vec2
    },
    // A pose that came with the image was the pose of the image as stored.
    cameraFromLps: null,
    mirrored: xray.mirrored === null ? null : !xray.mirrored
  }
}

/** LPS unit vector from the source to the detector for C-arm angles of DICOM (0 is a detector in front of the patient). */
export const beamFromPositioner = (primary: number, secondary: number): Vec3 => [
  Math.sin(primary) * Math.cos(secondary),
  -Math.cos(primary) * Math.cos(secondary),
  Math.sin(secondary)
]

/**
 * View angles of the geometry contract from the positioner angles of DICOM PS3.3 C.8.7.5 (radians; primary from right
 * to left anterior oblique, secondary from caudal to cranial, patient head-first supine).
 * At zero DICOM's detector is in front of the patient, the contract's source is: hence the half turn.
 */
export function viewFromPositioner(
  primary: number,
  secondary: number
): Pick<View, 'alpha' | 'beta' | 'gamma'> {
  const gamma = primary + Math.PI
  return { alpha: secondary, beta: 0, gamma: Math.atan2(Math.sin(gamma), Math.cos(gamma)) }
}
