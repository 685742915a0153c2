import { createRandom, FileFormatError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { decodeLosslessJpeg } from '../src/dicom/jpeg/lossless.js'
import { readJpegMarkers } from '../src/dicom/jpeg/markers.js'
import { decodeFrame, readDicomFile, volumeFromSeries, writeDicomCtSlices } from '../src/index.js'
import { edited } from './dicom-edit.js'
import { asymmetricVolume, convert, hasCommand, thrown } from './fixtures.js'

type Encoder = [what: string, syntax: string, command: string, ...options: string[]]

/** Every encoder that leaves the pixels as they are. */
const LOSSLESS: Encoder[] = [
  ['implicit', '1.2.840.10008.1.2', 'dcmconv', '+ti'],
  ['big-endian', '1.2.840.10008.1.2.2', 'dcmconv', '+tb'],
  ['deflated', '1.2.840.10008.1.2.1.99', 'dcmconv', '+td'],
  ['sequences of known length', '1.2.840.10008.1.2.1', 'dcmconv', '+te', '+e'],
  ['RLE (dcmtk)', '1.2.840.10008.1.2.5', 'dcmcrle'],
  ['RLE (gdcm)', '1.2.840.10008.1.2.5', 'gdcmconv', '--rle'],
  ['JPEG lossless, first order (dcmtk)', '1.2.840.10008.1.2.4.70', 'dcmcjpeg'],
  ['JPEG lossless, first order (gdcm)', '1.2.840.10008.1.2.4.70', 'gdcmconv', '--jpeg'],
  ...[1, 2, 3, 4, 5, 6, 7].map(
    (n): Encoder => [
      `JPEG lossless, predictor ${n}`,
      '1.2.840.10008.1.2.4.57',
      'dcmcjpeg',
      '+el',
      '+sv',
      String(n)
    ]
  ),
  ['JPEG lossless in several parts', '1.2.840.10008.1.2.4.70', 'dcmcjpeg', '+fs', '1'],
  ['JPEG-LS (dcmtk)', '1.2.840.10008.1.2.4.80', 'dcmcjpls'],
  ['JPEG-LS (gdcm)', '1.2.840.10008.1.2.4.80', 'gdcmconv', '--jpegls'],
  ['JPEG 2000 (gdcm)', '1.2.840.10008.1.2.4.90', 'gdcmconv', '--j2k']
]

const encode = (bytes: Uint8Array, command: string, options: readonly string[]) =>
  convert(bytes, command, (input, output) => [...options, input, output])

/** A slice with smooth parts, edges and noise, so that long runs and large differences both occur. */
function pictureSlices(columns = 61, rows = 47) {
  const random = createRandom(11)
  const volume = asymmetricVolume(undefined, [columns, rows, 8])
  for (let i = 0; i < volume.data.length; i++) {
    const x = i % columns
    const y = Math.floor(i / columns) % rows
    volume.data[i] =
      x < 20 ? -1024 : Math.hypot(x - 40, y - 20) < 12 ? 1500 + random.integer(3) : random.integer(200) - 100
  }
  volume.data[5] = -32768
  volume.data[6] = 32767
  return { volume, slices: writeDicomCtSlices(volume) }
}

const { volume, slices } = pictureSlices()
const firstPlane = volume.data.slice(0, 61 * 47)

describe.each(LOSSLESS)('%s', (_, syntax, command, ...options) => {
  it.skipIf(!hasCommand(command))('reads to the same values', async () => {
    const coded = encode(slices[0].bytes, command, options)
    const file = readDicomFile(coded, 'coded.dcm')
    expect(file.header.transferSyntax.uid).toBe(syntax)
    expect(await decodeFrame(file)).toEqual(firstPlane)
  })
  it.skipIf(!hasCommand(command))('reads twelve bits with a sign', async () => {
    const values = Int16Array.from(firstPlane, v => Math.max(-2048, Math.min(2047, v)))
    const pixels = Uint16Array.from(values, v => v & 0xfff)
    const narrow = edited(slices[0], {
      '00280101': ['US', 12],
      '00280102': ['US', 11],
      '7FE00010': ['OW', pixels.buffer]
    })
    const file = readDicomFile(encode(narrow.bytes, command, options), 'coded.dcm')
    expect(await decodeFrame(file)).toEqual(values)
  })
  it.skipIf(!hasCommand(command))(
    'truncated anywhere in its pixels: an error that names the file',
    async () => {
      const coded = encode(slices[0].bytes, command, options)
      const random = createRandom(5)
      for (let n = 0; n < 12; n++) {
        const cut = coded.slice(0, coded.length - 12 - random.integer(Math.floor(coded.length / 2)))
        const error = await thrown(async () => decodeFrame(readDicomFile(cut, 'cut.dcm')))
        expect(error).toBeInstanceOf(FileFormatError)
        expect(error.message).toContain('cut.dcm')
      }
    }
  )
})

const LOSSY: [
  what: string,
  decoder: string,
  decoderOptions: string[],
  bits: number,
  command: string,
  ...options: string[]
][] = [
  ['JPEG baseline', 'dcmdjpeg', [], 8, 'dcmcjpeg', '+eb'],
  ['JPEG extended, 12 bits', 'dcmdjpeg', [], 12, 'dcmcjpeg', '+ee'],
  ['JPEG-LS near-lossless', 'dcmdjpls', [], 16, 'dcmcjpls', '+en', '+md', '3'],
  ['JPEG 2000', 'gdcmconv', ['--raw'], 16, 'gdcmconv', '--j2k', '--lossy', '-q', '40']
]

describe.each(LOSSY)('%s', (_, decoder, decoderOptions, bits, command, ...options) => {
  it.skipIf(!hasCommand(command) || !hasCommand(decoder))(
    `reads as ${decoder} does, to one grey value`,
    async () => {
      // Unsigned: what X-rays are, and what every encoder takes.
      const white = 2 ** bits - 1
      const pixels = Uint16Array.from(firstPlane, v =>
        Math.round((white * Math.max(0, Math.min(3000, v + 1024))) / 3000)
      )
      const plain = edited(slices[0], {
        '00280100': ['US', bits > 8 ? 16 : 8],
        '00280101': ['US', bits],
        '00280102': ['US', bits - 1],
        '00280103': ['US', 0],
        '7FE00010': bits > 8 ? ['OW', pixels.buffer] : ['OB', evenBytes(Uint8Array.from(pixels))]
      })
      const coded = encode(plain.bytes, command, options)
      const ours = await decodeFrame(readDicomFile(coded, 'coded.dcm'))
      const theirs = await decodeFrame(readDicomFile(encode(coded, decoder, decoderOptions), 'raw.dcm'))
      expect(ours.length).toBe(theirs.length)
      let worst = 0
      for (let i = 0; i < ours.length; i++) worst = Math.max(worst, Math.abs(ours[i] - theirs[i]))
      expect(worst).toBeLessThanOrEqual(1)
      // And it is the picture that went in, not an empty one.
      let apart = 0
      for (let i = 0; i < ours.length; i++) apart += Math.abs(ours[i] / 2 ** bits - pixels[i] / 2 ** bits)
      expect(apart / ours.length).toBeLessThan(0.05)
    }
  )
})

const evenBytes = (b: Uint8Array) => {
  const out = new Uint8Array(b.length + (b.length % 2))
  out.set(b)
  return out.buffer
}

it.skipIf(!hasCommand('gdcmconv') || !hasCommand('dcmcrle'))(
  'a compressed series gives the volume',
  async () => {
    const coded = slices.map((s, k) => ({
      name: s.name,
      bytes: k % 2 ? encode(s.bytes, 'gdcmconv', ['--j2k']) : encode(s.bytes, 'dcmcrle', [])
    }))
    const read = await volumeFromSeries(coded)
    expect(read.volume.data).toEqual(volume.data.map(x => Math.max(-1024, x)))
  }
)

describe('frames in coded parts', () => {
  const plane = 61 * 47
  const frames = edited(slices[0], {
    '00280008': ['IS', '3'],
    '7FE00010': ['OW', volume.data.slice(0, 3 * plane).buffer]
  })
  it.skipIf(!hasCommand('dcmcrle'))('one part a frame', async () => {
    const file = readDicomFile(encode(frames.bytes, 'dcmcrle', []), 'coded.dcm')
    for (let n = 0; n < 3; n++)
      expect(await decodeFrame(file, n)).toEqual(volume.data.slice(n * plane, (n + 1) * plane))
  })
  it.skipIf(!hasCommand('dcmcjpeg'))('several parts a frame, by the offset table', async () => {
    const file = readDicomFile(encode(frames.bytes, 'dcmcjpeg', ['+fs', '1', '+ot']), 'coded.dcm')
    expect(file.dataset.coded('7FE00010')?.parts.length).toBeGreaterThan(3)
    for (let n = 0; n < 3; n++)
      expect(await decodeFrame(file, n)).toEqual(volume.data.slice(n * plane, (n + 1) * plane))
  })
})

it('lossless JPEG with restart markers', () => {
  // A hand-made stream: one Huffman code of five bits a category, predictor 1, a restart every row.
  const width = 7
  const height = 4
  const random = createRandom(2)
  const pixels = Array.from({ length: width * height }, () => random.integer(65536))
  const bytes = losslessJpeg(pixels, width, height)
  const scan = readJpegMarkers(bytes, 'made')
  expect(scan.restartInterval).toBe(width)
  expect([...decodeLosslessJpeg(bytes, scan, 'made')]).toEqual(pixels)
})

function losslessJpeg(pixels: readonly number[], width: number, height: number): Uint8Array {
  const counts = [0, 0, 0, 0, 17, ...Array(11).fill(0)]
  const out = [0xff, 0xd8, 0xff, 0xc3, 0, 11, 16, 0, height, 0, width, 1, 1, 0x11, 0]
  out.push(0xff, 0xc4, 0, 36, 0, ...counts, ...Array.from({ length: 17 }, (_, i) => i))
  out.push(0xff, 0xdd, 0, 4, 0, width, 0xff, 0xda, 0, 8, 1, 1, 0, 1, 0, 0)
  for (let y = 0; y < height; y++) {
    let bits = ''
    for (let x = 0; x < width; x++) {
      const before = x === 0 ? 32768 : pixels[y * width + x - 1]
      const modulo = (pixels[y * width + x] - before) & 0xffff
      const difference = modulo > 32768 ? modulo - 65536 : modulo
      const category = difference === 0 ? 0 : Math.floor(Math.log2(Math.abs(difference))) + 1
      bits += category.toString(2).padStart(5, '0')
      const coded = difference < 0 ? difference + 2 ** category - 1 : difference
      if (category > 0 && category < 16) bits += coded.toString(2).padStart(category, '0')
    }
    bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, '1')
    for (let i = 0; i < bits.length; i += 8) {
      const byte = Number.parseInt(bits.slice(i, i + 8), 2)
      out.push(byte)
      if (byte === 0xff) out.push(0)
    }
    out.push(0xff, y < height - 1 ? 0xd0 + (y % 8) : 0xd9)
  }
  return Uint8Array.from(out)
}
