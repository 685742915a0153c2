import { noiseVariance, percentiles } from '@raypose/core'
import { atContrast, noisy, signalOf } from '../ideal-image.js'
import type { Likeness } from './differenced.js'
import { fieldOf } from './evidence.js'
import type { Look } from './look.js'
import { lookAt } from './picture.js'

/** Draws of the noise in each round: the first pose is corrected roughly, the last one as well as can be. */
const DRAWS = [1, 3] as const
/** Share of the field below which the open beam is taken to be, as in `takePicture`. */
const OPEN = [0.002] as const

/**
 * DRRs as the X-ray of a look would show them: at its contrast, in its noise, within its field. What a network gets wrong depends on all
 * three; a clean DRR tells only what it gets wrong on clean DRRs.
 */
export function likenessOf({ picture, eye }: Pick<Look, 'picture' | 'eye'>): Likeness {
  const seen = lookAt(picture, eye)
  const { data: variance } = noiseVariance(seen)
  const field = fieldMask(picture, eye)
  const signal = signalOf(seen, variance, field)
  return (drr, round) => {
    const plain = atContrast(drr, signal, field)
    return Array.from({ length: DRAWS[Math.min(round, DRAWS.length - 1)] }, (_, draw) => {
      const { data } = noisy(plain, variance, 1 + draw + 7 * round)
      if (!field) return data
      const [open] = percentiles(data, OPEN, field)
      return data.map((x, i) => (field[i] ? x : open))
    })
  }
}

/** 1 on the eye's pixels that show the exposed field; undefined where all do. */
function fieldMask(picture: Look['picture'], eye: Look['eye']): Uint8Array | undefined {
  if (picture.fieldShare === 1) return undefined
  const inField = fieldOf(picture, eye)
  const [width, height] = eye.detector.size
  const mask = new Uint8Array(width * height)
  for (let v = 0, i = 0; v < height; v++) for (let u = 0; u < width; u++, i++) mask[i] = Number(inField(u, v))
  return mask.includes(1) ? mask : undefined
}
