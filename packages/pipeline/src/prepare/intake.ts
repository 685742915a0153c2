import {
  assertVolume,
  cropToBox,
  lpsToIndex,
  resampleVolume,
  type Vec3,
  type Volume,
  VolumeError
} from '@raypose/core'
import { assertCtSpacing } from '../files/ct-spacing.js'
import { sha256 } from '../files/hash.js'
import { assertHounsfield, withoutPadding } from './hounsfield.js'
import { asInt16 } from './int16.js'
import type { Located } from './locate.js'
import { orientationInWords, turnVolume } from './orientation.js'

/** What is kept of the CT: everything that a C-arm's rays to the anatomy meet, mm to each side of the isocentre. */
const KEEP: Vec3 = [240, 190, 230]
/** A CT smaller than this along an axis shows no anatomy whole, mm; fewer voxels are no volume. */
const LEAST_MM = 80
const LEAST_VOXELS = 8
/** Finer voxels than the first are averaged to the second: they cost memory and time and show nothing more on a C-arm. */
const TOO_FINE_MM = 0.5
const FINE_MM = 0.8
/**
 * So many voxels are kept: preparing takes some 20 bytes for each. What {@link KEEP} holds of a usual CT, slices 1 mm apart, has about 110 million;
 * half a millimetre along all axes would be 670 million.
 */
const MOST_VOXELS = 130e6
/** HU below which there is only air, foam and clothes. */
const BODY_HU = -300
/** Slices from here on apart blur landmarks noticeably, mm. */
const THICK_MM = 3.5

/**
 * Refuses a volume that cannot be a CT of a patient, before any work is done with it.
 * @throws VolumeError if it is not well formed, of voxels as no CT has, too small, of one value, holds only air, or values 1024 too high
 */
export function assertCt(volume: Volume): void {
  assertVolume(volume)
  assertCtSpacing(volume, 'The CT')
  const extent = volume.size.map((n, a) => n * volume.spacing[a])
  if (volume.size.some(n => n < LEAST_VOXELS) || extent.some(e => e < LEAST_MM))
    throw new VolumeError(
      `The CT is too small: ${volume.size.join(' × ')} voxels, ${extent.map(e => e.toFixed(0)).join(' × ')} mm`,
      `Give a CT of at least ${LEAST_MM} mm in each direction that shows the whole anatomy.`
    )
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  const { data } = volume
  for (let i = 0; i < data.length; i++) {
    if (data[i] < low) low = data[i]
    if (data[i] > high) high = data[i]
  }
  if (low === high)
    throw new VolumeError(`The CT is empty: every voxel is ${low} HU`, 'Export the series again.')
  if (high < BODY_HU)
    throw new VolumeError(
      `The CT holds only air: no voxel is above ${high.toFixed(0)} HU`,
      'Check that the values are Hounsfield units (rescale slope and intercept).'
    )
  assertHounsfield(volume)
}

/** The CT as everything after uses it: in LPS, around the anatomy, 16-bit HU. */
export interface Intake {
  readonly volume: Volume<Int16Array>
  /** What was taken and why, a sentence each. */
  readonly notes: readonly string[]
}

/** Turns and crops a CT, clears it of padding and, where voxels are needlessly fine, resamples it. */
export function takeIn(ct: Volume, located: Located, anatomy: string): Intake {
  const c = located.isocenter
  const notes = [
    `The CT: ${ct.size.join(' × ')} voxels of ${ct.spacing.map(s => s.toFixed(2)).join(' × ')} mm.`,
    located.verified
      ? `The ${anatomy}: ${located.agreeing} of ${located.landmarks} landmarks agree in 3D, ${located.residualMm.toFixed(1)} mm (median) from where the shape prior has them.`
      : `The isocentre was given, and no ${anatomy} could be made out there: its orientation is taken as the file says.`,
    `Orientation: ${orientationInWords(located.lpsFromCt)}.`
  ]
  const turned = turnVolume(ct, located.lpsFromCt)
  const { volume: cropped, note } = withoutPadding(
    cropToBox(turned, {
      min: [c[0] - KEEP[0], c[1] - KEEP[1], c[2] - KEEP[2]],
      max: [c[0] + KEEP[0], c[1] + KEEP[1], c[2] + KEEP[2]]
    })
  )
  if (cropped.size.some((n, a) => n !== turned.size[a]))
    notes.push(`Cropped to ${cropped.size.join(' × ')} voxels: ${KEEP.join(', ')} mm to each side.`)
  if (note) notes.push(note)
  const spacing = keptSpacing(cropped)
  const fine = spacing.some((s, a) => s !== cropped.spacing[a])
  if (fine)
    notes.push(
      `${cropped.spacing.some(s => s < TOO_FINE_MM) ? `Voxels finer than ${TOO_FINE_MM} mm were averaged` : `More than ${MOST_VOXELS / 1e6} million voxels were resampled to fewer`}: now ${spacing.map(s => s.toFixed(2)).join(' × ')} mm.`
    )
  if (cropped.spacing.some(s => s >= THICK_MM))
    notes.push(
      `Slices ${Math.max(...cropped.spacing).toFixed(1)} mm apart: poses will be less exact along them than with thin ones.`
    )
  const volume = fine ? resampleVolume(cropped, { spacing }) : cropped
  return { volume: asInt16(volume), notes }
}

/** The voxel size that is kept of a volume: its own, where it is neither finer than anything shows nor of too many voxels; else its finest axes are made coarser. */
export function keptSpacing({ size, spacing }: Pick<Volume, 'size' | 'spacing'>): Vec3 {
  const kept = spacing.map(s => (s < TOO_FINE_MM ? FINE_MM : s))
  const atLeast = (least: number) => kept.map(s => Math.max(s, least)) as unknown as Vec3
  const count = (s: readonly number[]) => s.reduce((n, x, a) => (n * size[a] * spacing[a]) / x, 1)
  let least = Math.min(...kept)
  while (count(atLeast(least)) > MOST_VOXELS) least *= 1.02
  return atLeast(least)
}

/** Whether a point lies in the volume, or this many mm beyond its outermost voxels. */
export const isInside = (v: Volume, p: Vec3, marginMm = 2): boolean =>
  lpsToIndex(v, p).every(
    (x, a) => x >= -marginMm / v.spacing[a] && x <= v.size[a] - 1 + marginMm / v.spacing[a]
  )

export const hashVolume = (v: Volume): string =>
  sha256(
    JSON.stringify([v.size, v.spacing, v.origin, v.direction]) +
      sha256(new Uint8Array(v.data.buffer, v.data.byteOffset, v.data.byteLength))
  )
