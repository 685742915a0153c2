import { RayposeError } from '@raypose/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  groupSeries,
  readUncalibratedXray,
  readVolumeBytes,
  volumeFromSeries,
  writeDicomCtSlices,
  writeDicomXray,
  writeMha,
  writeNifti,
  writeNrrd,
  writePng16
} from '../src/index.js'
import { asymmetricVolume, convert, hasCommand } from './fixtures.js'

const volume = asymmetricVolume()
const [slice] = writeDicomCtSlices(volume)
const image = { width: 9, height: 8, data: Float32Array.from({ length: 72 }, (_, i) => Math.cos(i)) }
const detector = { sdd: 1000, pixel: [1, 1], size: [9, 8], principalPoint: [4, 3.5] } as const
const dcmtk = (options: string[]) =>
  convert(slice.bytes, 'dcmconv', (input, output) => [...options, input, output])

const asVolume = (bytes: Uint8Array) => readVolumeBytes('file', bytes)
const asSlice = (bytes: Uint8Array) => volumeFromSeries([{ name: 'file', bytes }], { minSlices: 2 })
const asXray = (bytes: Uint8Array) => readUncalibratedXray('file', bytes)

const FILES: Record<string, [Uint8Array, (bytes: Uint8Array) => Promise<unknown>]> = {
  nifti: [writeNifti(volume), asVolume],
  'nifti.gz': [writeNifti(volume, { gzip: true }), asVolume],
  nrrd: [writeNrrd(volume, { gzip: false }), asVolume],
  'nrrd.gz': [writeNrrd(volume), asVolume],
  mha: [writeMha(volume), asVolume],
  'mha.z': [writeMha(volume, { compress: true }), asVolume],
  'CT slice': [slice.bytes, asSlice],
  'DICOM X-ray': [writeDicomXray(image, { detector }), asXray],
  png: [writePng16(image, { min: -1, max: 1 }), asXray],
  ...(hasCommand('dcmconv')
    ? {
        'implicit CT slice': [dcmtk(['+ti']), asSlice],
        'big-endian CT slice': [dcmtk(['+tb']), asSlice],
        'deflated CT slice': [dcmtk(['+td']), asSlice]
      }
    : {})
}

/** What a reader makes of bytes; anything but a value or a typed error fails the test. */
async function outcome(
  read: (bytes: Uint8Array) => Promise<unknown>,
  bytes: Uint8Array
): Promise<'read' | 'refused'> {
  try {
    await read(bytes)
    return 'read'
  } catch (error) {
    if (!(error instanceof RayposeError)) throw error
    expect(error.hint).not.toBe('')
    return 'refused'
  }
}

describe.each(Object.keys(FILES))('%s', kind => {
  const [bytes, read] = FILES[kind]

  it('cut anywhere: always a typed error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: bytes.length - 1 }), async length => {
        expect(await outcome(read, bytes.slice(0, length))).toBe('refused')
      }),
      { numRuns: 150 }
    )
  })
  it('bytes changed anywhere: a value or a typed error, never another', async () => {
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 }))
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async changes => {
        const copy = bytes.slice()
        for (const [at, value] of changes) copy[at] = value
        await outcome(read, copy)
      }),
      { numRuns: 300 }
    )
  })
})

it('random bytes are never DICOM, and sorting a folder of them does not fail', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), bytes => {
      const dicom = new Uint8Array(bytes.length + 132)
      dicom.set([0x44, 0x49, 0x43, 0x4d], 128)
      dicom.set(bytes, 132)
      const listing = groupSeries([
        { name: 'a', bytes },
        { name: 'b', bytes: dicom }
      ])
      expect(listing.series).toEqual([])
    })
  )
})
