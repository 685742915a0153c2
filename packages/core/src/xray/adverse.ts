import type { Random } from '../random/random.js'
import { collimatorMask, insideOpening, type Opening } from './collimation.js'
import { boxBlur } from './fields.js'
import { normalNoise } from './noise-table.js'

/** Signal-dependent noise of a detector that counts photons. */
export interface Dose {
  /** Photons a pixel behind the patient: the median of what is attenuated by more than half. */
  readonly photons: number
  /** Standard deviation of the electronics' noise, photons. */
  readonly electronicNoise: number
}

/** Share of the beam below which a pixel is behind the patient. */
const BEHIND = 0.5
/** Share of the open beam that blades let through. */
const LEAK = 0.005
/** Line integral of metal that hardly a photon passes; thin wires have less. */
const METAL = { from: 1, to: 12 } as const

/**
 * Photon noise on line integrals, in place: every pixel as noisy as few photons reach it, so that the thick parts of a patient drown first.
 * Monoenergetic, the counts' noise normal: the fast way for training; {@link simulateXray} has the physics.
 * @param data dimensionless line integrals, row-major
 * @param incident beam towards each pixel before the patient, relative to an open one (collimation); 1 everywhere where omitted
 */
export function addPhotonNoise(
  data: Float32Array,
  dose: Dose,
  random: Random,
  incident?: Float32Array
): void {
  const reading = new Float32Array(data.length)
  for (let i = 0; i < data.length; i++) reading[i] = Math.exp(-data[i]) * (incident ? incident[i] : 1)
  const open = dose.photons / Math.max(1e-6, medianBehind(reading, incident))
  // As a device shows them: no count is less than one photon, no line integral above 12.
  const floor = Math.max(6e-6, 1 / open)
  const noise = normalNoise(data.length, random)
  const electronic = dose.electronicNoise ** 2
  for (let i = 0; i < data.length; i++) {
    const count = reading[i] * open
    const noisy = count + Math.sqrt(count + electronic) * noise[i]
    data[i] = -Math.log(Math.max(floor, noisy / open))
  }
}

function medianBehind(reading: Float32Array, incident?: Float32Array): number {
  const behind: number[] = []
  // Every seventh pixel: a median needs no more.
  for (let i = 0; i < reading.length; i += 7) {
    const beam = incident ? incident[i] : 1
    if (beam > 0.25 && reading[i] < BEHIND * beam) behind.push(reading[i])
  }
  if (behind.length === 0) return 1
  return behind.sort((a, b) => a - b)[behind.length >> 1]
}

/**
 * A hard case for a network to learn from: hardly any dose, blades and wires of metal, a collimated field, a window set by what is
 * not the patient. In place: dimensionless line integrals in and out, width × height, row-major, cut at both ends as a display does.
 */
export function adverseConditions(data: Float32Array, width: number, height: number, random: Random): void {
  addMetal(data, width, height, random)
  const opening = random.chance(0.7) ? randomField(width, height, random) : null
  const incident = opening ? collimatorMask(width, height, opening, LEAK) : undefined
  if (random.chance(0.6)) soften(data, width, height)
  const photons = Math.exp(random.uniform(Math.log(30), Math.log(600)))
  addPhotonNoise(data, { photons, electronicNoise: random.uniform(0, 8) }, random, incident)
  const inside = opening && insideOpening(opening)
  const inField = (i: number) => !inside || inside(i % width, Math.floor(i / width)) > 0
  const [low, high] = windowOf(data, inField, random)
  // A border that was found shows the open beam; one that was not, its noise.
  const found = random.chance(0.6)
  const margin = found ? random.uniform(-1, 3) : 0
  for (let i = 0; i < data.length; i++) {
    const hidden = found && inside && inside(i % width, Math.floor(i / width)) < margin
    data[i] = hidden ? low : Math.min(high, Math.max(low, data[i]))
  }
}

/** Up to five things of metal: wires, rods, and blades as wide as a hand. */
function addMetal(data: Float32Array, width: number, height: number, random: Random): void {
  const count = random.integer(6)
  for (let n = 0; n < count; n++) {
    const kind = random.next()
    const half: readonly [number, number] =
      kind < 0.35
        ? [2 * (width + height), random.uniform(0.5, 3)]
        : kind < 0.6
          ? [random.uniform(0.06, 0.3) * width, random.uniform(1, 7)]
          : [random.uniform(0.1, 0.7) * width, random.uniform(6, 18)]
    const tool: Opening = {
      shape: 'rectangle',
      centre: [random.integer(width), random.integer(height)],
      half,
      turnDegrees: random.uniform(0, 180)
    }
    const path = random.uniform(METAL.from, METAL.to)
    const inside = insideOpening(tool)
    for (let y = 0, i = 0; y < height; y++)
      for (let x = 0; x < width; x++, i++) {
        const depth = inside(x, y)
        if (depth > -0.5) data[i] += path * Math.min(1, depth + 0.5)
      }
  }
}

/** A circle or a turned rectangle about the middle. */
function randomField(width: number, height: number, random: Random): Opening {
  const circle = random.chance(0.5)
  const radius = (random.uniform(0.75, 1.1) * Math.max(width, height)) / 2
  return {
    shape: circle ? 'circle' : 'rectangle',
    centre: [width * random.uniform(0.43, 0.57), height * random.uniform(0.43, 0.57)],
    half: circle ? [radius, radius] : [random.uniform(0.3, 0.5) * width, random.uniform(0.3, 0.5) * height],
    turnDegrees: circle ? 0 : random.uniform(-20, 20)
  }
}

/** A focal spot's blur, of the photons and not of their logarithm. */
function soften(data: Float32Array, width: number, height: number): void {
  for (let i = 0; i < data.length; i++) data[i] = Math.exp(-data[i])
  const smooth = boxBlur(data, width, height, 1)
  for (let i = 0; i < data.length; i++) data[i] = -Math.log(smooth[i])
}

/** Ends of the display's window: the values of the field's darkest and brightest few per cent. */
function windowOf(data: Float32Array, inField: (i: number) => boolean, random: Random): [number, number] {
  const sample: number[] = []
  for (let i = random.integer(37); i < data.length; i += 37) if (inField(i)) sample.push(data[i])
  if (sample.length < 2) return [0, 12]
  sample.sort((a, b) => a - b)
  const at = (share: number) => sample[Math.round(share * (sample.length - 1))]
  return [at(random.uniform(0, 0.05)), at(1 - random.uniform(0, 0.06))]
}
