import { XrayError } from '../errors.js'
import { type Image, imageRange } from '../image/image.js'

/** What the numbers of an X-ray image stand for. */
export interface XrayEncoding {
  /** `intensity`: proportional to the photons that arrived. `log`: a linear function of the line integral (usual "for presentation"). */
  readonly kind: 'intensity' | 'log'
  /** The reverse of the usual display of that kind: bone dark in a log image, bone bright in an intensity image. */
  readonly inverted?: boolean
  /** Intensity without an object, where known; default: the 99.9th percentile of the image. */
  readonly unattenuated?: number
}

/** Readings below this share of the unattenuated intensity are electronic noise: e⁻¹² ≈ 60 cm of water. */
const LEAST_TRANSMISSION = Math.exp(-12)

/**
 * What value "nothing arrives" has is not stored in a negative; its brightest pixel is taken to let through this share of the
 * range, about what the thickest part of a pelvis does.
 */
const NEGATIVE_MARGIN = 0.01

/**
 * Line integrals −log(I/I₀) from what a detector or a display image holds, 0 where nothing attenuates: what DRRs are
 * compared with. For `log` images, up to a gain (which the similarities do not see).
 * @throws XrayError for values that are not finite, or a constant image
 */
export function linearise(image: Image, encoding: XrayEncoding): Image {
  const { data, width, height } = image
  assertUsableXray(image)
  const upright = encoding.kind === 'intensity' ? !encoding.inverted : !!encoding.inverted
  // Upright: the brightest is air.
  const { min, max } = imageRange(image)
  const zero = max + (encoding.kind === 'intensity' ? NEGATIVE_MARGIN * (max - min) : 0)
  const toIntensityOrder = upright ? data : data.map(x => zero - x)
  const air = encoding.unattenuated ?? percentile(toIntensityOrder, 0.999)
  if (encoding.kind === 'log') return { width, height, data: toIntensityOrder.map(x => Math.max(air - x, 0)) }
  if (!(air > 0))
    throw new XrayError(
      `The unattenuated intensity of the X-ray is ${air}`,
      'Say how the image is encoded (intensity or log, inverted or not).'
    )
  return {
    width,
    height,
    data: toIntensityOrder.map(x => Math.max(-Math.log(Math.max(x / air, LEAST_TRANSMISSION)), 0))
  }
}

/** @throws XrayError for an image that is empty, constant, or holds a value that is not finite */
export function assertUsableXray({ data, width, height }: Image): void {
  if (data.length === 0 || data.length !== width * height)
    throw new XrayError(
      `The X-ray says ${width} × ${height} pixels but holds ${data.length}`,
      'The file is truncated or its header is wrong: export it again.'
    )
  let constant = true
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i]))
      throw new XrayError(
        `The X-ray holds a value that is not a finite number, at column ${i % width}, row ${Math.floor(i / width)}`,
        'Export the image again.'
      )
    if (data[i] !== data[0]) constant = false
  }
  if (constant)
    throw new XrayError(
      `The X-ray is constant: every pixel is ${data[0]}`,
      'The exposure is empty or saturated: take another.'
    )
}

/** The value below which a share of the data lies. */
function percentile(data: Float32Array, share: number): number {
  const sorted = data.slice().sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
}
