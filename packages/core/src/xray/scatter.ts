import type { Image } from '../image/image.js'
import type { Random } from '../random/random.js'
import { broadBlur, smoothField } from './fields.js'

export interface ScatterOptions {
  /** Mean scattered over mean primary signal, behind the patient. */
  readonly scatter: number
  /** Standard deviation of the kernel on the detector, mm; a second one is three times as wide. */
  readonly scatterMm: number
  /** Slow seeded variation of the field, as a standard deviation. */
  readonly scatterVariation: number
}

/**
 * A scatter field: what each ray loses in the patient is a source of scatter, −T·ln T for a transmission of T (forward
 * scatter intensity of Ohnesorge, Flohr and Klingenbeck-Regn, "Efficient object scatter correction algorithm for third and
 * fourth generation CT scanners", Eur Radiol 9:563–569, 1999), blurred by a narrow and a broad kernel, varied slowly, and
 * scaled to the share that is asked for. Kernels for an image, not a simulation of photons.
 *
 * @param transmission T, share of the beam that passes without being scattered
 * @param incident beam towards each pixel before the patient, relative to an open one: heel effect and collimation
 * @returns scattered signal a pixel, on the scale of `incident`; null where there is none
 */
export function scatterField(
  transmission: Image,
  incident: Float32Array,
  pixelMm: number,
  options: ScatterOptions,
  random: Random
): Float32Array | null {
  const { scatter, scatterMm, scatterVariation } = options
  if (scatter === 0) return null
  const { width, height, data: t } = transmission
  const source = t.map((x, i) => (x > 0 && x < 1 ? -x * Math.log(x) * incident[i] : 0))
  const narrow = broadBlur(source, width, height, scatterMm / pixelMm)
  const broad = broadBlur(source, width, height, (3 * scatterMm) / pixelMm)
  const slow = smoothField(random, width, height, 5, 4)
  const field = narrow.map(
    (x, i) => (0.4 * x + 0.6 * broad[i]) * Math.max(0.2, 1 + scatterVariation * slow[i])
  )
  let primarySum = 0
  let fieldSum = 0
  for (let i = 0; i < t.length; i++)
    if (behindPatient(t[i], incident[i])) {
      primarySum += t[i] * incident[i]
      fieldSum += field[i]
    }
  if (!(fieldSum > 0)) return null
  const scale = (scatter * primarySum) / fieldSum
  return field.map(x => x * scale)
}

/** Where the share of scatter and an automatic exposure are measured: in the open field, behind at least a few centimetres of tissue. */
export const behindPatient = (transmission: number, incident: number): boolean =>
  transmission < 0.5 && incident > 0.25
