import { VolumeError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { readNifti, writeNifti } from '../src/index.js'
import { asymmetricVolume, thrown } from './fixtures.js'

const volume = asymmetricVolume()
const withValues = (change: (data: Float32Array) => void): Uint8Array => {
  const data = Float32Array.from(volume.data)
  change(data)
  return writeNifti({ ...volume, data })
}

describe('NaN in a NIfTI file', () => {
  it('is air outside the field, and a note says so', () => {
    const read = readNifti(
      withValues(data => data.fill(Number.NaN, 0, 20)),
      'ct.nii'
    )
    const expected = volume.data.slice().fill(-1024, 0, 20)
    // Whole numbers beside it are Int16 as ever.
    expect(read.volume.data).toEqual(expected)
    expect(read.notes).toEqual([
      'ct.nii: 20 of 315 voxels are not a number; they are taken as outside the field: −1024 HU.'
    ])
  })

  it('leaves fractions beside it as they are', () => {
    const read = readNifti(
      withValues(data => {
        data[0] = Number.NaN
        data[1] = 40.25
      })
    )
    expect(read.volume.data).toBeInstanceOf(Float32Array)
    expect([...read.volume.data.slice(0, 3)]).toEqual([-1024, 40.25, volume.data[2]])
  })

  it('is refused throughout, and so is an infinite value', async () => {
    for (const change of [
      (data: Float32Array) => data.fill(Number.NaN),
      (data: Float32Array) => data.fill(Number.POSITIVE_INFINITY, 4, 5),
      (data: Float32Array) => data.fill(Number.NaN, 0, 3).fill(Number.NEGATIVE_INFINITY, 4, 5)
    ]) {
      const error = await thrown(() => readNifti(withValues(change)))
      expect(error).toBeInstanceOf(VolumeError)
      expect(error.message).toMatch(/not a number, at voxel/)
    }
  })
})
