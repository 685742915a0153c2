import type { Detection } from '@raypose/core'
import {
  binsPerLandmark,
  cellCentre,
  mapSize,
  type NetworkSpec,
  outputStride
} from '../architectures/spec.js'

/** Half width of the window around the largest cell, input pixels: of the mean position, and of its spread. */
const windowRadius = 9
const spreadRadius = 12
/** Cells this far below the largest, in logarithms, are together less than 10⁻⁶ of the probability. */
const NEGLIGIBLE = -25

/**
 * Landmarks from the scores of one image, at sub-pixel precision.
 * `compact`: softmax over cells and absent bin; around the most probable cell the mean position of the probability
 * within ±9 px, with that window's probability mass as the confidence, and the standard deviation within ±12 px as the spread. `cpm`: the vertex of the parabola through the
 * logarithms of the peak and its neighbours (exact for a Gaussian), with the map's peak as the confidence (Bier et
 * al. 2018 reject below 0.4).
 * @param scores [landmarks, bins] from `offset`
 */
export function decode(spec: NetworkSpec, scores: Float32Array, offset = 0): Detection[] {
  const bins = binsPerLandmark(spec)
  const one = spec.kind === 'compact' ? decodeLogits : decodeMap
  return Array.from({ length: spec.landmarks }, (_, k) => {
    const from = offset + k * bins
    return one(spec, scores.subarray(from, from + bins))
  })
}

function largest(values: Float32Array, count: number): number {
  let best = 0
  for (let i = 1; i < count; i++) if (values[i] > values[best]) best = i
  return best
}

function decodeLogits(spec: NetworkSpec, logits: Float32Array): Detection {
  const { width, height } = mapSize(spec)
  const stride = outputStride(spec)
  const reach = Math.floor(windowRadius / stride)
  const wider = Math.floor(spreadRadius / stride)
  const best = largest(logits, width * height)
  // Relative to the peak inside the window and to the overall largest outside, so that neither can overflow.
  const peak = logits[best]
  const highest = Math.max(peak, logits[width * height])
  let total = 0
  for (let i = 0; i < logits.length; i++) {
    const below = logits[i] - highest
    if (below > NEGLIGIBLE) total += Math.exp(below)
  }
  const [x0, y0] = [best % width, Math.floor(best / width)]
  let [mass, sumU, sumV] = [0, 0, 0]
  let [all, allU, allV, squares] = [0, 0, 0, 0]
  for (let y = Math.max(0, y0 - wider); y <= Math.min(height - 1, y0 + wider); y++)
    for (let x = Math.max(0, x0 - wider); x <= Math.min(width - 1, x0 + wider); x++) {
      const weight = Math.exp(logits[y * width + x] - peak)
      const [u, v] = [cellCentre(x, stride), cellCentre(y, stride)]
      all += weight
      allU += weight * u
      allV += weight * v
      squares += weight * (u * u + v * v)
      if (Math.abs(x - x0) > reach || Math.abs(y - y0) > reach) continue
      mass += weight
      sumU += weight * u
      sumV += weight * v
    }
  const variance = squares / all - (allU / all) ** 2 - (allV / all) ** 2
  return {
    u: sumU / mass,
    v: sumV / mass,
    confidence: (mass * Math.exp(peak - highest)) / total,
    spread: Math.sqrt(Math.max(0, variance) / 2)
  }
}

function decodeMap(spec: NetworkSpec, map: Float32Array): Detection {
  const { width, height } = mapSize(spec)
  const stride = outputStride(spec)
  const best = largest(map, width * height)
  const [x0, y0] = [best % width, Math.floor(best / width)]
  const vertex = (position: number, size: number, step: number) => {
    if (position === 0 || position === size - 1) return position
    const [a, b, c] = [best - step, best, best + step].map(i => Math.log(Math.max(map[i], 1e-6)))
    const curvature = a - 2 * b + c
    return curvature < 0 ? position + (0.5 * (a - c)) / curvature : position
  }
  return {
    u: cellCentre(vertex(x0, width, 1), stride),
    v: cellCentre(vertex(y0, height, width), stride),
    confidence: Math.min(1, Math.max(0, map[best]))
  }
}
