import { writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { deflateSync, gzipSync } from 'node:zlib'
import { IDENTITY3 } from '@raypose/core'
import { writeDicomCtSlices } from '@raypose/formats'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCt } from '../src/files/read-ct.js'

const data = Int16Array.from({ length: 1000 }, (_, i) => (i % 7) * 100 - 300)
const body = new Uint8Array(data.buffer)
const text = (...lines: string[]) => new TextEncoder().encode(`${lines.join('\n')}\n`)
const mhd = (file: string, ...more: string[]) =>
  text(
    'ObjectType = Image',
    'NDims = 3',
    'BinaryData = True',
    'BinaryDataByteOrderMSB = False',
    'TransformMatrix = 1 0 0 0 1 0 0 0 1',
    'ElementSpacing = 0.8 0.7 2',
    'DimSize = 10 10 10',
    'ElementType = MET_SHORT',
    ...more,
    `ElementDataFile = ${file}`
  )
const nhdr = (file: string, encoding = 'raw', ...more: string[]) =>
  text(
    'NRRD0004',
    'type: short',
    'dimension: 3',
    'sizes: 10 10 10',
    `encoding: ${encoding}`,
    'endian: little',
    'space: left-posterior-superior',
    'space directions: (0.8,0,0) (0,0.7,0) (0,0,2)',
    ...more,
    `data file: ${file}`
  )

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'raypose-folders-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

async function folder(files: Record<string, Uint8Array>): Promise<string> {
  const made = await mkdtemp(join(root, 'ct-'))
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(made, name)), { recursive: true })
    await writeFile(join(made, name), bytes)
  }
  return made
}

const skipped = Uint8Array.from([1, 2, 3, 4, 5, ...body])
const PAIRS: [string, Record<string, Uint8Array>][] = [
  ['a.mhd', { 'a.mhd': mhd('a.raw'), 'a.raw': body }],
  ['a.mhd', { 'a.mhd': mhd('./my ct.raw'), 'my ct.raw': body }],
  ['a.mhd', { 'a.mhd': mhd('a.zraw', 'CompressedData = True'), 'a.zraw': deflateSync(body) }],
  ['a.mhd', { 'a.mhd': mhd('a.raw', 'HeaderSize = 5'), 'a.raw': skipped }],
  ['a.mhd', { 'a.mhd': mhd('a.raw', 'HeaderSize = -1'), 'a.raw': skipped }],
  ['a.nhdr', { 'a.nhdr': nhdr('a.raw'), 'a.raw': body }],
  ['a.nhdr', { 'a.nhdr': nhdr('a.raw.gz', 'gzip'), 'a.raw.gz': gzipSync(body) }],
  ['a.nhdr', { 'a.nhdr': nhdr('a.raw', 'raw', 'byte skip: -1'), 'a.raw': skipped }]
]

describe('a header whose voxels are in a file beside it', () => {
  it.each(PAIRS)('%s is read with it: case %#', async (header, files) => {
    const ct = await readCt(join(await folder(files), header))
    expect(ct.volume.spacing.map(s => Math.round(s * 100) / 100)).toEqual([0.8, 0.7, 2])
    expect(ct.volume.data).toEqual(data)
  })

  it.each([
    ['a.mhd', mhd],
    ['a.nhdr', nhdr]
  ])('%s names the file that is missing', async (name, header) => {
    const path = join(await folder({ [name]: header('lost.raw') }), name)
    await expect(readCt(path)).rejects.toMatchObject({
      code: 'file-not-found',
      message: expect.stringMatching(/keeps its voxels in lost\.raw/),
      hint: expect.stringMatching(/Put lost\.raw into the same folder/)
    })
  })

  it.each([
    '../secret.raw',
    '/etc/hostname',
    'sub/a.raw',
    'sub\\a.raw',
    'C:a.raw',
    'http://example.org/a.raw',
    '..'
  ])('is not opened anywhere else: %s', async file => {
    const made = await folder({
      'ct/a.mhd': mhd(file),
      'ct/a.nhdr': nhdr(file),
      'ct/sub/a.raw': body,
      'secret.raw': body
    })
    for (const name of ['a.mhd', 'a.nhdr'])
      await expect(readCt(join(made, 'ct', name))).rejects.toMatchObject({
        code: 'file-format',
        message: expect.stringMatching(/only a file in the same folder/)
      })
  })

  it('is refused where it lists several files', async () => {
    for (const file of ['LIST', 'ct%03d.raw 1 10 1'])
      for (const [name, header] of [
        ['a.mhd', mhd],
        ['a.nhdr', nhdr]
      ] as const)
        await expect(readCt(join(await folder({ [name]: header(file) }), name))).rejects.toMatchObject({
          code: 'file-format',
          message: expect.stringMatching(/several files/)
        })
  })
})

describe('a folder without DICOM', () => {
  it.each(PAIRS)('stands for the one volume file in it, %s: case %#', async (header, files) => {
    const made = await folder({ ...files, 'readme.txt': text('about') })
    const ct = await readCt(made)
    expect(ct.path).toBe(join(made, header))
    expect(ct.volume.data).toEqual(data)
    expect(ct.notes.join()).toMatch(/holds no DICOM image; its one volume file was taken/)
  })

  it('with several is refused, and lists them; with none as well', async () => {
    const two = await folder({ 'a.mhd': mhd('a.raw'), 'b.nhdr': nhdr('a.raw'), 'a.raw': body })
    await expect(readCt(two)).rejects.toMatchObject({
      code: 'file-not-found',
      message: expect.stringMatching(/2 volume files: a\.mhd, b\.nhdr/)
    })
    await expect(readCt(await folder({ 'a.raw': body }))).rejects.toMatchObject({
      code: 'file-not-found',
      message: expect.stringMatching(/holds no DICOM image \(1 file of another kind\)/)
    })
  })

  it('is not one where DICOM lies beside a volume file', async () => {
    const volume = {
      size: [10, 10, 10],
      spacing: [1, 1, 1],
      origin: [0, 0, 0],
      direction: IDENTITY3,
      data
    } as const
    const slices = Object.fromEntries(writeDicomCtSlices(volume).map(s => [s.name, s.bytes]))
    const ct = await readCt(await folder({ ...slices, 'a.mhd': mhd('a.raw'), 'a.raw': body }))
    expect(ct.format).toBe('dicom')
  })
})

describe('a folder of several series', () => {
  const slices = (scale: number, uid: string) =>
    Object.fromEntries(
      writeDicomCtSlices(
        {
          size: [10, 10, 10],
          spacing: [1, 1, 1],
          origin: [0, 0, 0],
          direction: IDENTITY3,
          data: data.map(x => scale * x)
        },
        { seriesUid: uid }
      ).map(s => [`${uid}/${s.name}`, s.bytes])
    )

  const both = { ...slices(1, '1.2.3'), ...slices(2, '1.2.4') }

  it('is the same where not all of it is kept in memory', async () => {
    const path = await folder(both)
    const [all, some, none] = await Promise.all(
      [undefined, 5000, 0].map(keepBytes => readCt(path, { series: '1.2.4', keepBytes }))
    )
    expect(all.volume.data[0]).toBe(2 * data[0])
    expect(some).toEqual(all)
    expect(none).toEqual(all)
    await expect(readCt(path, { keepBytes: 0 })).rejects.toThrow(/There are 2 CT series/)
  })

  it('is read again where it was not kept, and only there', async () => {
    const other = slices(3, '1.2.4')
    for (const [keepBytes, factor] of [
      [undefined, 2],
      [0, 3]
    ] as const) {
      const path = await folder(both)
      const { volume } = await readCt(path, {
        series: '1.2.4',
        keepBytes,
        // All files were seen by then.
        onProgress: ({ fraction }) => {
          if (fraction === 0.5)
            for (const [name, bytes] of Object.entries(other)) writeFileSync(join(path, name), bytes)
        }
      })
      // The first file of a series may be kept, since one series is needed whole.
      expect(volume.data[999]).toBe(factor * data[999])
    }
  })

  it('may lie beside files too large to read, DICOM or not', async () => {
    const [cine] = Object.values(slices(1, '1.2.5'))
    const path = await folder({ ...both, 'film.mp4': new Uint8Array(8192), 'cine.dcm': cine })
    // Sparse: of a length that no read takes, and on no disk.
    for (const name of ['film.mp4', 'cine.dcm']) await truncate(join(path, name), 2 ** 31 + 4096)
    const { volume } = await readCt(path, { series: '1.2.4' })
    expect(volume.data[0]).toBe(2 * data[0])
  })
})
