import { ArgumentError, type Detection } from '@raypose/core'
import { binsPerLandmark, mapSize, type NetworkSpec, outputStride } from '../architectures/spec.js'
import { decode } from './decode.js'
import type { Detector } from './detector.js'
import { normaliseInput } from './normalise.js'

/**
 * A detector that also looks at each image in a mirror, where right and left landmarks change places, and averages the scores of both (for
 * `compact`, whose scores are logarithms of probabilities, their geometric mean). Twice the time of the detector given, which it goes on to
 * belong to: releasing either releases both.
 * @param mirror for each landmark the position (from 0) of its like on the other side, its own for a median one
 * @throws ArgumentError where mirror partners are not pairs of the network's landmarks, or no whole number of map cells covers the image
 */
export function mirrorDetector(detector: Detector, mirror: readonly number[]): Detector {
  const { spec } = detector
  const { imageWidth: width } = spec
  if (mirror.length !== spec.landmarks || !mirror.every((m, k) => mirror[m] === k))
    throw new ArgumentError(
      `${mirror.length} mirror partners do not pair the ${spec.landmarks} landmarks of the network`,
      'Give for each landmark the position of its like on the other side.'
    )
  if (width % outputStride(spec) !== 0)
    throw new ArgumentError(
      `Maps of one cell for ${outputStride(spec)} pixels cannot be mirrored within an image ${width} pixels wide`,
      'Use the network without mirror images.'
    )
  const scores = async (inputs: Float32Array): Promise<Float32Array> => {
    const straight = await detector.scores(inputs)
    const turned = await detector.scores(mirroredInputs(spec, inputs))
    return averaged(spec, mirror, straight, turned)
  }
  return {
    spec,
    scores,
    async detect(images) {
      const found: Detection[][] = []
      for (const image of images) found.push(decode(spec, await scores(normaliseInput(spec, image))))
      return found
    },
    release: () => detector.release()
  }
}

/** Each input mirrored within its image; the padding at the right repeats the image's last column, as ever. */
function mirroredInputs(spec: NetworkSpec, inputs: Float32Array): Float32Array {
  const { imageWidth, inputWidth } = spec
  const out = new Float32Array(inputs.length)
  for (let row = 0; row < inputs.length; row += inputWidth)
    for (let x = 0; x < inputWidth; x++)
      out[row + x] = inputs[row + imageWidth - 1 - Math.min(x, imageWidth - 1)]
  return out
}

/** Mean of scores and mirrored scores; cells in the padding, which have no mirror image, keep their own. */
function averaged(
  spec: NetworkSpec,
  mirror: readonly number[],
  straight: Float32Array,
  turned: Float32Array
): Float32Array {
  const { width, height } = mapSize(spec)
  const cells = spec.imageWidth / outputStride(spec)
  const bins = binsPerLandmark(spec)
  const out = Float32Array.from(straight)
  for (let image = 0; image < straight.length; image += spec.landmarks * bins)
    mirror.forEach((partner, k) => {
      const [to, from] = [image + k * bins, image + partner * bins]
      for (let y = 0; y < height; y++)
        for (let x = 0; x < cells; x++) {
          const i = to + y * width + x
          out[i] = (straight[i] + turned[from + y * width + cells - 1 - x]) / 2
        }
      // The absent bin.
      for (let b = width * height; b < bins; b++) out[to + b] = (straight[to + b] + turned[from + b]) / 2
    })
  return out
}
