import { VolumeError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { readNifti } from '../src/index.js'
import { thrown } from './fixtures.js'

interface Made {
  /** Rows of the sform, twelve numbers; absent: code 0. */
  readonly sform?: readonly number[]
  readonly sformCode?: number
  /** 0: no qform. Its axes are those of RAS, its voxels `pixdim`. */
  readonly qformCode?: number
  readonly pixdim?: readonly number[]
  readonly quaternion?: readonly number[]
  readonly units?: number
  readonly voxelOffset?: number
}

/** A NIfTI-1 file of 4 × 5 × 6 int16, byte by byte. */
function made(o: Made): Uint8Array {
  const bytes = new Uint8Array(352 + 2 * 120)
  const v = new DataView(bytes.buffer)
  const floats = (at: number, x: readonly number[]) => x.map((f, k) => v.setFloat32(at + 4 * k, f, true))
  v.setInt32(0, 348, true)
  for (const [k, n] of [3, 4, 5, 6, 1, 1, 1, 1].entries()) v.setInt16(40 + 2 * k, n, true)
  v.setInt16(70, 4, true)
  v.setInt16(72, 16, true)
  floats(76, [1, ...(o.pixdim ?? [0.8, 0.8, 2])])
  floats(108, [o.voxelOffset ?? 352, 1, 0])
  v.setUint8(123, o.units ?? 2)
  v.setInt16(252, o.qformCode ?? 0, true)
  v.setInt16(254, o.sform ? (o.sformCode ?? 1) : 0, true)
  floats(256, o.quaternion ?? [0, 0, 0])
  floats(280, o.sform ?? [])
  bytes.set([0x6e, 0x2b, 0x31, 0], 344)
  for (let i = 0; i < 120; i++) v.setInt16(352 + 2 * i, 10 * i - 500, true)
  return bytes
}

/** The sform of `pixdim`, 5 mm along each axis from where the qform is. */
const PLAIN = [0.8, 0, 0, 5, 0, 0.8, 0, 5, 0, 0, 2, 5]
const SCALED = [0.92, 0, 0, 5, 0, 0.92, 0, 5, 0, 0, 2.3, 5]
const SHEARED = [0.8, 0.01, 0, 5, 0, 0.8, 0, 5, 0, 0, 2, 5]

/** Which form was taken, and what was said. */
function taken(o: Made): { form: 'sform' | 'qform'; spacing: number[]; notes: string } {
  const { volume, notes } = readNifti(made(o), 'ct.nii')
  return {
    form: volume.origin[2] === 5 ? 'sform' : 'qform',
    spacing: volume.spacing.map(s => Math.round(s * 1e4) / 1e4),
    notes: notes.join('\n')
  }
}

describe('which form of a NIfTI file is taken', () => {
  it.each([
    [1, 1, 'sform'],
    [1, 4, 'sform'],
    [2, 1, 'qform'],
    [2, 2, 'sform'],
    [3, 1, 'qform'],
    [4, 2, 'qform'],
    [4, 3, 'sform'],
    [3, 4, 'sform']
  ] as const)('sform code %i, qform code %i: the %s', (sformCode, qformCode, form) => {
    const read = taken({ sform: PLAIN, sformCode, qformCode })
    expect(read.form).toBe(form)
    expect(read.notes).toMatch(new RegExp(`8\\.7 mm apart; the ${form} is taken \\(code`))
  })

  it("the scanner's before a template's of another size", () => {
    const read = taken({ sform: SCALED, sformCode: 4, qformCode: 1 })
    expect(read).toMatchObject({ form: 'qform', spacing: [0.8, 0.8, 2] })
    expect(read.notes).toMatch(/qform is taken \(code 1, scanner\)/)
  })

  it('not one that is sheared, singular or of another voxel size, if the other is good', () => {
    expect(taken({ sform: SHEARED, qformCode: 1 })).toEqual({
      form: 'qform',
      spacing: [0.8, 0.8, 2],
      notes:
        "ct.nii: the sform (code 1, scanner) is sheared by 0.7° (a tilted gantry, unless it is a registration's); the qform is taken."
    })
    expect(taken({ sform: Array(12).fill(0), qformCode: 2 })).toMatchObject({
      form: 'qform',
      notes: expect.stringMatching(/sform .* is singular; the qform/)
    })
    expect(taken({ sform: SCALED, qformCode: 2 })).toMatchObject({
      form: 'qform',
      notes: expect.stringMatching(
        /has voxels of 0\.92 × 0\.92 × 2\.30 where .* 0\.80 × 0\.80 × 2\.00; the qform/
      )
    })
    // A quaternion that is longer than one scales.
    expect(taken({ sform: PLAIN, sformCode: 2, qformCode: 1, quaternion: [0, 0, 1.2] })).toMatchObject({
      form: 'sform',
      notes: expect.stringMatching(/qform .*; the sform is taken/)
    })
  })

  it('refuses when none is good', async () => {
    const sheared = await thrown(() => taken({ sform: SHEARED, qformCode: 0 }))
    expect(sheared).toBeInstanceOf(VolumeError)
    expect(sheared.message).toMatch(/from orthogonal/)
    // A gantry tilted by 10°: the qform would read its slices as upright.
    const tilted = [0.8, 0, 0, 5, 0, 0.8, 0.35, 5, 0, 0, 2, 5]
    const gantry = await thrown(() => taken({ sform: tilted, qformCode: 1, pixdim: [0.8, 0.8, 2.03] }))
    expect(gantry).toBeInstanceOf(VolumeError)
    expect(gantry.message).toMatch(/sheared by 9\.9°/)
    const both = await thrown(() => taken({ sform: SHEARED, qformCode: 1, pixdim: [0, 0, 0] }))
    expect(both).toBeInstanceOf(VolumeError)
    const template = await thrown(() => taken({ sform: SCALED, sformCode: 4 }))
    expect(template).toBeInstanceOf(VolumeError)
    expect(template.message).toMatch(/ct\.nii: the sform \(code 4, template\) has voxels of 0\.92/)
    expect(template.hint).toMatch(/template/)
  })

  it('takes an sform that is alone, though the header gives another voxel size, and says so', () => {
    expect(taken({ sform: PLAIN, pixdim: [1, 1, 1] })).toMatchObject({
      form: 'sform',
      spacing: [0.8, 0.8, 2],
      notes: expect.stringMatching(/where the header says 1\.00 × 1\.00 × 1\.00; the sform is taken/)
    })
    expect(taken({ sform: PLAIN, pixdim: [0, 0, 0] }).notes).toBe('')
  })
})

describe('the rest of a NIfTI header', () => {
  it('an offset of 0 is that of a single file', () => {
    const { volume } = readNifti(made({ sform: PLAIN, voxelOffset: 0 }))
    expect(volume.data[0]).toBe(-500)
    expect(volume.data[119]).toBe(690)
  })

  it('metres and micrometres are honoured', () => {
    const metres = PLAIN.map(x => x / 1000)
    const pixdim = [0.0008, 0.0008, 0.002]
    const read = readNifti(made({ sform: metres, pixdim, units: 1 })).volume
    expect(read.spacing[2]).toBeCloseTo(2, 6)
    expect(read.origin[2]).toBeCloseTo(5, 6)
    const small = readNifti(
      made({ sform: PLAIN.map(x => 1000 * x), pixdim: [800, 800, 2000], units: 3 })
    ).volume
    expect(small.spacing[0]).toBeCloseTo(0.8, 6)
  })
})
