import {
  assertUsableXray,
  binImage,
  binnedDetector,
  type Detector,
  exposedField,
  type Image,
  linearise,
  mirrorDetector,
  mirrorImage,
  percentiles,
  resampleToDetector
} from '@raypose/core'
import { lineIntegrals } from '../line-integrals.js'
import type { Eye } from './eye.js'
import type { Normalisation } from './types.js'

/** How a picture can be taken. */
export type Encoding = Pick<Normalisation, 'intensity' | 'bright' | 'mirrored'>

/** An X-ray at the network's resolution under one encoding: what every rotation of the eye looks at. */
export interface Picture {
  readonly encoding: Encoding
  /** Line integrals, clipped to what the field holds; outside it the value of the open beam, as in training. */
  readonly image: Image
  readonly detector: Detector
  /** 1 in the exposed field. */
  readonly mask: Uint8Array
  readonly fieldShare: number
  /** Value of the open beam. */
  readonly open: number
}

/** Shares of the field's pixels beyond which values are clipped: letters, screws and dead pixels must not set the scale. */
const CLIP = [0.002, 0.998] as const

/** The X-ray at no finer than the network's pixels: everything after it works on some 45,000 numbers. */
export function smallXray(
  image: Image,
  detector: Detector,
  eye: Detector
): { image: Image; detector: Detector } {
  const slope = (d: Detector, axis: 0 | 1) => d.pixel[axis] / d.sdd
  const factor = Math.floor(
    Math.min(slope(eye, 0) / slope(detector, 0), slope(eye, 1) / slope(detector, 1)) + 1e-6
  )
  const most = Math.min(image.width, image.height)
  const bins = Math.max(1, Math.min(factor, most))
  return bins === 1
    ? { image, detector }
    : { image: binImage(image, bins), detector: binnedDetector(detector, bins) }
}

/**
 * A small X-ray taken one way.
 * @param whole whether all of it is taken for the field, whatever looks like a border
 * @throws XrayError as `linearise`
 */
export function takePicture(
  small: { image: Image; detector: Detector },
  encoding: Encoding,
  whole = false
): Picture {
  const plain = quickIntegrals(small.image, encoding)
  const image = encoding.mirrored ? mirrorImage(plain) : plain
  const detector = encoding.mirrored ? mirrorDetector(small.detector) : small.detector
  const { mask, share } = whole
    ? { mask: new Uint8Array(image.data.length).fill(1), share: 1 }
    : exposedField(image)
  const [low, high] = percentiles(image.data, CLIP, share > 0 ? mask : undefined)
  const data = image.data.map((x, i) => (mask[i] ? Math.min(high, Math.max(low, x)) : low))
  return { encoding, image: { ...image, data }, detector, mask, fieldShare: share, open: low }
}

/** {@link lineIntegrals}, the open beam from a histogram instead of sorting: what it is off by is an offset that nothing here sees. */
function quickIntegrals(image: Image, { intensity, bright }: Encoding): Image {
  assertUsableXray(image)
  const kind = intensity === 'log' ? 'log' : 'intensity'
  const [low, high] = percentiles(image.data, [0.001, 0.999])
  // Small attenuation is at the upper end as stored, unless bright stands for attenuation: leave that to sorting where it is rare.
  if (bright === 'exposure' && (kind === 'log' || high > 0))
    return linearise(image, { kind, inverted: kind === 'log', unattenuated: high })
  if (kind === 'log') return { ...image, data: image.data.map(x => Math.max(x - low, 0)) }
  return lineIntegrals({ image, intensity, bright })
}

/** Whether values may be encoded so: readings of an exposure are not all zero or below (see {@link linearise}). */
export const mayBe = (image: Image, { intensity, bright }: Pick<Encoding, 'intensity' | 'bright'>): boolean =>
  intensity === 'log' || bright !== 'exposure' || percentiles(image.data, [0.999])[0] > 0

/** What the network sees of a picture. */
export const lookAt = ({ image, detector, open }: Picture, eye: Eye): Image =>
  resampleToDetector(image, detector, eye.detector, { turn: eye.turn, outside: open })
