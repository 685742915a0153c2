import { ArgumentError } from '../errors.js'
import type { Volume, VoxelArray } from '../volume/volume.js'

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

/** Which voxels of a volume to render, and how strongly. */
export interface LabelOptions {
  /** A mask (0 or not) or a label map over the voxels, in their order. */
  readonly labels?: Uint8Array
  /**
   * By label, what its voxels' attenuation is multiplied by (none negative; labels past the end count 0). Default: label
   * 0 is left out and all others are rendered as they are, which is what a mask means.
   */
  readonly labelWeights?: readonly number[]
}

/** The function from voxel value to attenuation (1/mm, ≥ 0). */
export function attenuationOf({
  convert = 'hu',
  muWater = MU_WATER
}: AttenuationOptions): (v: number) => number {
  return convert === 'linear' ? v => Math.max(0, v) : v => Math.max(0, muWater * (1 + v / 1000))
}

/** Attenuation (1/mm, ≥ 0) voxel by voxel. */
export interface Attenuation {
  /** Of voxel n. */
  at(n: number): number
  /** The largest there is. */
  readonly maximum: number
}

/**
 * How a volume is to be rendered, as a function of the voxel.
 * @throws ArgumentError for labels that do not fit the volume, or weights that are negative or not finite
 */
export function voxelAttenuation(volume: Volume, options: AttenuationOptions & LabelOptions): Attenuation {
  const { data } = volume
  const { labels } = options
  const value = converter(data, options)
  if (!labels) return { at: n => value(data[n]), maximum: value(maximumOf(data)) }
  const weights = labelTable(options, data.length)
  const at = (n: number) => weights[labels[n]] * value(data[n])
  let maximum = 0
  for (let n = 0; n < data.length; n++)
    if (labels[n] !== 0 || weights[0] !== 0) maximum = Math.max(maximum, at(n))
  return { at, maximum }
}

function labelTable({ labels, labelWeights }: LabelOptions, voxels: number): Float64Array {
  if (labels?.length !== voxels)
    throw new ArgumentError(
      `The labels are of ${labels?.length} voxels, the volume has ${voxels}`,
      'Give one label for each voxel, in the same order.'
    )
  if (labelWeights && !labelWeights.every(w => Number.isFinite(w) && w >= 0))
    throw new ArgumentError(
      `The label weights ${labelWeights.join(', ')} are not all numbers of 0 or more`,
      'Give 0 for labels to leave out and 1 for those to render as they are.'
    )
  return Float64Array.from({ length: 256 }, (_, label) =>
    labelWeights ? (labelWeights[label] ?? 0) : label === 0 ? 0 : 1
  )
}

/** From voxel value to attenuation. For whole numbers of 16 bits by a table, several times as fast as the arithmetic. */
function converter(data: VoxelArray, options: AttenuationOptions): (v: number) => number {
  const value = attenuationOf(options)
  if (data instanceof Float32Array || data instanceof Int32Array) return value
  const lowest = data instanceof Int16Array || data instanceof Int8Array ? -32768 : 0
  const table = new Float64Array(65536)
  for (let v = lowest; v < lowest + 65536; v++) table[v & 0xffff] = value(v)
  return v => table[v & 0xffff]
}

/** Largest voxel value; 0 for no voxels. */
export function maximumOf(data: VoxelArray): number {
  let max = data.length > 0 ? data[0] : 0
  for (let i = 1; i < data.length; i++) if (data[i] > max) max = data[i]
  return max
}
