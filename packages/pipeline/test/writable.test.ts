import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StorageError } from '@raypose/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ensureWritableFolder, ensureWritableFolderOf } from '../src/files/writable.js'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'raypose-writable-'))
  await writeFile(join(root, 'file'), 'kept')
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('a folder for results', () => {
  it('is made, and nothing is left in it', async () => {
    await ensureWritableFolder(join(root, 'a', 'b'))
    expect(await readdir(join(root, 'a', 'b'))).toEqual([])
    await ensureWritableFolderOf(join(root, 'c', 'xray.png'))
    expect(await readdir(join(root, 'c'))).toEqual([])
  })

  it('may hold something already', async () => {
    await ensureWritableFolder(root)
    expect(await readdir(root)).toContain('file')
  })

  it('cannot be a file, nor in one', async () => {
    for (const [folder, message] of [
      [join(root, 'file'), /is a file, not a folder/],
      [join(root, 'file', 'below'), /cannot be written/]
    ] as const) {
      const error = await ensureWritableFolder(folder).then(
        () => null,
        e => e
      )
      expect(error).toBeInstanceOf(StorageError)
      expect(error.message).toMatch(message)
    }
  })

  it.skipIf(process.getuid?.() === 0)('cannot be one of the system', async () => {
    await expect(ensureWritableFolder('/raypose-results')).rejects.toBeInstanceOf(StorageError)
  })
})
