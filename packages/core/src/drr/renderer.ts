import { ArgumentError, GeometryError } from '../errors.js'
import type { Camera } from '../geometry/camera.js'
import type { Vec3 } from '../geometry/linear.js'
import type { Image } from '../image/image.js'

/**
 * An image and how each pixel changes with the pose: the six partial derivatives with respect to the unscaled variables
 * of `rigidPoseVariables` at 0 (three turns of the patient about the camera's axes through a centre, per radian, then
 * three shifts along them, per mm).
 */
export interface ImageWithDerivatives {
  readonly image: Image
  /** Six arrays of W·H, row-major as the image. */
  readonly derivatives: readonly Float32Array[]
}

/**
 * Renders DRRs of one volume: the line integral of μ along the ray from the source through the **centre** of each
 * detector pixel, over the volume taken as trilinear between voxel centres and 0 outside. Dimensionless.
 * Rays that miss the volume are 0. Matter behind the source does not count; matter behind the detector does.
 */
export interface Renderer {
  readonly backend: 'reference' | 'wasm' | 'webgpu'
  /** Relative RMS error to the reference that the tests hold this backend to. */
  readonly errorBound: number
  /** Memory held for the prepared volume, bytes. */
  readonly bytes: number
  /**
   * @param out row-major W·H values to write to, else a new array
   * @throws GeometryError for a degenerate camera, before any work starts
   */
  render(camera: Camera, out?: Float32Array): Image
  /**
   * The image and its six derivatives, where the backend has them.
   * @param centre LPS mm, about which the patient turns
   * @param out 7·W·H values to write to (the image, then its derivatives), else a new array
   * @throws GeometryError as {@link render}, and for a centre that is not a point
   */
  renderWithDerivatives?(camera: Camera, centre: Vec3, out?: Float32Array): ImageWithDerivatives
  /** Frees the prepared volume; the renderer is unusable afterwards. */
  dispose(): void
}

/** The array to render into: the caller's where it has the right length, else a new one. */
export function outputFor(camera: Camera, out?: Float32Array, images = 1): Float32Array {
  const [width, height] = camera.detector.size
  const length = images * width * height
  if (out && out.length !== length)
    throw new ArgumentError(
      `The output array has ${out.length} values, but ${images === 1 ? 'the detector' : `${images} images of`} ${width} × ${height} pixels`,
      `Pass an array of ${images === 1 ? '' : `${images} · `}width · height values, or none.`
    )
  return out ?? new Float32Array(length)
}

/** An array of seven images as an image and its derivatives. */
export function withDerivatives(camera: Camera, data: Float32Array): ImageWithDerivatives {
  const [width, height] = camera.detector.size
  const part = (n: number) => data.subarray(n * width * height, (n + 1) * width * height)
  return {
    image: { width, height, data: part(0) },
    derivatives: Array.from({ length: 6 }, (_, n) => part(n + 1))
  }
}

/** @throws GeometryError for a centre that is not a point */
export function assertCentre(centre: Vec3): void {
  if (!centre.every(Number.isFinite))
    throw new GeometryError(
      `The centre ${centre.join(', ')} is not a point`,
      'Give three finite numbers, LPS in mm: the centre of the landmarks or of the volume.'
    )
}
