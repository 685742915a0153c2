import { FileFormatError, VolumeError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { readVolumeBytes, writeDicomCtSlices, writeMha, writeNifti, writeNrrd } from '../src/index.js'
import { asymmetricVolume, expectError } from './fixtures.js'

const volume = asymmetricVolume()

describe('any volume file', () => {
  it('is known by its content, not its name', async () => {
    const files = [
      writeNifti(volume),
      writeNifti(volume, { gzip: true }),
      writeNrrd(volume),
      writeMha(volume)
    ]
    const formats = await Promise.all(files.map(async b => (await readVolumeBytes('ct.dat', b)).format))
    expect(formats).toEqual(['nifti', 'nifti', 'nrrd', 'mha'])
  })
  it('says what else to give', async () => {
    await expectError(
      () => readVolumeBytes('ct.txt', new TextEncoder().encode('hello world')),
      FileFormatError,
      /ct\.txt is not a volume/,
      /\.nii\.gz/
    )
    await expectError(
      () => readVolumeBytes('none', new Uint8Array()),
      FileFormatError,
      /none/,
      /folder of DICOM/
    )
    const [slice] = writeDicomCtSlices(volume)
    await expectError(
      () => readVolumeBytes('1.dcm', slice.bytes),
      FileFormatError,
      /single DICOM image/,
      /folder that holds the whole/
    )
  })
  it('NaN is refused by its place', async () => {
    const data = Float32Array.from(volume.data)
    data[7 * 5 * 2 + 7 * 3 + 4] = Number.NaN
    for (const bytes of [writeNrrd({ ...volume, data }), writeMha({ ...volume, data })])
      await expectError(() => readVolumeBytes('x', bytes), VolumeError, /voxel 4, 3, 2/, /Replace NaN/)
  })
})
