import { createReferenceRenderer, createWasmRenderer, type Volume } from '@raypose/core'
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
  { volume: whole, poses }: Scene,
  stage: (name: string, fraction: number) => void,
  signal?: AbortSignal
): Promise<PlastimatchFigures[] | null> {
  const volume = withEmptyFaces(whole)
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

/**
 * The volume with air in its outermost voxels, because plastimatch loses the box through which a ray leaves the volume:
 * where a patient is cut off there, that is as much as the rest of the difference.
 */
function withEmptyFaces(volume: Volume<Int16Array>): Volume<Int16Array> {
  const [ni, nj, nk] = volume.size
  const data = volume.data.slice()
  let n = 0
  for (let k = 0; k < nk; k++)
    for (let j = 0; j < nj; j++)
      for (let i = 0; i < ni; i++, n++)
        if (i === 0 || j === 0 || k === 0 || i === ni - 1 || j === nj - 1 || k === nk - 1) data[n] = -1000
  return { ...volume, data }
}
