import { describe, expect, test } from 'vitest'
import {
  checkSpec,
  compactSpec,
  cpmSpec,
  loadWeights,
  parameterLayout,
  randomParameters,
  saveWeights
} from '../src/index.js'
import { crc32, readBinary, writeBinary } from '../src/weights/binary.js'
import { fromFloat16, toFloat16 } from '../src/weights/float16.js'

const modelError = expect.objectContaining({ code: 'model' })
const spec = compactSpec(3, { imageWidth: 32, imageHeight: 30, channels: [4, 4, 8, 8], decoder: [8, 4] })
const network = {
  spec,
  parameters: randomParameters(spec, 3),
  landmarkNames: ['a', 'b', 'c'],
  pixelMm: [1.6, 1.6] as const,
  provenance: { steps: 12 }
}

test('CRC-32 of the check string', () => {
  expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926)
})

describe('half precision', () => {
  test.each([
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65520, 0x7c00],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [1 / 3, 0x3555],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [2047 / 2048, 0x3bff]
  ])('%d', (value, bits) => {
    expect(toFloat16(Float32Array.of(value))[0]).toBe(bits)
  })

  test('every finite half survives the way there and back', () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i).filter(b => (b & 0x7c00) !== 0x7c00)
    expect(toFloat16(fromFloat16(all))).toEqual(all)
  })
})

describe('weights file', () => {
  test('keeps spec, names and provenance, and parameters to half precision, in two bytes each', () => {
    const bytes = saveWeights(network)
    const read = loadWeights(bytes)
    expect(read).toMatchObject({
      spec,
      landmarkNames: ['a', 'b', 'c'],
      pixelMm: [1.6, 1.6],
      provenance: { steps: 12 }
    })
    read.parameters.forEach((p, i) => {
      expect(Math.abs(p - network.parameters[i])).toBeLessThanOrEqual(
        Math.max(2 ** -25, Math.abs(network.parameters[i]) * 2 ** -11)
      )
    })
    expect(bytes.length).toBeLessThan(2 * network.parameters.length + 1000)
  })

  test('truncated, altered and foreign bytes are refused', () => {
    const bytes = saveWeights(network)
    const altered = bytes.slice()
    altered[bytes.length - 100] ^= 4
    const header = bytes.slice()
    header[8] ^= 4
    for (const bad of [
      bytes.subarray(0, bytes.length - 7),
      bytes.subarray(0, 12),
      altered,
      header,
      new Uint8Array(0)
    ])
      expect(() => loadWeights(bad)).toThrowError(modelError)
  })

  test('another version is refused', () => {
    const { header, payload } = readBinary('RPWEIGHT', saveWeights(network), 'weights file')
    const other = writeBinary('RPWEIGHT', { header: { ...header, version: 2 }, payload })
    expect(() => loadWeights(other)).toThrowError(modelError)
  })

  test('parameters that diverged or do not fit are not written', () => {
    const parameters = network.parameters.slice()
    parameters[5] = Number.NaN
    expect(() => saveWeights({ ...network, parameters })).toThrowError(modelError)
    expect(() => saveWeights({ ...network, parameters: parameters.slice(1) })).toThrowError(modelError)
  })
})

describe('specs', () => {
  test('survive JSON', () => {
    const finer = compactSpec(23, { decoder: [96, 64, 32], dilations: [1, 4] })
    for (const s of [compactSpec(), finer, cpmSpec()])
      expect(checkSpec(JSON.parse(JSON.stringify(s)))).toEqual(s)
  })

  test('the default network has the size it is documented with', () => {
    expect(parameterLayout(compactSpec()).total).toBeGreaterThan(900_000)
    expect(parameterLayout(compactSpec()).total).toBeLessThan(1_000_000)
  })

  test.each([
    [null],
    [{ kind: 'other', version: 1 }],
    [{ ...compactSpec(), version: 2 }],
    [{ ...compactSpec(), landmarks: 0 }],
    [{ ...compactSpec(), inputHeight: 190 }],
    [{ ...compactSpec(), imageWidth: 300 }],
    [{ ...compactSpec(), channels: undefined }],
    [{ ...compactSpec(), normalisation: 'batch' }],
    [{ ...compactSpec(), decoder: [96, 64, 32, 16] }],
    [{ ...compactSpec(), dilations: [1, 0] }],
    [{ ...compactSpec(), dilations: 2 }],
    [{ ...cpmSpec(), width: 0 }]
  ])('%j is refused', value => {
    expect(() => checkSpec(value)).toThrowError(modelError)
  })
})
