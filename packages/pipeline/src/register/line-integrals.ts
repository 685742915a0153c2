import { type Image, linearise } from '@raypose/core'
import type { Xray } from '@raypose/formats'

/** An X-ray as line integrals, bone bright, whatever its file stores. @throws XrayError as `linearise`. */
export function lineIntegrals({
  image,
  intensity,
  bright
}: Pick<Xray, 'image' | 'intensity' | 'bright'>): Image {
  const usual = intensity === 'log' ? 'attenuation' : 'exposure'
  return linearise(image, { kind: intensity === 'log' ? 'log' : 'intensity', inverted: bright !== usual })
}
