import { VolumeError } from '@raypose/core'
import type { Dataset } from './dataset.js'

/** How stored values become HU. */
export interface Rescale {
  readonly slope: number
  readonly intercept: number
}

const INTERCEPT = '00281052'
const SLOPE = '00281053'
/** Rescale Type (0028,1054) of a CT in HU; US is "unspecified", which older scanners write. */
const HOUNSFIELD_TYPES = ['', 'HU', 'US']

/**
 * Slope and intercept of a CT plane, without which its values are not known to be HU.
 * @param sources where to look, first the plane's own functional group
 * @throws VolumeError where one of them is not there or no number, or where they give another unit than HU.
 */
export function rescaleOf(sources: readonly Dataset[], label: string): Rescale {
  const source = sources.find(d => d.number(INTERCEPT) !== null || d.number(SLOPE) !== null) ?? sources[0]
  const intercept = source.number(INTERCEPT)
  const slope = source.number(SLOPE)
  if (intercept === null || !slope) {
    const missing = [
      intercept === null ? 'Rescale Intercept (0028,1052)' : '',
      slope ? '' : 'Rescale Slope (0028,1053)'
    ].filter(Boolean)
    throw new VolumeError(
      `${label} does not say how its values become Hounsfield units: no ${missing.join(', ')}`,
      'Export the series again with these elements; where they were stripped, put back what the scanner wrote (often intercept -1024, slope 1), for instance with "dcmodify -i".'
    )
  }
  const type = source.text('00281054')
  if (!HOUNSFIELD_TYPES.includes(type.toUpperCase()))
    throw new VolumeError(
      `${label} holds no Hounsfield units: its Rescale Type (0028,1054) is ${type}`,
      'Give the ordinary CT series in HU, not a map of a material, density or energy.'
    )
  return { intercept, slope }
}
