import type { Random } from '../random/random.js'

/** A Poisson draw: by counting for small means, by the normal limit above 30. */
export function poisson(mean: number, random: Random): number {
  if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * random.normal()))
  const limit = Math.exp(-mean)
  let k = 0
  for (let p = random.next(); p > limit; p *= random.next()) k++
  return k
}

/**
 * Counts photons, in place: Poisson noise, then the electronics' normal noise; never below 0.
 * @param signal expected photons a pixel, relative to an open beam of 1
 * @param photons photons a pixel in the open beam
 * @param electronicNoise standard deviation, photons
 */
export function countPhotons(
  signal: Float32Array,
  photons: number,
  electronicNoise: number,
  random: Random
): void {
  for (let i = 0; i < signal.length; i++)
    signal[i] = Math.max(0, poisson(signal[i] * photons, random) + electronicNoise * random.normal())
}
