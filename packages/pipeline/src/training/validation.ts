import type { Detection } from '@raypose/core'

/** Images to validate on, with where the landmarks are (NaN: not in the image). */
export interface ValidationSet {
  readonly images: readonly Float32Array[]
  readonly points: readonly Float32Array[]
  /** Millimetres at the isocentre per pixel. */
  readonly mmPerPixel: number
  /** Where the images come from, one run of them after another; left out where they are all of one kind. */
  readonly groups?: readonly { readonly name: string; readonly count: number }[]
}

/** How well landmarks are found on images whose truth is known; errors in mm at the isocentre. */
export interface Accuracy {
  /** Landmarks inside an image. */
  readonly visible: number
  readonly meanMm: number
  readonly medianMm: number
  /** Share of visible landmarks found with confidence above the threshold, and their mean error. */
  readonly recall: number
  readonly confidentMeanMm: number
  /** Share of landmarks outside the image that are found with confidence all the same. */
  readonly falsePositives: number
  /** Median error of each landmark; NaN where it is never visible. */
  readonly perLandmarkMm: readonly number[]
}

/** A validation image on which landmarks were found badly. */
export interface WorstView {
  /** Position in the validation set. */
  readonly index: number
  /** Mean error of its visible landmarks, mm at the isocentre. */
  readonly meanMm: number
  readonly found: readonly Detection[]
}

export interface ValidationOutcome {
  readonly accuracy: Accuracy
  /** The same for each kind of patient, where there are several. */
  readonly groups: readonly { readonly name: string; readonly accuracy: Accuracy }[]
  /** The images with the largest mean errors, the worst one first. */
  readonly worst: readonly WorstView[]
}

/** Worst images that are kept to be looked at. */
const WORST = 6

/** What a validation came to. @param found detections of each image of the set */
export function validationOutcome(
  found: readonly (readonly Detection[])[],
  set: ValidationSet,
  size: readonly [number, number]
): ValidationOutcome {
  const part = (from: number, to: number) =>
    accuracyOf(found.slice(from, to), set.points.slice(from, to), size, set.mmPerPixel)
  const groups: { name: string; accuracy: Accuracy }[] = []
  let from = 0
  for (const { name, count } of set.groups ?? []) {
    groups.push({ name, accuracy: part(from, from + count) })
    from += count
  }
  const worst = found
    .map((f, index): WorstView => ({ index, meanMm: part(index, index + 1).meanMm, found: f }))
    .filter(w => Number.isFinite(w.meanMm))
    .sort((a, b) => b.meanMm - a.meanMm)
    .slice(0, WORST)
  return { accuracy: part(0, found.length), groups, worst }
}

/** Confidence above which a detection counts as made. */
export const CONFIDENT = 0.35

/**
 * @param found detections of each image
 * @param points true u, v of each landmark of each image, pixels (NaN: unknown)
 */
export function accuracyOf(
  found: readonly (readonly Detection[])[],
  points: readonly Float32Array[],
  size: readonly [number, number],
  mmPerPixel: number
): Accuracy {
  const errors: number[] = []
  const confident: number[] = []
  const landmarks = points.length > 0 ? points[0].length / 2 : 0
  const each: number[][] = Array.from({ length: landmarks }, () => [])
  let outside = 0
  let wrong = 0
  found.forEach((detections, i) => {
    detections.forEach((d, k) => {
      const u = points[i][2 * k]
      const v = points[i][2 * k + 1]
      if (Number.isNaN(u)) return
      if (u < 0 || v < 0 || u > size[0] - 1 || v > size[1] - 1) {
        outside++
        if (d.confidence > CONFIDENT) wrong++
        return
      }
      const e = Math.hypot(d.u - u, d.v - v) * mmPerPixel
      errors.push(e)
      each[k].push(e)
      if (d.confidence > CONFIDENT) confident.push(e)
    })
  })
  return {
    visible: errors.length,
    meanMm: mean(errors),
    medianMm: median(errors),
    recall: confident.length / Math.max(1, errors.length),
    confidentMeanMm: mean(confident),
    falsePositives: wrong / Math.max(1, outside),
    perLandmarkMm: each.map(median)
  }
}

const mean = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0) / x.length

const median = (x: readonly number[]): number => {
  if (x.length === 0) return Number.NaN
  const s = [...x].sort((a, b) => a - b)
  return (s[(s.length - 1) >> 1] + s[s.length >> 1]) / 2
}
