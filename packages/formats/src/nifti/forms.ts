import { column3, distance, dot, mulMat3Vec3, norm, normalize, type Vec3, VolumeError } from '@raypose/core'
import { SHEAR_TOLERANCE } from '../volume.js'
import type { NiftiAffine, NiftiHeader } from './header.js'

/** Part by which a form's steps may differ from the voxel size that the header gives apart from it. */
const SIZE_TOLERANCE = 0.01

interface Form {
  readonly name: 'sform' | 'qform'
  readonly affine: NiftiAffine
  /** What is wrong with it, or null. */
  readonly fault: string | null
  /** Whether its axes are not at right angles, or have no length. */
  readonly broken: boolean
  /** How far its axes are from right angles, degrees. */
  readonly shearDeg: number
}

/** A scanner's form sheared further than this tells of a tilted gantry, which no other form undoes. */
const TILTED_DEG = 1

/**
 * Which of the two forms places the patient. Scanner coordinates (code 1) go before aligned ones (2), those before a template's
 * (3, 4), which may be scaled to another body; the sform before the qform of the same code. One that is sheared, or whose voxels
 * are not of the size that the header gives, is passed over for the other.
 * @throws VolumeError where there is neither, or only a template's of another size
 */
export function chooseForm(header: NiftiHeader, name: string, notes: string[]): NiftiAffine {
  const forms = ranked(header)
  if (forms.length === 0)
    throw new VolumeError(
      `${name} has neither an sform nor a qform: left and right are unknown`,
      'Convert it again from DICOM with a tool that writes the orientation.'
    )
  const [first] = forms
  const chosen = forms.find(f => f.fault === null) ?? first
  if (chosen !== first && first.affine.code <= 2 && first.shearDeg > TILTED_DEG)
    throw new VolumeError(
      `${name}: the ${first.name} (${words(first.affine)}) ${first.fault}`,
      'Resample the CT onto upright slices first, or give its DICOM slices.'
    )
  if (chosen !== first)
    notes.push(
      `${name}: the ${first.name} (${words(first.affine)}) ${first.fault}; the ${chosen.name} is taken.`
    )
  else if (chosen.fault && !chosen.broken) {
    // A broken one is refused with the angle, as in every format.
    if (chosen.affine.code > 2)
      throw new VolumeError(
        `${name}: the ${chosen.name} (${words(chosen.affine)}) ${chosen.fault}`,
        'It was scaled to a template: give the CT as the scanner had it.'
      )
    notes.push(
      `${name}: the ${chosen.name} (${words(chosen.affine)}) ${chosen.fault}; the ${chosen.name} is taken.`
    )
  } else if (forms.length > 1) {
    const apart = header.mmPerUnit * largestCornerDistance(forms[0].affine, forms[1].affine, header.size)
    if (apart > 0.1)
      notes.push(
        `${name}: sform and qform place a corner ${apart.toFixed(1)} mm apart; the ${chosen.name} is taken (${words(chosen.affine)}).`
      )
  }
  return chosen.affine
}

const words = ({ code }: NiftiAffine): string =>
  `code ${code}, ${code === 1 ? 'scanner' : code === 2 ? 'aligned' : 'template'}`

function ranked({ sform, qform, voxel }: NiftiHeader): Form[] {
  const form = (name: Form['name'], affine: NiftiAffine | null): Form[] =>
    affine ? [{ name, affine, ...faultOf(affine, voxel) }] : []
  // The sort is stable: the sform stays first among equals.
  const rank = (f: Form) => Math.min(3, f.affine.code)
  return [...form('sform', sform), ...form('qform', qform)].sort((a, b) => rank(a) - rank(b))
}

function faultOf({ steps, origin }: NiftiAffine, voxel: Vec3): Pick<Form, 'fault' | 'broken' | 'shearDeg'> {
  const columns = ([0, 1, 2] as const).map(c => column3(steps, c))
  const lengths = columns.map(norm)
  if (![...steps, ...origin].every(Number.isFinite) || !lengths.every(l => l > 0))
    return { fault: 'is singular', broken: true, shearDeg: 0 }
  const [a, b, c] = columns.map(normalize)
  const shear = Math.max(Math.abs(dot(a, b)), Math.abs(dot(a, c)), Math.abs(dot(b, c)))
  const shearDeg = (Math.asin(Math.min(1, shear)) * 180) / Math.PI
  if (shear > SHEAR_TOLERANCE)
    return {
      fault: `is sheared by ${shearDeg.toFixed(1)}° (a tilted gantry, unless it is a registration's)`,
      broken: true,
      shearDeg
    }
  // A size of 0 says nothing.
  const other = lengths.some((l, axis) => voxel[axis] > 0 && Math.abs(l / voxel[axis] - 1) > SIZE_TOLERANCE)
  return {
    fault: other ? `has voxels of ${sizes(lengths)} where the header says ${sizes(voxel)}` : null,
    broken: false,
    shearDeg
  }
}

const sizes = (v: readonly number[]): string => v.map(x => x.toFixed(2)).join(' × ')

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
