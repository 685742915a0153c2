import {
  binImage,
  binnedDetector,
  boxBlur,
  type Detector,
  type Image,
  type Mat4,
  ncc,
  percentiles,
  type Renderer
} from '@raypose/core'
import { fieldOf } from './evidence.js'
import type { Eye } from './eye.js'
import type { Picture } from './picture.js'

/** Pixels of the network are averaged in blocks of this size: an initial pose is off by a few of them. */
const BLOCK = 4
/** Structure wider than this many blocks (scatter, heel effect, the body's thickness) does not count. */
const WIDTH = 5

/**
 * Correlation of the details of the X-ray with those of the DRR at a pose: about 0 for another anatomy, whatever landmarks were seen in it.
 * @param seen what the network saw of the picture
 * @param eyeFromLps pose of the eye
 */
export function detailSimilarity(
  picture: Picture,
  seen: Image,
  eye: Eye,
  eyeFromLps: Mat4,
  renderer: Renderer
): number {
  const detector: Detector = binnedDetector(eye.detector, BLOCK)
  const inField = fieldOf(picture, eye)
  const [width, height] = detector.size
  const weights = new Float32Array(width * height)
  // A block counts where it and what a small error of the pose would put there lie in the field.
  const corners = [-BLOCK, 2 * BLOCK - 1]
  const [right, bottom] = [eye.detector.size[0] - 1, eye.detector.size[1] - 1]
  const within = (x: number, most: number) => Math.min(most, Math.max(0, x))
  for (let v = 0; v < height; v++)
    for (let u = 0; u < width; u++)
      if (
        corners.every(y =>
          corners.every(x => inField(within(u * BLOCK + x, right), within(v * BLOCK + y, bottom)))
        )
      )
        weights[v * width + u] = 1
  const fixed = details(binImage(seen, BLOCK), weights)
  const moving = details(renderer.render({ detector, cameraFromLps: eyeFromLps }), weights)
  if (!weights.includes(1)) return 0
  return ncc(fixed, { weights: trimmed(fixed.data, moving.data, weights) })(moving)
}

/** Blocks that disagree most, this share of all, do not count: instruments, letters, a strip of border left in. */
const TRIM = 0.1

/** Weights without the {@link TRIM} worst residuals of a linear fit of one image to the other. */
function trimmed(fixed: Float32Array, moving: Float32Array, weights: Float32Array): Float32Array {
  let [cross, power] = [0, 0]
  for (let i = 0; i < fixed.length; i++) {
    cross += weights[i] * fixed[i] * moving[i]
    power += weights[i] * moving[i] * moving[i]
  }
  // A negative gain is a pose (or an inversion) that is wrong: no fit makes it better.
  const gain = power > 0 ? Math.max(0, cross / power) : 0
  const residuals = fixed.map((x, i) => Math.abs(x - gain * moving[i]))
  const [limit] = percentiles(residuals, [1 - TRIM], weights)
  return weights.map((w, i) => (residuals[i] > limit ? 0 : w))
}

/** Details are cut at this many times what nine of ten stay below: metal, or a strip of border left in, must not outweigh all bone. */
const LIMIT = 1.5

/** The image minus its neighbourhood's mean, the masked pixels left out of it. */
function details({ width, height, data }: Image, weights: Float32Array): Image {
  const mean = boxBlur(
    data.map((x, i) => x * weights[i]),
    width,
    height,
    WIDTH
  )
  const share = boxBlur(weights, width, height, WIDTH)
  const out = data.map((x, i) => (weights[i] ? x - mean[i] / share[i] : 0))
  if (!weights.includes(1)) return { width, height, data: out }
  const [usual] = percentiles(out.map(Math.abs), [0.9], weights)
  const limit = LIMIT * usual
  return { width, height, data: out.map(x => Math.max(-limit, Math.min(limit, x))) }
}
