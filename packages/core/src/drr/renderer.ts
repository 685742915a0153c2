import type { Camera } from '../geometry/camera.js'
import type { Image } from '../image/image.js'

/** Linear attenuation of water, 1/mm (about 70 keV): `μ = μ_water · (1 + HU/1000)`, never below 0. */
export const MU_WATER = 0.0195

/**
 * Renders DRRs of one volume: the line integral of μ along the ray from the source to the **centre** of each
 * detector pixel, over the volume taken as trilinear between voxel centres and 0 outside. Dimensionless.
 * Rays that miss the volume are 0.
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
  /** Frees the prepared volume; the renderer is unusable afterwards. */
  dispose(): void
}
