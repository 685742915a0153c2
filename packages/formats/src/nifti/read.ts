import { column3, distance, mulMat3Vec3, type Vec3, VolumeError } from '@raypose/core'
import { airForNaN, elementsFromBytes, toHu } from '../bytes/elements.js'
import { guard } from '../bytes/guard.js'
import { gunzip, isGzip } from '../bytes/inflate.js'
import { type LoadedVolume, volumeFromSteps } from '../volume.js'
import { type NiftiAffine, type NiftiHeader, readNiftiHeader } from './header.js'

/**
 * Reads a NIfTI-1 volume, .nii or .nii.gz, of any scalar type and either byte order, in LPS.
 *
 * The sform is taken where both forms are there; a note says so if they place a corner more than 0.1 mm apart.
 * NaN, which tools write outside the field of a scanner, becomes −1024 HU, with a note.
 * @throws FileFormatError for a truncated or damaged file, two-file or NIfTI-2 data, time series, colour.
 * @throws VolumeError for a sheared sform, or neither form (left and right unknown); for infinite values, or NaN throughout.
 */
export function readNifti(bytes: Uint8Array, name = 'The NIfTI file'): LoadedVolume {
  return guard(name, () => {
    const raw = isGzip(bytes) ? gunzip(bytes, name) : bytes
    const header = readNiftiHeader(raw, name)
    const notes: string[] = []
    const affine = chooseAffine(header, name, notes)
    const { steps, origin } = lpsMillimetres(affine, header.mmPerUnit)
    const [ni, nj, nk] = header.size
    const stored = elementsFromBytes(
      raw.subarray(header.dataOffset),
      header.type,
      ni * nj * nk,
      header.littleEndian,
      name
    )
    const { data, count } = airForNaN(toHu(stored, header.slope, header.intercept))
    if (count > 0)
      notes.push(
        `${name}: ${count} of ${data.length} voxels are not a number; they are taken as outside the field: −1024 HU.`
      )
    return { volume: volumeFromSteps(header.size, steps, origin, data, name), format: 'nifti', notes }
  })
}

function chooseAffine(header: NiftiHeader, name: string, notes: string[]): NiftiAffine {
  const { sform, qform } = header
  const chosen = sform ?? qform
  if (!chosen)
    throw new VolumeError(
      `${name} has neither an sform nor a qform: left and right are unknown`,
      'Convert it again from DICOM with a tool that writes the orientation.'
    )
  if (sform && qform) {
    const apart = header.mmPerUnit * largestCornerDistance(sform, qform, header.size)
    if (apart > 0.1)
      notes.push(`${name}: sform and qform place a corner ${apart.toFixed(1)} mm apart; the sform is taken.`)
  }
  return chosen
}

function largestCornerDistance(a: NiftiAffine, b: NiftiAffine, size: Vec3): number {
  let worst = 0
  for (let corner = 0; corner < 8; corner++) {
    const index = size.map((n, axis) => (corner & (1 << axis) ? n - 1 : 0)) as unknown as Vec3
    const at = (f: NiftiAffine): Vec3 => {
      const p = mulMat3Vec3(f.steps, index)
      return [p[0] + f.origin[0], p[1] + f.origin[1], p[2] + f.origin[2]]
    }
    worst = Math.max(worst, distance(at(a), at(b)))
  }
  return worst
}

function lpsMillimetres(a: NiftiAffine, mm: number): { steps: [Vec3, Vec3, Vec3]; origin: Vec3 } {
  const lps = (p: Vec3): Vec3 => [-p[0] * mm, -p[1] * mm, p[2] * mm]
  return {
    steps: [lps(column3(a.steps, 0)), lps(column3(a.steps, 1)), lps(column3(a.steps, 2))],
    origin: lps(a.origin)
  }
}
