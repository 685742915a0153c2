import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expSO3, indexToLps, type Mat3, sampleTrilinear, type Volume } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import {
  readVolumeBytes,
  volumeFromSeries,
  writeDicomCtSlices,
  writeMha,
  writeNifti,
  writeNrrd
} from '../src/index.js'
import {
  asymmetricVolume,
  axisAlignedDirections,
  fileBytes,
  hasCommand,
  inTemporaryFolder,
  largestDifference,
  probes,
  shuffled
} from './fixtures.js'

const OBLIQUE: Mat3[] = [expSO3([0.3, -0.5, 1.1]), expSO3([-2, 1, 0.4]).map((x, i) => (i % 3 === 2 ? -x : x))]
const DIRECTIONS = [...axisAlignedDirections(), ...OBLIQUE]

const FORMATS: Record<string, (v: Volume) => Promise<Volume>> = {
  dicom: async v => (await volumeFromSeries(shuffled(writeDicomCtSlices(v)), { minSlices: 5 })).volume,
  nifti: async v => (await readVolumeBytes('v.nii', writeNifti(v))).volume,
  'nifti.gz': async v => (await readVolumeBytes('v.nii.gz', writeNifti(v, { gzip: true }))).volume,
  nrrd: async v => (await readVolumeBytes('v.nrrd', writeNrrd(v, { gzip: false }))).volume,
  'nrrd.gz': async v => (await readVolumeBytes('v.nrrd', writeNrrd(v))).volume,
  mha: async v => (await readVolumeBytes('v.mha', writeMha(v))).volume,
  'mha.z': async v => (await readVolumeBytes('v.mha', writeMha(v, { compress: true }))).volume
}

// NIfTI keeps its affine in float32: about 1e-5 mm, times at most 3000 HU over 0.7 mm.
const tolerance = (format: string) => (format.startsWith('nifti') ? 0.3 : 1e-6)

describe.each(Object.keys(FORMATS))('%s', format => {
  it('gives the same HU at the same LPS points for every axis order, flip and two oblique frames', async () => {
    for (const direction of DIRECTIONS) {
      const original = asymmetricVolume(direction)
      const back = await FORMATS[format](original)
      expect(largestDifference(original, back, probes(original))).toBeLessThan(tolerance(format))
    }
  })
})

it('the probes would notice a flip of any axis, and a shift of half a voxel', () => {
  const v = asymmetricVolume()
  for (let axis = 0; axis < 3; axis++) {
    const flipped = { ...v, direction: v.direction.map((x, i) => (i % 3 === axis ? -x : x)) }
    const last = [0, 0, 0] as [number, number, number]
    last[axis] = v.size[axis] - 1
    const mirrored = { ...flipped, origin: indexToLps(v, last) }
    expect(largestDifference(v, mirrored, probes(v))).toBeGreaterThan(100)
    const half = [0, 0, 0] as [number, number, number]
    half[axis] = 0.5
    const shifted = { ...v, origin: indexToLps(v, half) }
    const moved = probes(v).map(p => Math.abs(sampleTrilinear(v, p) - sampleTrilinear(shifted, p)))
    expect(Math.max(...moved)).toBeGreaterThan(100)
  }
})

describe.skipIf(!hasCommand('plastimatch'))('plastimatch (ITK) agrees on where the voxels are', () => {
  const write: Record<string, (v: Volume, folder: string) => string> = {
    dicom: (v, folder) => {
      const path = join(folder, 'series')
      mkdirSync(path)
      for (const s of writeDicomCtSlices(v)) writeFileSync(join(path, s.name), s.bytes)
      return path
    },
    nifti: (v, folder) => save(join(folder, 'in.nii.gz'), writeNifti(v, { gzip: true })),
    nrrd: (v, folder) => save(join(folder, 'in.nrrd'), writeNrrd(v)),
    mha: (v, folder) => save(join(folder, 'in.mha'), writeMha(v))
  }
  const save = (path: string, bytes: Uint8Array) => {
    writeFileSync(path, bytes)
    return path
  }
  const cases = Object.keys(write).flatMap(input => ['mha', 'nrrd', 'nii.gz'].map(output => [input, output]))

  it.each(cases)('%s written here, converted there to %s, read here', async (input, output) => {
    // plastimatch keeps geometry in float32.
    for (const direction of [OBLIQUE[0], axisAlignedDirections()[19]]) {
      const original = asymmetricVolume(direction, [7, 5, 12])
      const converted = inTemporaryFolder(folder => {
        const path = write[input](original, folder)
        const out = join(folder, `out.${output}`)
        execFileSync('plastimatch', ['convert', '--input', path, '--output-img', out], { stdio: 'pipe' })
        return fileBytes(out)
      })
      const { volume } = await readVolumeBytes(`out.${output}`, converted)
      expect(largestDifference(original, volume, probes(original))).toBeLessThan(0.5)
    }
  })
})
