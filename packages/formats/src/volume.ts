import {
  assertVolume,
  cross,
  dot,
  FileFormatError,
  type Mat3,
  norm,
  normalize,
  scale,
  sub,
  type Vec3,
  type Volume,
  VolumeError
} from '@raypose/core'
import type { HuArray } from './bytes/elements.js'

/** A CT as read: HU as Int16, or Float32 where a value is fractional or out of Int16's range. */
export type CtVolume = Volume<Int16Array> | Volume<Float32Array>

/** A volume read from a file or series, and what a careful person should know about it. */
export interface LoadedVolume {
  readonly volume: CtVolume
  readonly format: 'dicom' | 'nifti' | 'nrrd' | 'mha'
  /** Sentences for the user: what was assumed, skipped or converted. */
  readonly notes: readonly string[]
}

/** Largest angle from 90° between two axes that is put down to rounding in a header, radians: 0.2 mm over 400 mm. */
export const SHEAR_TOLERANCE = 5e-4

/**
 * Puts a volume together from the LPS step (mm) of each index, as affine headers give it.
 * @param steps LPS vectors from one voxel to the next along i, j, k, mm
 * @param origin LPS of voxel (0, 0, 0), mm
 * @throws VolumeError for sheared axes, a zero step, NaN; FileFormatError for sizes that are not positive.
 */
export function volumeFromSteps(
  size: Vec3,
  steps: readonly [Vec3, Vec3, Vec3],
  origin: Vec3,
  data: HuArray,
  what: string
): CtVolume {
  const spacing = steps.map(norm) as unknown as Vec3
  if (!spacing.every(s => Number.isFinite(s) && s > 0))
    throw new VolumeError(
      `${what} has a voxel size of ${spacing.join(' × ')} mm`,
      'Its header gives no usable orientation or spacing: write the file again with one.'
    )
  const volume = {
    size,
    spacing,
    origin,
    direction: orthonormal(steps, what),
    data
  } as CtVolume
  assertVolume(volume)
  return volume
}

/** Columns are the nearest orthonormal axes; refuses more shear than rounding explains. */
function orthonormal(steps: readonly [Vec3, Vec3, Vec3], what: string): Mat3 {
  const [a, b, c] = steps.map(normalize)
  const worst = Math.max(Math.abs(dot(a, b)), Math.abs(dot(a, c)), Math.abs(dot(b, c)))
  if (!(worst <= SHEAR_TOLERANCE))
    throw new VolumeError(
      `${what}: the axes of the volume are ${((Math.asin(Math.min(1, worst)) * 180) / Math.PI).toFixed(2)}° from orthogonal (gantry tilt or shear)`,
      'Resample the volume to orthogonal axes, or export it from the scanner with the tilt corrected.'
    )
  // Gram–Schmidt; `lpsToIndex` inverts by transposing, so rounding must not stay.
  const j = normalize(sub(b, scale(a, dot(a, b))))
  const k = cross(a, j)
  const s = dot(k, c) < 0 ? -1 : 1
  return [a[0], j[0], s * k[0], a[1], j[1], s * k[1], a[2], j[2], s * k[2]]
}

/** The LPS step of each index, mm: the inverse of {@link volumeFromSteps}. */
export function stepsOf(v: Volume): [Vec3, Vec3, Vec3] {
  const d = v.direction
  return [0, 1, 2].map(c => scale([d[c], d[3 + c], d[6 + c]], v.spacing[c])) as [Vec3, Vec3, Vec3]
}

/** @throws FileFormatError unless all are positive whole numbers that an array can hold. */
export function checkedSize(sizes: readonly number[], what: string): void {
  const n = sizes.reduce((a, b) => a * b, 1)
  if (!sizes.every(s => Number.isInteger(s) && s > 0) || n > 2 ** 31)
    throw new FileFormatError(
      `${what} says it is ${sizes.join(' × ')} in size`,
      'The header is damaged or of another kind: export the file again.'
    )
}
