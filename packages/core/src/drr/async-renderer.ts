import { BackendError, CancelledError } from '../errors.js'
import { assertCamera, type Camera } from '../geometry/camera.js'
import type { Vec3 } from '../geometry/linear.js'
import type { Image } from '../image/image.js'
import type { ImageWithDerivatives, Renderer } from './renderer.js'

export interface RenderBatchOptions {
  /** Ends the call with a CancelledError once the work begun is done. */
  readonly signal?: AbortSignal
  /** Called with how many of all images are done. */
  readonly onProgress?: (done: number, total: number) => void
}

/**
 * A {@link Renderer} whose images come later: on a GPU, or on other threads. The same images, the same frames and the
 * same errors, as rejections. Calls may overlap. {@link asAsyncRenderer} makes one of any synchronous renderer, so
 * that code written for this interface runs on every backend.
 */
export interface AsyncRenderer {
  readonly backend: Renderer['backend']
  /** What renders, for people: the GPU's name, or the CPU. */
  readonly device: string
  /** Relative RMS error to the reference that the tests hold this backend to. */
  readonly errorBound: number
  /** Memory held for the prepared volume, bytes. */
  readonly bytes: number
  /** @throws GeometryError for a degenerate camera, BackendError for a lost device or after `dispose` */
  render(camera: Camera): Promise<Image>
  /**
   * Renders every camera; images in the cameras' order. Detectors may differ.
   * @throws as {@link render}, before any work starts for a camera; CancelledError
   */
  renderBatch(cameras: readonly Camera[], options?: RenderBatchOptions): Promise<Image[]>
  /**
   * The image and its six derivatives.
   * @param centre LPS mm, about which the patient turns
   * @throws as {@link render}; BackendError if the backend has no derivatives
   */
  renderWithDerivatives(camera: Camera, centre: Vec3): Promise<ImageWithDerivatives>
  /** Frees the prepared volume; the renderer is unusable afterwards. */
  dispose(): void
}

/** A synchronous renderer behind the asynchronous interface. Renders on the calling thread, when asked. */
export function asAsyncRenderer(renderer: Renderer, device = 'CPU'): AsyncRenderer {
  return {
    backend: renderer.backend,
    device,
    errorBound: renderer.errorBound,
    bytes: renderer.bytes,
    async render(camera) {
      return renderer.render(camera)
    },
    async renderBatch(cameras, { signal, onProgress } = {}) {
      for (const camera of cameras) assertCamera(camera)
      const images: Image[] = []
      for (const camera of cameras) {
        if (signal?.aborted) throw new CancelledError()
        images.push(renderer.render(camera))
        onProgress?.(images.length, cameras.length)
      }
      return images
    },
    async renderWithDerivatives(camera, centre) {
      if (!renderer.renderWithDerivatives)
        throw new BackendError(
          `The ${renderer.backend} renderer has no derivatives`,
          'Use a backend that has them, or finite differences.'
        )
      return renderer.renderWithDerivatives(camera, centre)
    },
    dispose: () => renderer.dispose()
  }
}
