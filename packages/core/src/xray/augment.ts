import { ArgumentError } from '../errors.js'
import { type Image, imageRange } from '../image/image.js'
import type { Random } from '../random/random.js'
import { addPhotonNoise, adverseConditions } from './adverse.js'
import { insideOpening, type Opening } from './collimation.js'
import { boxBlur, smoothField } from './fields.js'
import { normalNoise } from './noise-table.js'

/** A rendered view for training: line integrals of bone and of everything else, and where the landmarks project. */
export interface TrainingView {
  readonly width: number
  readonly height: number
  readonly bone: Float32Array
  readonly soft: Float32Array
  /** u, v of each landmark, pixels; landmark after landmark. */
  readonly points: Float32Array
}

/** How strongly training images are varied: 0 leaves them as rendered, 1 is the full randomisation. */
export interface AugmentOptions {
  readonly strength?: number
  /** How far the image is turned, scaled and shifted in its plane (the landmarks follow), against the full range: 0 not at all, 1 (the default). */
  readonly inPlane?: number
  /** Share of the images under {@link adverseConditions}, all else at a strength of 0.6 at least; default 0. */
  readonly adverse?: number
  /** Whether noise is also as photons make it: strongest where fewest pass; default false. */
  readonly photonNoise?: boolean
}

/**
 * Domain randomisation of one training image (Grimm et al., TMI 2021; Gao et al., SyntheX, 2023): contrast between bone and soft
 * tissue, an in-plane similarity, gamma, slowly varying gain and offset, blur or sharpening, noise, erased patches, straight tools,
 * collimation. What it makes need not look real: it must be harder than reality in every respect. The physics of a detector is
 * in `simulateXray`; this is made to keep up with training.
 * @throws ArgumentError for a strength that is negative or not a number
 */
export function augmentView(
  view: TrainingView,
  random: Random,
  options: AugmentOptions = {}
): { image: Image; points: Float32Array } {
  const { strength = 1, adverse = 0, photonNoise = false } = options
  if (!(strength >= 0 && Number.isFinite(strength)))
    throw new ArgumentError(
      `An augmentation of strength ${strength} is not one`,
      'Give 0 (none) to 1 (all), or more.'
    )
  const hard = adverse > 0 && random.chance(adverse)
  const k = hard ? Math.max(strength, HARD) : strength
  const { width, height } = view
  const draw = (low: number, high: number) => random.uniform(low, high)
  const soften = 1 - k * draw(-0.1, 0.7)
  const boost = Math.exp(k * draw(-0.5, 0.9))
  let data: Float32Array = new Float32Array(width * height)
  for (let i = 0; i < data.length; i++) data[i] = view.soft[i] * soften + view.bone[i] * boost
  if (k > 0 && random.chance(0.45)) addScatter(data, width, height, random, k)
  let points = view.points
  const far = strength * (options.inPlane ?? 1)
  if (far > 0) {
    const moved = turnInPlane({ width, height, data }, points, {
      angle: far * draw(-0.2, 0.2),
      scale: Math.exp(far * draw(-0.12, 0.12)),
      shift: [far * draw(-0.1, 0.1) * width, far * draw(-0.1, 0.1) * height]
    })
    data = moved.image.data
    points = moved.points
  }
  if (hard) adverseConditions(data, width, height, random)
  else if (photonNoise && random.chance(0.8))
    addPhotonNoise(data, { photons: Math.exp(draw(...USUAL_PHOTONS)), electronicNoise: draw(0, 20) }, random)
  if (k > 0 && !hard && random.chance(0.3)) saturate(data, random, k)
  normaliseRange(data)
  applyGamma(data, Math.exp(k * draw(-0.5, 0.6)))
  if (k > 0) {
    const gain = smoothField(random, width, height, 5, 4)
    const offset = smoothField(random, width, height, 4, 3)
    const gainBy = k * draw(0, 0.12)
    const offsetBy = k * draw(0, 0.15)
    for (let i = 0; i < data.length; i++) data[i] = data[i] * (1 + gainBy * gain[i]) + offsetBy * offset[i]
    data = filter(data, width, height, random, k)
    if (!hard && random.chance(0.6)) addNoise(data, random, k * draw(0, 0.03))
    if (!hard) obstruct(data, width, height, random, k)
  }
  return { image: { width, height, data }, points }
}

/** Strength of all else in images under adverse conditions. */
const HARD = 0.6
/** Logarithms of the fewest and most photons a pixel behind a patient, otherwise. */
const USUAL_PHOTONS = [Math.log(60), Math.log(30_000)] as const

/**
 * A smooth fog of scattered photons on top of the primary ones: where the patient is thick it drowns them, and the logarithm
 * that turns readings into line integrals flattens there.
 */
function addScatter(data: Float32Array, width: number, height: number, random: Random, k: number): void {
  const primary = data.map(x => Math.exp(-x))
  const radius = 6 + random.integer(30)
  const fog = boxBlur(boxBlur(primary, width, height, radius), width, height, radius)
  const share = k * random.uniform(0.1, 1.2)
  let floor = 0
  for (let i = 0; i < primary.length; i++) floor += primary[i] / primary.length
  floor *= k * random.uniform(0, 0.05)
  for (let i = 0; i < data.length; i++) data[i] = -Math.log(primary[i] + share * fog[i] + floor)
}

/** Clips what the display window of the device cuts off: the brightest and the darkest few per cent. */
function saturate(data: Float32Array, random: Random, k: number): void {
  const sample = Float32Array.from(
    { length: 1024 },
    (_, i) => data[Math.floor((i * data.length) / 1024)]
  ).sort()
  const low = sample[Math.floor(random.uniform(0, 0.15) * k * 1023)]
  const high = sample[1023 - Math.floor(random.uniform(0, 0.08) * k * 1023)]
  if (high > low) for (let i = 0; i < data.length; i++) data[i] = Math.min(high, Math.max(low, data[i]))
}

function normaliseRange(data: Float32Array): void {
  const { min, max } = imageRange({ width: data.length, height: 1, data })
  const s = 1 / (max - min + 1e-6)
  for (let i = 0; i < data.length; i++) data[i] = (data[i] - min) * s
}

const GAMMA_STEPS = 4096

/** x^gamma for values from 0 to 1 from a table: a power for every pixel would be the dearest step of all. */
function applyGamma(data: Float32Array, gamma: number): void {
  const table = Float32Array.from({ length: GAMMA_STEPS + 2 }, (_, i) => (i / GAMMA_STEPS) ** gamma)
  for (let i = 0; i < data.length; i++) {
    const p = data[i] * GAMMA_STEPS
    const n = p | 0
    data[i] = table[n] + (p - n) * (table[n + 1] - table[n])
  }
}

/** Blur as a soft focal spot gives, or the edge enhancement of a C-arm's own software. */
function filter(data: Float32Array, width: number, height: number, random: Random, k: number): Float32Array {
  const kind = random.next()
  if (kind < 0.3) return boxBlur(data, width, height, 1)
  if (kind < 0.4) return boxBlur(data, width, height, 2)
  if (kind < 0.6) {
    const amount = k * random.uniform(0.3, 1.5)
    const smooth = boxBlur(data, width, height, 4)
    for (let i = 0; i < data.length; i++) smooth[i] = data[i] + amount * (data[i] - smooth[i])
    return smooth
  }
  return data
}

function addNoise(data: Float32Array, random: Random, sigma: number): void {
  const noise = normalNoise(data.length, random)
  for (let i = 0; i < data.length; i++) data[i] += sigma * noise[i]
}

/** What stands in the way: erased patches, straight tools, blades of the collimator. */
function obstruct(data: Float32Array, width: number, height: number, random: Random, k: number): void {
  while (random.chance(0.35 * k)) {
    const w = 15 + random.integer(Math.max(1, Math.floor(width * 0.23)))
    const h = 10 + random.integer(Math.max(1, Math.floor(height * 0.21)))
    const x0 = random.integer(Math.max(1, width - w))
    const y0 = random.integer(Math.max(1, height - h))
    const value = random.next()
    for (let y = y0; y < Math.min(height, y0 + h); y++)
      data.fill(value, y * width + x0, y * width + Math.min(width, x0 + w))
  }
  if (random.chance(0.12 * k)) drawTool(data, width, height, random)
  if (random.chance(0.15 * k)) collimate(data, width, height, random)
}

/** A wire or rod across the whole image, or a shorter and thicker screw or blade. */
function drawTool(data: Float32Array, width: number, height: number, random: Random): void {
  const angle = random.uniform(0, Math.PI)
  const short = random.chance(0.4)
  const tool: Opening = {
    shape: 'rectangle',
    centre: [random.integer(width), random.integer(height)],
    half: short
      ? [random.uniform(0.08, 0.3) * width, random.uniform(2, 9)]
      : [2 * (width + height), random.uniform(1, 5)],
    turnDegrees: (angle * 180) / Math.PI
  }
  const inside = insideOpening(tool)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) if (inside(x, y) > 0) data[y * width + x] = 1.2
}

/** Blades of the collimator: straight from the sides, or a turned rectangle or a circle; what they cover is 0. */
function collimate(data: Float32Array, width: number, height: number, random: Random): void {
  if (random.chance(0.6)) {
    const top = random.chance(0.5) ? random.integer(35) : 0
    const bottom = random.chance(0.5) ? random.integer(35) : 0
    const left = random.chance(0.3) ? random.integer(40) : 0
    const right = random.chance(0.3) ? random.integer(40) : 0
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        if (y < top || y >= height - bottom || x < left || x >= width - right) data[y * width + x] = 0
    return
  }
  const circle = random.chance(0.5)
  const radius = random.uniform(0.42, 0.55) * width
  const opening: Opening = {
    shape: circle ? 'circle' : 'rectangle',
    centre: [width * random.uniform(0.45, 0.55), height * random.uniform(0.45, 0.55)],
    half: circle ? [radius, radius] : [random.uniform(0.36, 0.5) * width, random.uniform(0.38, 0.5) * height],
    turnDegrees: circle ? 0 : random.uniform(-15, 15)
  }
  const inside = insideOpening(opening)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) if (inside(x, y) < 0) data[y * width + x] = 0
}

/** Turns, scales and shifts an image about its centre by bilinear resampling; what comes from outside repeats the edge. */
function turnInPlane(
  image: Image,
  points: Float32Array,
  { angle, scale, shift }: { angle: number; scale: number; shift: readonly [number, number] }
): { image: Image; points: Float32Array } {
  const { width, height, data } = image
  const cx = (width - 1) / 2
  const cy = (height - 1) / 2
  // Output pixel q shows input pixel p = S·(q − c) + c + shift.
  const c = Math.cos(angle) * scale
  const s = Math.sin(angle) * scale
  const out = new Float32Array(data.length)
  for (let y = 0; y < height; y++) {
    let px = -c * cx - s * (y - cy) + cx + shift[0]
    let py = -s * cx + c * (y - cy) + cy + shift[1]
    for (let x = 0; x < width; x++, px += c, py += s) {
      const qx = Math.max(0, Math.min(px, width - 1))
      const qy = Math.max(0, Math.min(py, height - 1))
      const ix = Math.min(width - 2, Math.floor(qx))
      const iy = Math.min(height - 2, Math.floor(qy))
      const fx = qx - ix
      const o = iy * width + ix
      const a = data[o] + fx * (data[o + 1] - data[o])
      const b = data[o + width] + fx * (data[o + width + 1] - data[o + width])
      out[y * width + x] = a + (qy - iy) * (b - a)
    }
  }
  const moved = new Float32Array(points.length)
  const n = 1 / (scale * scale)
  for (let i = 0; i < points.length; i += 2) {
    const dx = points[i] - cx - shift[0]
    const dy = points[i + 1] - cy - shift[1]
    moved[i] = (c * dx + s * dy) * n + cx
    moved[i + 1] = (-s * dx + c * dy) * n + cy
  }
  return { image: { width, height, data: out }, points: moved }
}
