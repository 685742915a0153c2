import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createRandom, indexToLps, type Vec3 } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import {
  chooseSeries,
  groupSeries,
  type NamedBytes,
  readVolumeBytes,
  volumeFromSeries
} from '../src/index.js'
import { fileBytes, hasCommand, inTemporaryFolder, largestDifference } from './fixtures.js'

const FOLDER = resolve(import.meta.dirname, '../../../../shared/ct/TCGA-09-2043')

const readFolder = (): NamedBytes[] =>
  readdirSync(FOLDER).map(name => ({ name, bytes: fileBytes(join(FOLDER, name)) }))

describe.skipIf(!existsSync(FOLDER))('the real CT (skipped where ../shared/ct is absent)', () => {
  const load = async () => volumeFromSeries(chooseSeries(groupSeries(readFolder())).files)

  it('has the geometry its description gives', async () => {
    const { volume, notes } = await load()
    expect(volume.size).toEqual([512, 512, 160])
    expect(volume.spacing[0]).toBeCloseTo(1.03, 9)
    expect(volume.spacing[1]).toBeCloseTo(1.03, 9)
    expect(volume.spacing[2]).toBeCloseTo(3, 9)
    expect(volume.direction).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1])
    expect(volume.data).toBeInstanceOf(Int16Array)
    expect(notes).toEqual([])
  })

  it.skipIf(!hasCommand('plastimatch')).each(['mha', 'nrrd', 'nii'])(
    'is what plastimatch reads and writes as %s',
    async extension => {
      const { volume } = await load()
      const bytes = inTemporaryFolder(folder => {
        const path = join(folder, `ct.${extension}`)
        const args = ['convert', '--input', FOLDER, '--output-img', path, '--output-type', 'short']
        execFileSync('plastimatch', args, { stdio: 'pipe' })
        return fileBytes(path)
      })
      const read = (await readVolumeBytes(`ct.${extension}`, bytes)).volume
      // The scanner pads with −2048 HU, which the series is read without.
      const theirs = { ...read, data: read.data.map(x => Math.max(-1024, x)) }
      expect(theirs.size).toEqual(volume.size)
      const random = createRandom(1)
      // Voxel centres one in from the border: plastimatch rounds the geometry to float32.
      const points = Array.from({ length: 3000 }, () =>
        indexToLps(volume, volume.size.map(n => 1 + random.integer(n - 2)) as unknown as Vec3)
      )
      // Noise of 100 HU a voxel over 1e-4 mm of rounding.
      expect(largestDifference(volume, theirs, points)).toBeLessThan(0.5)
    }
  )
})
