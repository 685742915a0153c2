import { VolumeError } from '../errors.js'
import { indexToLps, type Volume } from '../volume/volume.js'
import { followBorders } from './border-following.js'

/** Hounsfield units taken for bone, both ends included. */
export interface BoneWindow {
  readonly low: number
  readonly high: number
}

/** The paper's window (section 2, phase 2b). Dense cortex lies above it: its faces become edges of the mask. */
export const PAPER_BONE_WINDOW: BoneWindow = { low: 200, high: 500 }

/** Everything from 200 HU up. */
export const OPEN_BONE_WINDOW: BoneWindow = { low: 200, high: Number.POSITIVE_INFINITY }

export interface BoneSurfaceOptions {
  readonly window?: BoneWindow
  /** Borders of fewer pixels are left out: noise and small calcifications. Default 1, all of them as in the paper. */
  readonly minBorderPixels?: number
}

/**
 * Points on the surface of bone: the outer and hole borders of the thresholded slices (paper section 2, phase 2b;
 * border following of its reference [8]).
 *
 * @returns LPS mm, x y z of each point: centres of the voxels of the mask that adjoin the background in their slice
 * @throws VolumeError if the CT has no bone in the window.
 */
export function boneSurface(volume: Volume, options: BoneSurfaceOptions = {}): Float32Array {
  const { window = PAPER_BONE_WINDOW, minBorderPixels = 1 } = options
  const [ni, nj, nk] = volume.size
  const mask = new Uint8Array(ni * nj)
  const taken = new Uint8Array(ni * nj)
  const xyz: number[] = []
  for (let k = 0; k < nk; k++) {
    const o = k * ni * nj
    let any = false
    for (let i = 0; i < mask.length; i++) {
      const hu = volume.data[o + i]
      mask[i] = hu >= window.low && hu <= window.high ? 1 : 0
      if (mask[i]) any = true
    }
    if (!any) continue
    taken.fill(0)
    for (const { points } of followBorders(mask, ni, nj).borders) {
      if (points.length < 2 * minBorderPixels) continue
      for (let i = 0; i < points.length; i += 2) {
        const at = points[i + 1] * ni + points[i]
        if (taken[at]) continue
        taken[at] = 1
        xyz.push(...indexToLps(volume, [points[i], points[i + 1], k]))
      }
    }
  }
  if (xyz.length === 0)
    throw new VolumeError(
      `The CT has no bone: no value${minBorderPixels > 1 ? ` in a border of ${minBorderPixels} pixels` : ''} between ${window.low} and ${window.high} HU`,
      'Check that the values are Hounsfield units (rescale slope and intercept) and that the scan shows bone, or widen the window.'
    )
  return Float32Array.from(xyz)
}
