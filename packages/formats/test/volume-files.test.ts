import { FileFormatError, VolumeError } from '@raypose/core'
import { gzipSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import {
  readMha,
  readNifti,
  readNrrd,
  readNrrdImage,
  writeMha,
  writeNifti,
  writeNrrdImage
} from '../src/index.js'
import { asymmetricVolume, expectError } from './fixtures.js'

const volume = asymmetricVolume()
const text = (s: string) => new TextEncoder().encode(s)
const join = (...parts: (string | Uint8Array | ArrayBuffer)[]) => {
  const bytes = parts.map(p =>
    typeof p === 'string' ? text(p) : p instanceof ArrayBuffer ? new Uint8Array(p) : p
  )
  return Uint8Array.from(bytes.flatMap(b => [...b]))
}

/** A NIfTI header field changed. */
function nifti(change: (view: DataView) => void): Uint8Array {
  const bytes = writeNifti(volume).slice()
  change(new DataView(bytes.buffer))
  return bytes
}

/** Stores numbers in a data type, byte order and scaling of NIfTI. */
function niftiOf(
  code: number,
  size: number,
  little: boolean,
  put: (v: DataView, at: number, x: number) => void
) {
  const header = writeNifti(volume).slice(0, 352)
  const v = new DataView(header.buffer)
  const bytes = new Uint8Array(352 + volume.data.length * size)
  v.setInt16(70, code, true)
  if (!little) {
    // Every field of the header turned round, by its width.
    const widths: [number, number, number][] = [
      [0, 4, 1],
      [40, 2, 8],
      [68, 2, 3],
      [76, 4, 8],
      [108, 4, 3],
      [252, 2, 2],
      [256, 4, 18]
    ]
    for (const [at, width, count] of widths)
      for (let n = 0; n < count; n++) header.subarray(at + n * width, at + (n + 1) * width).reverse()
  }
  bytes.set(header)
  const out = new DataView(bytes.buffer)
  volume.data.forEach((x, i) => {
    put(out, 352 + i * size, x)
  })
  return bytes
}

describe('NIfTI-1', () => {
  const types: [string, number, number, (v: DataView, at: number, x: number, little: boolean) => void][] = [
    ['int16', 4, 2, (v, at, x, l) => v.setInt16(at, x, l)],
    ['int32', 8, 4, (v, at, x, l) => v.setInt32(at, x, l)],
    ['float32', 16, 4, (v, at, x, l) => v.setFloat32(at, x, l)],
    ['float64', 64, 8, (v, at, x, l) => v.setFloat64(at, x, l)],
    ['int64', 1024, 8, (v, at, x, l) => v.setBigInt64(at, BigInt(x), l)]
  ]
  it.each(types)('%s, both byte orders, becomes the same Int16 HU', (_, code, size, put) => {
    for (const little of [true, false]) {
      const read = readNifti(niftiOf(code, size, little, (v, at, x) => put(v, at, x, little)))
      expect(read.volume.data).toEqual(volume.data)
    }
  })
  it.each([
    ['int8', 256, 1, (x: number) => (x << 24) >> 24],
    ['uint8', 2, 1, (x: number) => x & 255],
    ['uint16', 512, 2, (x: number) => (x + 1024) & 0xffff]
  ] as const)('%s', (_, code, size, wrap) => {
    const put = (v: DataView, at: number, x: number) =>
      size === 1 ? v.setUint8(at, wrap(x) & 255) : v.setUint16(at, wrap(x), true)
    const read = readNifti(niftiOf(code, size, true, put))
    expect([...read.volume.data]).toEqual(Array.from(volume.data, wrap))
  })
  it('slope and intercept; fractions are kept', () => {
    const whole = nifti(v => {
      v.setFloat32(112, 2, true)
      v.setFloat32(116, -7, true)
    })
    expect([...readNifti(whole).volume.data]).toEqual(Array.from(volume.data, x => 2 * x - 7))
    const half = readNifti(nifti(v => v.setFloat32(112, 0.5, true))).volume
    expect(half.data).toBeInstanceOf(Float32Array)
    expect([...half.data]).toEqual(Array.from(volume.data, x => x / 2))
    expect(readNifti(nifti(v => v.setFloat32(112, 0, true))).volume.data).toEqual(volume.data)
  })
  it('the qform where there is no sform; a note where they differ', () => {
    const oblique = asymmetricVolume([0.6, 0.8, 0, -0.8, 0.6, 0, 0, 0, -1])
    const bytes = writeNifti(oblique)
    new DataView(bytes.buffer).setInt16(254, 0, true)
    const read = readNifti(bytes)
    read.volume.direction.forEach((x, i) => {
      expect(x).toBeCloseTo(oblique.direction[i], 6)
    })
    expect(read.notes).toEqual([])
    expect(readNifti(writeNifti(oblique)).notes).toEqual([])
    const differ = readNifti(nifti(v => v.setFloat32(268, 0, true)))
    expect(differ.volume.origin[0]).toBeCloseTo(volume.origin[0], 4)
    expect(differ.notes.join()).toMatch(/31\.3 mm apart; the sform/)
  })
  it('metres and micrometres', () => {
    expect(readNifti(nifti(v => v.setUint8(123, 1))).volume.spacing[0]).toBeCloseTo(700, 3)
    expect(readNifti(nifti(v => v.setUint8(123, 3))).volume.spacing[0]).toBeCloseTo(0.0007, 9)
  })
  it('refuses what it must not guess', async () => {
    const noForm = nifti(v => {
      v.setInt16(252, 0, true)
      v.setInt16(254, 0, true)
    })
    await expectError(
      () => readNifti(noForm, 'a.nii'),
      VolumeError,
      /a\.nii has neither.*left and right/,
      /writes the orientation/
    )
    const sformAlone = (at: number, x: number) =>
      nifti(v => {
        v.setInt16(252, 0, true)
        v.setFloat32(at, x, true)
      })
    await expectError(() => readNifti(sformAlone(284, 0.2)), VolumeError, /from orthogonal/, /Resample/)
    await expectError(() => readNifti(sformAlone(288, Number.NaN)), VolumeError, /./, /write the file again/)
    await expectError(
      () => readNifti(nifti(v => v.setUint8(344, 0x78))),
      FileFormatError,
      /magic/,
      /single-file NIfTI-1/
    )
    await expectError(
      () => readNifti(nifti(v => v.setUint8(345, 0x69))),
      FileFormatError,
      /two-file/,
      /single-file NIfTI-1/
    )
    await expectError(
      () => readNifti(nifti(v => v.setInt32(0, 540, true))),
      FileFormatError,
      /NIfTI-2/,
      /single-file NIfTI-1/
    )
    await expectError(
      () => readNifti(nifti(v => v.setInt16(70, 128, true))),
      FileFormatError,
      /data type 128/,
      /one scalar per voxel/
    )
    const series = nifti(v => {
      v.setInt16(40, 4, true)
      v.setInt16(48, 3, true)
    })
    await expectError(
      () => readNifti(series),
      FileFormatError,
      /4 dimensions \(7 × 5 × 9 × 3\)/,
      /Extract one volume/
    )
    await expectError(
      () => readNifti(nifti(v => v.setInt16(42, -7, true))),
      FileFormatError,
      /-7 × 5 × 9/,
      /export the file again/
    )
  })
  it('notices a damaged byte in a .nii.gz', async () => {
    // Stored without compression, so that only the check sum can tell.
    const bytes = gzipSync(writeNifti(volume), { level: 0 })
    bytes[600] ^= 1
    await expectError(() => readNifti(bytes), FileFormatError, /check sum/, /export it again/)
  })
})

describe('NRRD', () => {
  const head = (...lines: string[]) => `${['NRRD0004', '# made by hand', ...lines].join('\n')}\n\n`
  const lps = [
    'space: left-posterior-superior',
    'space directions: (2,0,0) (0,3,0) (0,0,4)',
    'space origin: (10,20,30)'
  ]
  const body = Int16Array.from([1, 2, 3, 4, 5, 6, 7, 8])
  const plain = ['type: short', 'dimension: 3', 'sizes: 2 2 2', 'endian: little', 'encoding: raw']

  it('spaces', () => {
    for (const [space, sx, sy] of [
      ['left-posterior-superior', 1, 1],
      ['LPS', 1, 1],
      ['right-anterior-superior', -1, -1],
      ['RAS', -1, -1],
      ['left-anterior-superior', 1, -1]
    ] as const) {
      const { volume: v } = readNrrd(join(head(...plain, `space: ${space}`, ...lps.slice(1)), body.buffer))
      expect(v.origin).toEqual([sx * 10, sy * 20, 30])
      expect([v.direction[0], v.direction[4], v.direction[8]]).toEqual([sx, sy, 1])
      expect(v.spacing).toEqual([2, 3, 4])
      expect(v.data).toEqual(body)
    }
  })
  it('text, big-endian and the names of types', () => {
    const ascii = head('type: signed short', 'dimension: 3', 'sizes: 2 2 2', 'encoding: ascii', ...lps)
    expect(readNrrd(join(ascii, '1 2 3 4\n5 6 7 8\n')).volume.data).toEqual(body)
    const big = body.slice()
    new Uint8Array(big.buffer).forEach((_, i, b) => {
      if (i % 2 === 0) b.subarray(i, i + 2).reverse()
    })
    const header = head(...plain.map(l => l.replace('little', 'big').replace('short', 'int16')), ...lps)
    expect(readNrrd(join(header, big.buffer)).volume.data).toEqual(body)
  })
  it('says when a file is silent on left and right', () => {
    const read = readNrrd(join(head(...plain, 'spacings: 2 3 4'), body.buffer))
    expect(read.volume.spacing).toEqual([2, 3, 4])
    expect(read.notes.join()).toMatch(/orientation/)
  })
  it('refuses what it does not know', async () => {
    const with_ = (...lines: string[]) => join(head(...plain, ...lines), body.buffer)
    const replaced = (from: string, to: string) =>
      join(head(...[...plain, ...lps].map(l => l.replace(from, to))), body.buffer)
    await expectError(
      () => readNrrd(with_('data file: x.raw'), 'a.nhdr'),
      FileFormatError,
      /a\.nhdr.*another file \(x\.raw\)/,
      /\.nrrd, not \.nhdr/
    )
    await expectError(() => readNrrd(replaced('raw', 'bzip2')), FileFormatError, /bzip2/, /raw or gzip/)
    await expectError(
      () => readNrrd(replaced('left-posterior-superior', 'scanner-xyz')),
      FileFormatError,
      /scanner-xyz/,
      /left-posterior-superior/
    )
    await expectError(
      () => readNrrd(replaced('type: short', 'type: block')),
      FileFormatError,
      /block/,
      /one number per voxel/
    )
    await expectError(
      () => readNrrd(replaced('endian: little', 'content: x')),
      FileFormatError,
      /byte order/,
      /endian/
    )
    await expectError(
      () => readNrrd(with_('byte skip: 4')),
      FileFormatError,
      /byte skip/,
      /without skipped bytes/
    )
    await expectError(
      () => readNrrd(replaced('sizes: 2 2 2', 'sizes: 2 2 3')),
      FileFormatError,
      /16 bytes.*24/,
      /export it again/
    )
    await expectError(() => readNrrd(replaced('(0,3,0)', '(1,3,0)')), VolumeError, /orthogonal/, /Resample/)
    await expectError(
      () => readNrrd(replaced('(0,3,0)', 'none')),
      FileFormatError,
      /three dimensions/,
      /export the file again/
    )
    await expectError(
      () => readNrrd(with_('space: LPS').slice(0, 40)),
      FileFormatError,
      /empty line/,
      /header and data in one \.nrrd/
    )
  })
  it('images', () => {
    const image = { width: 3, height: 2, data: Float32Array.from([0, 0.5, 1, 1e-3, 7, -2]) }
    const read = readNrrdImage(writeNrrdImage(image, [0.4, 0.6]))
    expect(read.image).toEqual(image)
    expect(read.pixel).toEqual([0.4, 0.6])
  })
})

describe('MetaImage', () => {
  const mha = new TextDecoder('latin1').decode(writeMha(volume))
  const changed = (from: string | RegExp, to: string) =>
    Uint8Array.from(mha.replace(from, to), c => c.charCodeAt(0))

  it('rows of TransformMatrix are the axes', () => {
    // i runs to the head, j to the left, k to the back: as ITK would write a coronal stack.
    const read = readMha(
      changed('TransformMatrix = 1 0 0 0 1 0 0 0 1', 'TransformMatrix = 0 0 1 1 0 0 0 1 0')
    )
    expect(read.volume.direction).toEqual([0, 1, 0, 0, 0, 1, 1, 0, 0])
  })
  it('an .mhd is refused, unless its data is given', async () => {
    const mhd = changed(/ElementDataFile = LOCAL\n[\s\S]*/, 'ElementDataFile = ct.raw\n')
    await expectError(
      () => readMha(mhd, 'ct.mhd'),
      FileFormatError,
      /ct\.mhd keeps its voxels in another file \(ct\.raw\)/,
      /\.mha/
    )
    expect(readMha(mhd, 'ct.mhd', new Uint8Array(volume.data.buffer)).volume.data).toEqual(volume.data)
  })
  it('refuses what it does not know', async () => {
    await expectError(
      () => readMha(changed('MET_SHORT', 'MET_STRING')),
      FileFormatError,
      /MET_STRING/,
      /MET_SHORT/
    )
    await expectError(
      () => readMha(changed('NDims = 3', 'NDims = 4')),
      FileFormatError,
      /4 dimensions/,
      /Extract one volume/
    )
    await expectError(
      () => readMha(changed('DimSize = 7', 'DimSize = 70')),
      FileFormatError,
      /630 bytes.*6300/,
      /export it again/
    )
    await expectError(
      () => readMha(changed('= 1 0 0 0 1 0', '= 1 0 0 0.3 1 0')),
      VolumeError,
      /orthogonal/,
      /Resample/
    )
    await expectError(
      () => readMha(changed('ElementSpacing = 0.7', 'ElementSpacing = 0')),
      VolumeError,
      /spacing/,
      /ElementSpacing/
    )
    await expectError(
      () => readMha(changed('Offset = -31.25', 'Offset = left')),
      FileFormatError,
      /Offset/,
      /export the file again/
    )
    await expectError(
      () => readMha(changed(/ElementDataFile[\s\S]*/, '')),
      FileFormatError,
      /ElementDataFile/,
      /export it again/
    )
  })
  it('notices a damaged byte in compressed data', async () => {
    const bytes = writeMha(volume, { compress: true })
    bytes[bytes.length - 2] ^= 1
    await expectError(() => readMha(bytes), FileFormatError, /check sum/, /export it again/)
  })
})
