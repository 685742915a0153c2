import { ArgumentError } from '@raypose/core'
import {
  binsPerLandmark,
  cellCentre,
  mapSize,
  type NetworkSpec,
  outputStride
} from '../architectures/spec.js'

/**
 * Training targets of one image, [landmarks, bins], written at `offset` of `into`.
 * `compact`: a Gaussian around the landmark, normalised over the cells to sum to 1, the absent bin 0; outside the
 * image the absent bin is 1 and the cells 0. `cpm`: a Gaussian of height 1, or zeros.
 * @param points (u, v) of every landmark in input pixels, landmark after landmark; NaN means not there
 * @param sigma standard deviation in input pixels: millimetres on the detector / pixel size
 */
export function encodeTargets(
  spec: NetworkSpec,
  points: ArrayLike<number>,
  sigma: number,
  into: Float32Array = new Float32Array(spec.landmarks * binsPerLandmark(spec)),
  offset = 0
): Float32Array {
  if (points.length !== 2 * spec.landmarks || !(sigma > 0))
    throw new ArgumentError(
      `${points.length / 2} points and sigma ${sigma} for ${spec.landmarks} landmarks`,
      'Give one (u, v) per landmark and a positive sigma in pixels.'
    )
  const { width, height } = mapSize(spec)
  const stride = outputStride(spec)
  const bins = binsPerLandmark(spec)
  const compact = spec.kind === 'compact'
  into.fill(0, offset, offset + spec.landmarks * bins)
  const columns = new Float64Array(width)
  const rows = new Float64Array(height)
  for (let k = 0; k < spec.landmarks; k++) {
    const [u, v] = [points[2 * k], points[2 * k + 1]]
    const at = offset + k * bins
    const inside = u >= 0 && v >= 0 && u <= spec.imageWidth - 1 && v <= spec.imageHeight - 1
    if (!inside) {
      if (compact) into[at + bins - 1] = 1
      continue
    }
    const profile = (out: Float64Array, centre: number) => {
      let sum = 0
      // Relative to the nearest cell, so that a sigma far below the stride cannot underflow to nothing.
      const nearest = Math.min(out.length - 1, Math.max(0, Math.round((centre - (stride - 1) / 2) / stride)))
      const least = (cellCentre(nearest, stride) - centre) ** 2
      for (let i = 0; i < out.length; i++) {
        const d2 = (cellCentre(i, stride) - centre) ** 2 - (compact ? least : 0)
        out[i] = Math.exp(-d2 / (2 * sigma * sigma))
        sum += out[i]
      }
      return sum
    }
    const total = profile(columns, u) * profile(rows, v)
    const factor = compact ? 1 / total : 1
    for (let y = 0; y < height; y++) {
      const row = rows[y] * factor
      if (row < 1e-9) continue
      for (let x = 0; x < width; x++) into[at + y * width + x] = row * columns[x]
    }
  }
  return into
}
