import { assertDetector, type Detector, type GeometryParts, type Vec2 } from '@raypose/core'

/** What most often lacks, by name. */
export const DISTANCE = 'source-to-detector distance (0018,1110)'

/** A detector put together, or what it lacks. */
export interface Completed {
  readonly detector: Detector | null
  readonly missing: readonly string[]
  /** What was said of the file's own values. */
  readonly notes: readonly string[]
}

/**
 * A detector of what the user knows and, where that leaves something out, of what the X-ray's file says.
 * @throws GeometryError for what makes no detector
 */
export function completeDetector(
  told: GeometryParts,
  own: { readonly [K in 'sdd' | 'pixel' | 'principalPoint']: Detector[K] | null },
  imageSize: Vec2,
  name: string
): Completed {
  const sdd = told.sdd ?? own.sdd
  const pixel = told.pixel ?? own.pixel
  const missing = [
    sdd === null ? DISTANCE : '',
    pixel === null ? 'imager pixel spacing (0018,1164)' : ''
  ].filter(Boolean)
  if (sdd === null || pixel === null) return { detector: null, missing, notes: [] }
  const size = told.size ?? imageSize
  const detector: Detector = {
    sdd,
    pixel,
    size,
    principalPoint: told.principalPoint ?? own.principalPoint ?? [(size[0] - 1) / 2, (size[1] - 1) / 2]
  }
  assertDetector(detector)
  const notes = [
    differ(told.sdd, own.sdd) &&
      `${name} says that the source is ${own.sdd} mm from the detector: ${told.sdd} mm is taken, as told.`,
    differ(told.pixel, own.pixel) &&
      `${name} says that the detector's pixels are ${own.pixel?.join(' × ')} mm: ${told.pixel?.join(' × ')} mm is taken, as told.`
  ].filter(n => n !== false)
  return { detector, missing: [], notes }
}

/** By more than rounding. */
function differ(told: number | Vec2 | undefined, own: number | Vec2 | null): boolean {
  if (told === undefined || own === null) return false
  const [a, b] = [told, own].map(x => (typeof x === 'number' ? [x] : x))
  return a.some((x, i) => Math.abs(x / b[i] - 1) > 1e-3)
}
