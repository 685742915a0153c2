import { binImage, createRandom, type Image, noiseVariance, normalNoise } from '@raypose/core'

/**
 * What an X-ray would look like if the pose were right, the CT all that is there, and its own noise the only trouble: the DRR at the X-ray's
 * contrast plus noise drawn by the X-ray's own variance. How well it correlates with the DRR is the most that any pose can reach: under few
 * photons a right pose correlates little, and only that says how little.
 * @param weights which pixels the contrast is taken from, all alike where omitted
 * @param variance of the X-ray's noise at each of its pixels
 * @param seed of the noise, the same each time unless another draw is wanted
 */
export function idealImage(
  xray: Image,
  drr: Image,
  variance: Float32Array,
  weights?: ArrayLike<number>,
  seed = 1
): Image {
  return noisy(atContrast(drr, signalOf(xray, variance, weights), weights), variance, seed)
}

/** Variance that an X-ray has besides its noise. */
export const signalOf = (xray: Image, variance: Float32Array, weights?: ArrayLike<number>): number =>
  Math.max(0, spread(xray.data, weights) - mean(variance, weights))

/** A DRR scaled to that variance. */
export function atContrast(drr: Image, signal: number, weights?: ArrayLike<number>): Image {
  const rendered = spread(drr.data, weights)
  const contrast = rendered > 0 ? Math.sqrt(signal / rendered) : 0
  return { ...drr, data: drr.data.map(x => contrast * x) }
}

/** Adds normal noise of each pixel's own variance. */
export function noisy(image: Image, variance: Float32Array, seed: number): Image {
  const noise = normalNoise(image.data.length, createRandom(seed))
  return { ...image, data: image.data.map((x, i) => x + Math.sqrt(variance[i]) * noise[i]) }
}

/** Variance of an X-ray's noise in pixels of binning × binning of it, taken to be white. */
export function noiseOfBinned(image: Image, binning: number): Float32Array {
  return binImage(noiseVariance(image), binning).data.map(v => v / binning ** 2)
}

function mean(data: Float32Array, weights?: ArrayLike<number>): number {
  let [n, sum] = [0, 0]
  for (let i = 0; i < data.length; i++) {
    const w = weights ? weights[i] : 1
    n += w
    sum += w * data[i]
  }
  return n > 0 ? sum / n : 0
}

function spread(data: Float32Array, weights?: ArrayLike<number>): number {
  const middle = mean(data, weights)
  let [n, sum] = [0, 0]
  for (let i = 0; i < data.length; i++) {
    const w = weights ? weights[i] : 1
    n += w
    sum += w * (data[i] - middle) ** 2
  }
  return n > 0 ? sum / n : 0
}
