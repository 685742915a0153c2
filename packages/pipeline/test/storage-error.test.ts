import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StorageError, VolumeError } from '@raypose/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeFileAtomic } from '../src/files/atomic.js'
import { storageError } from '../src/files/storage-error.js'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'raypose-storage-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('a file that cannot be written', () => {
  // Linux's device that is always full gives the error of a full disk.
  it.skipIf(!existsSync('/dev/full'))('because the disk is full is a StorageError that says so', async () => {
    const error = await writeFile('/dev/full', 'x'.repeat(10_000)).then(
      () => null,
      e => storageError('patient/ct.nrrd', e)
    )
    expect(error).toBeInstanceOf(StorageError)
    expect(error!.message).toBe('patient/ct.nrrd cannot be written: the disk is full')
    expect(error!.hint).toMatch(/what was finished is kept/)
  })

  it('because something is in the way is one too, and leaves nothing behind', async () => {
    await writeFile(join(root, 'file'), '')
    await expect(writeFileAtomic(join(root, 'file', 'below.json'), 'x')).rejects.toBeInstanceOf(StorageError)
    expect(await readdir(root)).toEqual(['file'])
  })

  it('leaves a typed error as it is', () => {
    const error = new VolumeError('a', 'b')
    expect(storageError('x', error)).toBe(error)
  })
})
