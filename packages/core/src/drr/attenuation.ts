import type { VoxelArray } from '../volume/volume.js'

/** Linear attenuation of water, 1/mm (about 70 keV): `μ = μ_water · (1 + HU/1000)`, never below 0. */
export const MU_WATER = 0.0195

/** What the values of a volume mean to a renderer. */
export interface AttenuationOptions {
  /**
   * `'hu'` (default): Hounsfield units, `μ = muWater · (1 + HU/1000)`. `'linear'`: the values are μ in 1/mm already
   * (or any density to integrate, such as bone alone). Below 0 counts as 0 either way.
   */
  readonly convert?: 'hu' | 'linear'
  /** Linear attenuation of water, 1/mm; default {@link MU_WATER}. Only for `'hu'`. */
  readonly muWater?: number
}

/** The function from voxel value to attenuation (1/mm, ≥ 0). */
export function attenuationOf({
  convert = 'hu',
  muWater = MU_WATER
}: AttenuationOptions): (v: number) => number {
  return convert === 'linear' ? v => Math.max(0, v) : v => Math.max(0, muWater * (1 + v / 1000))
}

/** Largest voxel value; 0 for no voxels. */
export function maximumOf(data: VoxelArray): number {
  let max = data.length > 0 ? data[0] : 0
  for (let i = 1; i < data.length; i++) if (data[i] > max) max = data[i]
  return max
}
