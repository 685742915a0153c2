import { createReferenceRenderer, createWasmRenderer } from '@raypose/core'
import { rmsPercent, squaredError } from './figures.js'
import { openPlastimatch } from './plastimatch.js'
import { NAMED, renderThinned, type Scene, thinnedError } from './scene.js'

/** Every so many pixels are compared with the reference, which takes seconds for a whole image. */
const THINNING = 3

/** plastimatch on one pose. */
export interface PlastimatchFigures {
  readonly pose: string
  readonly ms: number
  /** Of the finest kernel to it. */
  readonly rmsPercent: number
  /** Of the reference with voxels that are boxes, as plastimatch has them; of AP, lateral and the obliques. */
  readonly boxRmsPercent: number | null
}

/**
 * Times of all poses; agreement of the finest kernel with it at each, and of the reference at the named ones.
 * @returns null where plastimatch is not installed
 */
export async function comparePlastimatch(
  { volume, poses }: Scene,
  stage: (name: string, fraction: number) => void,
  signal?: AbortSignal
): Promise<PlastimatchFigures[] | null> {
  const plastimatch = await openPlastimatch(volume)
  if (!plastimatch) return null
  const renderer = createWasmRenderer(volume, { quality: 'finest' })
  const boxes = createReferenceRenderer(volume, { interpolation: 'nearest' })
  try {
    const results: PlastimatchFigures[] = []
    for (const [n, { name, camera }] of poses.entries()) {
      stage('Running plastimatch', n / poses.length)
      const { image, ms } = await plastimatch.render(camera, signal)
      const error = squaredError(renderer.render(camera).data, image)
      const box =
        n < NAMED.length
          ? thinnedError(image, camera.detector.size, THINNING, renderThinned(boxes, camera, THINNING))
          : null
      results.push({
        pose: name,
        ms,
        rmsPercent: rmsPercent([error]),
        boxRmsPercent: box && rmsPercent([box])
      })
    }
    return results
  } finally {
    renderer.dispose()
    boxes.dispose()
    await plastimatch.dispose()
  }
}
