import { boxBlur } from '../xray/fields.js'
import { binImage, type Image } from './image.js'
import { percentiles } from './percentiles.js'

/** The part of an X-ray that shows something: within the collimator's blades or the image intensifier's circle. */
export interface ExposedField {
  /** width·height bytes: 1 in the field, 0 in its border. */
  readonly mask: Uint8Array
  /** Share of the image in the field, 0 to 1. */
  readonly share: number
}

/** Work is done on blocks of this many pixels. */
const BLOCK = 2
/** Least range that the middle is taken to have, share of the whole image's: a thick pelvis hardly varies. */
const LEAST_RANGE = 0.25
/** Behind a blade hardly a photon arrives, and its logarithm is all noise: values are cut this share of the range beyond the middle's. */
const HEADROOM = 0.4
/** Values this share of the range beyond the middle's are a border's, if the rest fits. */
const BEYOND = 0.2
/** The mean step at the edge of a border, across three blocks, share of the range: bone that leaves the image has none. */
const STEP = 0.08
/** Values this close to the least (share of the range) can be a white border's. */
const FLAT = 0.02
/** Parts of the image smaller than this share of it are left alone: letters, screws. */
const LEAST_PART = 0.012
/** Blocks to each side of a blade's edge that are given to the border: its penumbra. */
const PENUMBRA = 1

/**
 * Finds borders without a picture: parts with a sharp edge that reach the rim of the image and attenuate more than anything in its
 * middle, or nothing at all (a white border).
 * @param image line integrals at about 1.6 mm a pixel: blades must be steps of a few pixels
 */
export function exposedField(image: Image): ExposedField {
  const whole = { mask: new Uint8Array(image.width * image.height).fill(1), share: 1 }
  if (Math.min(image.width, image.height) < 8 * BLOCK) return whole
  const { low, high } = middleRange(image)
  const [least, most] = percentiles(image.data, [0.001, 0.98])
  const range = Math.max(high - low, LEAST_RANGE * (most - least))
  if (!(range > 0)) return whole
  const top = high + HEADROOM * range
  const clipped = image.data.map(x => Math.min(top, x))
  const { width, height, data: blocks } = binImage({ ...image, data: clipped }, BLOCK)
  const data = boxBlur(blocks, width, height, 1)
  const dark = high + BEYOND * range
  const open = Math.min(least + FLAT * range, low - FLAT * range)
  const mask = new Uint8Array(width * height).fill(1)
  for (const belongs of [(i: number) => data[i] > dark, (i: number) => data[i] < open])
    for (const part of rimParts(width, height, belongs))
      if (part.length >= LEAST_PART * data.length && meanStep(part, data, width, height) >= STEP * range)
        for (const i of part) mask[i] = 0
  if (!mask.includes(0) || !mask.includes(1)) return whole
  return enlarge(erode(withoutHidden(mask, width), width, height, PENUMBRA), width, height, image)
}

/** The field is convex: what lies behind a border, seen from its centre, is border too (the patient shines through a blade there). */
function withoutHidden(mask: Uint8Array, width: number): Uint8Array {
  let [cx, cy, count] = [0, 0, 0]
  for (let i = 0; i < mask.length; i++) {
    cx += mask[i] * (i % width)
    cy += mask[i] * Math.floor(i / width)
    count += mask[i]
  }
  cx /= count
  cy /= count
  if (!mask[Math.round(cy) * width + Math.round(cx)]) return mask
  return mask.map((inside, i) => {
    if (!inside) return 0
    const dx = (i % width) - cx
    const dy = Math.floor(i / width) - cy
    const steps = Math.ceil(Math.max(Math.abs(dx), Math.abs(dy)))
    for (let k = 1; k < steps; k++)
      if (!mask[Math.round(cy + (dy * k) / steps) * width + Math.round(cx + (dx * k) / steps)]) return 0
    return 1
  })
}

/** Connected parts (4 neighbours) of what fulfils a condition that reach the rim: the indices of each. */
function rimParts(width: number, height: number, belongs: (i: number) => boolean): number[][] {
  const taken = new Uint8Array(width * height)
  const parts: number[][] = []
  const grow = (start: number): void => {
    const part: number[] = []
    const take = (i: number) => {
      if (taken[i] || !belongs(i)) return
      taken[i] = 1
      part.push(i)
    }
    take(start)
    for (let head = 0; head < part.length; head++) {
      const i = part[head]
      const x = i % width
      if (x > 0) take(i - 1)
      if (x < width - 1) take(i + 1)
      if (i >= width) take(i - width)
      if (i < width * (height - 1)) take(i + width)
    }
    if (part.length > 0) parts.push(part)
  }
  for (let x = 0; x < width; x++) {
    grow(x)
    grow((height - 1) * width + x)
  }
  for (let y = 0; y < height; y++) {
    grow(y * width)
    grow((y + 1) * width - 1)
  }
  return parts
}

/** Mean gradient (over two blocks) where a part ends inside the image; 0 where it does not end. */
function meanStep(part: readonly number[], data: Float32Array, width: number, height: number): number {
  const inside = new Set(part)
  let sum = 0
  let count = 0
  for (const i of part) {
    const x = i % width
    if (x === 0 || x === width - 1 || i < width || i >= width * (height - 1)) continue
    if ([i - 1, i + 1, i - width, i + width].every(k => inside.has(k))) continue
    sum += Math.max(Math.abs(data[i + 1] - data[i - 1]), Math.abs(data[i + width] - data[i - width]))
    count++
  }
  return count > 0 ? sum / count : 0
}

/** Range of the values in the middle of the image, where a field always is. */
function middleRange({ width, height, data }: Image): { low: number; high: number } {
  const middle: number[] = []
  for (let y = Math.floor(height / 3); y < (2 * height) / 3; y++)
    for (let x = Math.floor(width / 3); x < (2 * width) / 3; x++) middle.push(data[y * width + x])
  const [low, high] = percentiles(middle, [0.02, 0.98])
  return { low, high }
}

/** A mask of blocks as a mask of pixels. */
function enlarge(mask: Uint8Array, width: number, height: number, image: Image): ExposedField {
  const out = new Uint8Array(image.width * image.height)
  let count = 0
  for (let y = 0; y < image.height; y++)
    for (let x = 0; x < image.width; x++) {
      const block =
        Math.min(height - 1, Math.floor(y / BLOCK)) * width + Math.min(width - 1, Math.floor(x / BLOCK))
      out[y * image.width + x] = mask[block]
      count += mask[block]
    }
  return { mask: out, share: count / out.length }
}

/** The mask without what is within `radius` (square neighbourhood) of its border; the image's own rim is none. */
function erode(mask: Uint8Array, width: number, height: number, radius: number): Uint8Array {
  const pass = (from: Uint8Array, dx: number, dy: number) => {
    const out = from.slice()
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (let k = -radius; k <= radius; k++) {
          const qx = x + k * dx
          const qy = y + k * dy
          if (qx >= 0 && qy >= 0 && qx < width && qy < height && !from[qy * width + qx])
            out[y * width + x] = 0
        }
    return out
  }
  return mask.includes(0) ? pass(pass(mask, 1, 0), 0, 1) : mask
}
