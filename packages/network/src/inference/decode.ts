import {
  binsPerLandmark,
  cellCentre,
  mapSize,
  type NetworkSpec,
  outputStride
} from '../architectures/spec.js'

/** Where a landmark was found, input pixels, and how sure the network is (0 to 1). */
export interface Detection {
  readonly u: number
  readonly v: number
  readonly confidence: number
}

/** Half width of the window around the largest cell, input pixels. */
const windowRadius = 9

/**
 * Landmarks from the scores of one image, at sub-pixel precision.
 * `compact`: softmax over cells and absent bin; around the most probable cell the mean position of the probability
 * within ±9 px, with that window's probability mass as the confidence. `cpm`: the same mean over the positive part
 * of the map, with the map's peak as the confidence (Bier et al. 2018 reject below 0.4).
 * @param scores [landmarks, bins] from `offset`
 */
export function decode(spec: NetworkSpec, scores: Float32Array, offset = 0): Detection[] {
  const { width, height } = mapSize(spec)
  const stride = outputStride(spec)
  const bins = binsPerLandmark(spec)
  const cells = width * height
  const reach = Math.floor(windowRadius / stride)
  const compact = spec.kind === 'compact'
  const detections: Detection[] = []
  for (let k = 0; k < spec.landmarks; k++) {
    const at = offset + k * bins
    let best = 0
    for (let i = 1; i < cells; i++) if (scores[at + i] > scores[at + best]) best = i
    const peak = scores[at + best]
    let total = 0
    if (compact) {
      const highest = Math.max(peak, scores[at + bins - 1])
      for (let i = 0; i < bins; i++) total += Math.exp(scores[at + i] - highest)
      total *= Math.exp(highest - peak)
    }
    const [x0, y0] = [best % width, Math.floor(best / width)]
    let [mass, sumU, sumV] = [0, 0, 0]
    for (let y = Math.max(0, y0 - reach); y <= Math.min(height - 1, y0 + reach); y++)
      for (let x = Math.max(0, x0 - reach); x <= Math.min(width - 1, x0 + reach); x++) {
        const score = scores[at + y * width + x]
        const weight = compact ? Math.exp(score - peak) : Math.max(0, score)
        mass += weight
        sumU += weight * cellCentre(x, stride)
        sumV += weight * cellCentre(y, stride)
      }
    const empty = !(mass > 0)
    detections.push({
      u: empty ? cellCentre(x0, stride) : sumU / mass,
      v: empty ? cellCentre(y0, stride) : sumV / mass,
      confidence: compact ? mass / total : Math.min(1, Math.max(0, peak))
    })
  }
  return detections
}
