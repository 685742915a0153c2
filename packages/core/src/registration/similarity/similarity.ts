import { ArgumentError } from '../../errors.js'
import type { Image } from '../../image/image.js'

/** How alike a moving image (a DRR) is to the fixed one it was prepared for: higher is better, always finite. */
export type Similarity = (moving: Image) => number

/** What every similarity can be told about the fixed image. */
export interface SimilarityOptions {
  /** How much each pixel counts (a mask, a bone weight): width·height values, none negative; default all 1. */
  readonly weights?: ArrayLike<number>
}

/** Prepares a similarity once for a fixed image. */
export type SimilarityFactory = (fixed: Image, options?: SimilarityOptions) => Similarity

/** The weights as an array of ones where none are given. @throws ArgumentError for a wrong length or a bad value */
export function weightsOf(fixed: Image, weights?: ArrayLike<number>): Float64Array {
  const n = fixed.width * fixed.height
  if (!weights) return new Float64Array(n).fill(1)
  const out = Float64Array.from(weights)
  if (out.length !== n || !out.every(w => w >= 0 && Number.isFinite(w)))
    throw new ArgumentError(
      `The weights of a ${fixed.width} × ${fixed.height} image are ${out.length} values, or some are negative`,
      'Give one finite weight, not negative, for each pixel.'
    )
  return out
}

/** @throws ArgumentError where the images differ in size */
export function assertSameSize(fixed: { width: number; height: number }, moving: Image): void {
  if (moving.width !== fixed.width || moving.height !== fixed.height)
    throw new ArgumentError(
      `A ${moving.width} × ${moving.height} image cannot be compared with one of ${fixed.width} × ${fixed.height}`,
      'Render with the detector of the fixed image.'
    )
}
