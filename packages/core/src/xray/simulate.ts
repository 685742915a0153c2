import { ArgumentError } from '../errors.js'
import type { Image } from '../image/image.js'
import type { Random } from '../random/random.js'
import { gaussianBlur, smoothField } from './fields.js'

/** How a detector sees line integrals. */
export interface XrayConditions {
  /** Photons a pixel where nothing attenuates. */
  readonly photons: number
  /** Standard deviation of the electronic noise, photons. */
  readonly electronicNoise: number
  /** Scatter as a share of the mean primary signal, a slowly varying field. */
  readonly scatter: number
  /** Standard deviation of the detector's blur, mm on the detector. */
  readonly blurMm: number
}

/** Named conditions: what a run states beside its figures. */
export const XRAY_PRESETS = {
  /** No noise at all. */
  ideal: { photons: Number.POSITIVE_INFINITY, electronicNoise: 0, scatter: 0, blurMm: 0 },
  /** As the paper evaluates: a plain synthetic X-ray, with the noise of a normal dose. */
  paper: { photons: 5e5, electronicNoise: 10, scatter: 0, blurMm: 0.3 },
  /** A C-arm in use: scatter, blur and a tenth of the photons. */
  'c-arm': { photons: 5e4, electronicNoise: 20, scatter: 0.25, blurMm: 0.8 }
} as const satisfies Record<string, XrayConditions>

export type XrayPreset = keyof typeof XRAY_PRESETS

/**
 * A detector reading from line integrals: I = photons · exp(−integral), scatter, blur, Poisson and electronic noise.
 * @param integrals dimensionless line integrals
 * @param pixelMm pixel size on the detector, mm
 * @returns photons a pixel (relative to 1 where `photons` is infinite)
 */
export function simulateReading(integrals: Image, pixelMm: number, conditions: XrayConditions, random: Random): Image {
  if (!(conditions.photons > 0))
    throw new ArgumentError(`A dose of ${conditions.photons} photons a pixel is not positive`, 'Give a positive number of photons, or infinity.')
  const { width, height } = integrals
  let reading: Float32Array = integrals.data.map(x => Math.exp(-x))
  if (conditions.scatter > 0) {
    let mean = 0
    for (const x of reading) mean += x / reading.length
    // Scatter follows the primary only over centimetres.
    const smooth = gaussianBlur(reading, width, height, 40 / pixelMm)
    const field = smoothField(random, width, height, 5, 4)
    reading = reading.map((x, i) => x + conditions.scatter * (0.5 * mean + 0.5 * smooth[i]) * Math.max(0.2, 1 + 0.15 * field[i]))
  }
  reading = gaussianBlur(reading, width, height, conditions.blurMm / pixelMm)
  if (Number.isFinite(conditions.photons))
    reading = reading.map(x => {
      const expected = x * conditions.photons
      return Math.max(0, poisson(expected, random) + conditions.electronicNoise * random.normal())
    })
  return { width, height, data: reading }
}

/** A Poisson draw: by counting for small means, by the normal limit above 30. */
function poisson(mean: number, random: Random): number {
  if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * random.normal()))
  const limit = Math.exp(-mean)
  let k = 0
  for (let p = random.next(); p > limit; p *= random.next()) k++
  return k
}
