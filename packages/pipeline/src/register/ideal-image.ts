import { binImage, boxBlur, createRandom, type Image, noiseVariance, normalNoise } from '@raypose/core'

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
  const plain = atContrast(drr, signalOf(xray, variance, weights), weights)
  const noise = normalNoise(plain.data.length, createRandom(seed))
  return { ...plain, data: plain.data.map((x, i) => x + Math.sqrt(variance[i]) * noise[i]) }
}

/** Variance that an X-ray has besides its noise. */
export const signalOf = (xray: Image, variance: Float32Array, weights?: ArrayLike<number>): number =>
  Math.max(0, moments(xray.data, weights).variance - moments(variance, weights).mean)

/** A DRR scaled to that variance. */
export function atContrast(drr: Image, signal: number, weights?: ArrayLike<number>): Image {
  const rendered = moments(drr.data, weights).variance
  const contrast = rendered > 0 ? Math.sqrt(signal / rendered) : 0
  return { ...drr, data: drr.data.map(x => contrast * x) }
}

/** What an X-ray has beside a DRR counts as its noise up to so many standard deviations: an edge that lies elsewhere, or metal, is none. */
const MOST_NOISE = 3

/**
 * Adds an X-ray's own noise to a DRR of nearly its pose: what the X-ray has beside it from one pixel to the next (the difference less its mean over
 * 3 × 3 pixels). What a network gets wrong for that noise it then gets wrong on both pictures, which another draw of noise would not do.
 * @param drr at the X-ray's contrast
 * @param variance of the X-ray's noise at each of its pixels
 */
export function withNoiseOf(xray: Image, drr: Image, variance: Float32Array): Image {
  const { width, height } = drr
  const beside = xray.data.map((x, i) => x - drr.data[i])
  const slow = boxBlur(beside, width, height, 1)
  const data = drr.data.slice()
  for (let i = 0; i < data.length; i++) {
    const most = MOST_NOISE * Math.sqrt(variance[i])
    data[i] += Math.max(-most, Math.min(most, beside[i] - slow[i]))
  }
  return { width, height, data }
}

/** Variance of an X-ray's noise in pixels of binning × binning of it, taken to be white. */
export function noiseOfBinned(image: Image, binning: number): Float32Array {
  return binImage(noiseVariance(image), binning).data.map(v => v / binning ** 2)
}

/** In one pass, about the first value, so that nothing is lost to a large mean. */
function moments(data: Float32Array, weights?: ArrayLike<number>): { mean: number; variance: number } {
  const origin = data[0]
  let [n, sum, squares] = [0, 0, 0]
  for (let i = 0; i < data.length; i++) {
    const w = weights ? weights[i] : 1
    const x = data[i] - origin
    n += w
    sum += w * x
    squares += w * x * x
  }
  if (!(n > 0)) return { mean: 0, variance: 0 }
  return { mean: origin + sum / n, variance: Math.max(0, squares / n - (sum / n) ** 2) }
}
