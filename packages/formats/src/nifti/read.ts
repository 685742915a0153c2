import { column3, type Vec3 } from '@raypose/core'
import { airForNaN, huFromBytes } from '../bytes/elements.js'
import { guard } from '../bytes/guard.js'
import { gunzip, isGzip } from '../bytes/inflate.js'
import { type LoadedVolume, volumeFromSteps } from '../volume.js'
import { chooseForm } from './forms.js'
import { type NiftiAffine, readNiftiHeader } from './header.js'

/**
 * Reads a NIfTI-1 volume, .nii or .nii.gz, of any scalar type and either byte order, in LPS.
 *
 * Of sform and qform, the one nearer to the scanner is taken ({@link chooseForm}); a note says so if they place a corner more than 0.1 mm apart.
 * NaN, which tools write outside the field of a scanner, becomes −1024 HU, with a note.
 * @throws FileFormatError for a truncated or damaged file, two-file or NIfTI-2 data, time series, colour.
 * @throws VolumeError where both forms are sheared, or neither is there (left and right unknown); for infinite values, or NaN throughout.
 */
export function readNifti(bytes: Uint8Array, name = 'The NIfTI file'): LoadedVolume {
  return guard(name, () => {
    const raw = isGzip(bytes) ? gunzip(bytes, name) : bytes
    const header = readNiftiHeader(raw, name)
    const notes: string[] = []
    const affine = chooseForm(header, name, notes)
    const { steps, origin } = lpsMillimetres(affine, header.mmPerUnit)
    const [ni, nj, nk] = header.size
    const hu = huFromBytes(
      raw.subarray(header.dataOffset),
      header.type,
      ni * nj * nk,
      header.littleEndian,
      name,
      header.slope,
      header.intercept
    )
    const { data, count } = airForNaN(hu)
    if (count > 0)
      notes.push(
        `${name}: ${count} of ${data.length} voxels are not a number; they are taken as outside the field: −1024 HU.`
      )
    return { volume: volumeFromSteps(header.size, steps, origin, data, name), format: 'nifti', notes }
  })
}

function lpsMillimetres(a: NiftiAffine, mm: number): { steps: [Vec3, Vec3, Vec3]; origin: Vec3 } {
  const lps = (p: Vec3): Vec3 => [-p[0] * mm, -p[1] * mm, p[2] * mm]
  return {
    steps: [lps(column3(a.steps, 0)), lps(column3(a.steps, 1)), lps(column3(a.steps, 2))],
    origin: lps(a.origin)
  }
}
