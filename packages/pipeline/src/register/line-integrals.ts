import { type Image, imageRange } from '@raypose/core'
import type { Xray } from '@raypose/formats'

/** Least share of the unattenuated reading that is told from noise: line integrals end at 12. */
const FLOOR = 6e-6

/** Share of the range that is added above the brightest pixel of a negative. */
const NEGATIVE_MARGIN = 0.01

/**
 * −log(I / I₀) of a detector reading, I₀ being its brightest pixels (99.9th percentile): what passes beside the patient, or
 * through the least of it. A constant offset is left where nothing passes beside; similarities and the network do not see it.
 */
export function integralsFromReading(reading: Image): Image {
  const sorted = Float32Array.from(reading.data).sort()
  const open = Math.max(sorted[Math.floor((sorted.length - 1) * 0.999)], Number.MIN_VALUE)
  return { ...reading, data: reading.data.map(x => -Math.log(Math.min(1, Math.max(FLOOR, x / open)))) }
}

/** An X-ray as line integrals, bone bright, whatever its file stores. */
export function lineIntegrals(xray: Pick<Xray, 'image' | 'intensity' | 'bright'>): Image {
  const { image, intensity, bright } = xray
  if (intensity === 'log')
    return bright === 'attenuation' ? image : { ...image, data: image.data.map(x => -x) }
  if (bright === 'exposure') return integralsFromReading(image)
  // A reading shown as a negative: bright where little arrives. What value "nothing arrives" has is not stored; the
  // brightest pixel is taken to let through 1 %, as the thickest part of a pelvis about does.
  const { min, max } = imageRange(image)
  const top = max + NEGATIVE_MARGIN * (max - min)
  return integralsFromReading({ ...image, data: image.data.map(x => top - x) })
}
