import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { IDENTITY3, type Vec3, type Volume } from '@raypose/core'
import { writeDicomCtSlices, writeNifti } from '@raypose/formats'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCt } from '../src/files/read-ct.js'
import { assertCt } from '../src/prepare/intake.js'

const ct = (spacing: Vec3): Volume<Int16Array> => ({
  size: [10, 10, 10],
  spacing,
  origin: [0, 0, 0],
  direction: IDENTITY3,
  data: Int16Array.from({ length: 1000 }, (_, i) => (i % 7) * 100 - 300)
})

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'raypose-spacing-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** A NIfTI file of these voxels, its header saying mm (2), metres (1) or micrometres (3). */
async function nifti(spacing: Vec3, unit = 2): Promise<string> {
  const bytes = writeNifti(ct(spacing))
  bytes[123] = unit
  const path = join(folder, 'ct.nii')
  await writeFile(path, bytes)
  return path
}

describe('voxels of a size that no CT has', () => {
  it.each<[string, Vec3, number, RegExp]>([
    ['millimetres called metres', [0.8, 0.8, 2], 1, /calls metres/],
    ['millimetres called micrometres', [0.8, 0.8, 2], 3, /calls micrometres/],
    ['metres without a unit', [0.0008, 0.0008, 0.002], 2, /metres/],
    ['centimetres', [0.04, 0.04, 0.1], 2, /centimetres/],
    ['one spacing wrong', [0.8, 0.8, 40], 2, /one of its spacings/]
  ])('are refused: %s', async (_, spacing, unit, hint) => {
    const path = await nifti(spacing, unit)
    await expect(readCt(path)).rejects.toMatchObject({
      code: 'volume',
      message: expect.stringMatching(/ct\.nii has voxels of .* between 0\.05 and 20 mm/),
      hint: expect.stringMatching(hint)
    })
  })

  it('are refused in DICOM, and in a volume given as such', async () => {
    const volume = ct([0.8, 0.8, 40])
    const series = await mkdtemp(join(folder, 'series-'))
    for (const { name, bytes } of writeDicomCtSlices(volume)) await writeFile(join(series, name), bytes)
    await expect(readCt(series)).rejects.toMatchObject({
      code: 'volume',
      message: expect.stringMatching(/0\.8 × 0\.8 × 40 mm/)
    })
    expect(() => assertCt(volume)).toThrow(/The CT has voxels of 0\.8 × 0\.8 × 40 mm/)
  })

  it('are not those at the ends of what is allowed', async () => {
    for (const spacing of [
      [0.05, 0.05, 0.05],
      [10, 10, 20]
    ] as Vec3[])
      expect((await readCt(await nifti(spacing))).volume.size).toEqual([10, 10, 10])
  })
})
