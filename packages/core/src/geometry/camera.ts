import { GeometryError } from '../errors.js'
import { type Mat4, mulMat3Vec3, normalize, transpose3, type Vec2, type Vec3 } from './linear.js'
import { applyRigid, assertRigid, rotationOf, translationOf } from './rigid.js'

/** Flat-panel detector of a pinhole C-arm. Pixel centres at integer (column u, row v), the first at (0, 0). */
export interface Detector {
  /** Source-to-detector distance, mm. */
  readonly sdd: number
  /** Pixel size (du along columns, dv along rows), mm. */
  readonly pixel: Vec2
  /** Image size (W columns, H rows), pixels. */
  readonly size: Vec2
  /** Principal point (cu, cv), pixels. */
  readonly principalPoint: Vec2
}

/** A detector and where it stands: `p_camera = cameraFromLps · p_lps`, +z from the source to the detector. */
export interface Camera {
  readonly detector: Detector
  readonly cameraFromLps: Mat4
}

/** Source-to-isocentre distance of the paper's C-arm, mm. */
export const PAPER_SOURCE_TO_ISOCENTER = 700

/** The paper's C-arm: 384 × 300 mm at 1.6 mm, 1200 mm from the source. */
export const PAPER_DETECTOR: Detector = {
  sdd: 1200,
  pixel: [1.6, 1.6],
  size: [240, 188],
  principalPoint: [119.5, 93.5]
}

/** A detector with the principal point at the image centre, ((W−1)/2, (H−1)/2). */
export const centredDetector = (sdd: number, pixel: Vec2, size: Vec2): Detector => ({
  sdd,
  pixel,
  size,
  principalPoint: [(size[0] - 1) / 2, (size[1] - 1) / 2]
})

/**
 * The same detector read out with pixels `factor` times as large, covering the same area: what an image
 * averaged over factor×factor blocks has. Pixel centres move by half a block.
 */
export function binnedDetector(d: Detector, factor: number): Detector {
  const half = (factor - 1) / 2
  return {
    sdd: d.sdd,
    pixel: [d.pixel[0] * factor, d.pixel[1] * factor],
    size: [Math.floor(d.size[0] / factor), Math.floor(d.size[1] / factor)],
    principalPoint: [(d.principalPoint[0] - half) / factor, (d.principalPoint[1] - half) / factor]
  }
}

/**
 * Checks a camera before any work is done with it.
 * @throws GeometryError for NaN, a detector at or behind the source, an empty or zero-pixel detector, a non-rigid pose.
 */
export function assertCamera(camera: Camera): void {
  assertDetector(camera.detector)
  assertRigid(camera.cameraFromLps, 'cameraFromLps')
}

/** @throws GeometryError as for {@link assertCamera}. */
export function assertDetector({ sdd, pixel, size, principalPoint }: Detector): void {
  if (![sdd, ...pixel, ...size, ...principalPoint].every(Number.isFinite))
    throw new GeometryError(
      'The detector has a value that is not a finite number',
      'Check sdd, pixel, size and principal point.'
    )
  if (!(sdd > 0))
    throw new GeometryError(
      `The detector is ${sdd} mm from the source: at or behind it`,
      'Give a positive source-to-detector distance.'
    )
  if (!(pixel[0] > 0 && pixel[1] > 0))
    throw new GeometryError(
      `The pixel size ${pixel.join(' × ')} mm is not positive`,
      'Give the detector pixel size in mm.'
    )
  if (!(Number.isInteger(size[0]) && Number.isInteger(size[1]) && size[0] > 0 && size[1] > 0))
    throw new GeometryError(
      `The image size ${size.join(' × ')} is not a positive whole number of pixels`,
      'Give columns and rows.'
    )
}

/** Projects an LPS point (mm) to pixels; depth is z in camera coordinates, mm (≤ 0: behind the source). */
export function project(camera: Camera, p: Vec3): { u: number; v: number; depth: number } {
  const { sdd, pixel, principalPoint } = camera.detector
  const [x, y, z] = applyRigid(camera.cameraFromLps, p)
  return {
    u: principalPoint[0] + ((sdd / pixel[0]) * x) / z,
    v: principalPoint[1] + ((sdd / pixel[1]) * y) / z,
    depth: z
  }
}

/** X-ray source in LPS, mm. */
export function sourcePosition(cameraFromLps: Mat4): Vec3 {
  const s = mulMat3Vec3(transpose3(rotationOf(cameraFromLps)), translationOf(cameraFromLps))
  return [-s[0], -s[1], -s[2]]
}

/** Centre of pixel (u, v) in camera coordinates, mm. */
export function pixelInCamera(d: Detector, u: number, v: number): Vec3 {
  return [(u - d.principalPoint[0]) * d.pixel[0], (v - d.principalPoint[1]) * d.pixel[1], d.sdd]
}

/** A ray in LPS: from the source, along a unit direction. */
export interface Ray {
  readonly origin: Vec3
  readonly direction: Vec3
}

/** The ray from the source through pixel (u, v) (fractional allowed), in LPS. */
export function rayThrough(camera: Camera, u: number, v: number): Ray {
  const d = mulMat3Vec3(transpose3(rotationOf(camera.cameraFromLps)), pixelInCamera(camera.detector, u, v))
  return { origin: sourcePosition(camera.cameraFromLps), direction: normalize(d) }
}

/** Whether (u, v) lies on the detector's pixels, half a pixel of margin included. */
export const onDetector = (d: Detector, u: number, v: number): boolean =>
  u >= -0.5 && v >= -0.5 && u <= d.size[0] - 0.5 && v <= d.size[1] - 0.5
