import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
// @ts-expect-error dcmjs has no types
import dcmjs from 'dcmjs'
import { cross, dot, norm, sub, type Vec3 } from '../src/geometry/linear.js'
import type { Volume } from '../src/volume/volume.js'

const FOLDER = resolve(import.meta.dirname, '../../../../shared/ct/TCGA-09-2043')

/** Whether the real CT that some tests use is there. */
export const hasRealCt = existsSync(FOLDER)

/** The real CT, read by the least that will do: uncompressed, 16 bits, one regular stack. */
export function readRealCt(): Volume<Int16Array> {
  const slices = readdirSync(FOLDER)
    .filter(name => name.endsWith('.dcm'))
    .map(name => {
      const bytes = readFileSync(resolve(FOLDER, name))
      const file = dcmjs.data.DicomMessage.readFile(
        bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)
      )
      return dcmjs.data.DicomMetaDictionary.naturalizeDataset(file.dict)
    })
  const row = slices[0].ImageOrientationPatient.slice(0, 3).map(Number) as unknown as Vec3
  const column = slices[0].ImageOrientationPatient.slice(3).map(Number) as unknown as Vec3
  const normal = cross(row, column)
  const position = (s: { ImagePositionPatient: number[] }) =>
    s.ImagePositionPatient.map(Number) as unknown as Vec3
  slices.sort((a, b) => dot(position(a), normal) - dot(position(b), normal))
  const { Columns, Rows, PixelSpacing } = slices[0]
  const origin = position(slices[0])
  const data = new Int16Array(Columns * Rows * slices.length)
  slices.forEach((s, k) => {
    const raw = new Int16Array(s.PixelData[0] ?? s.PixelData)
    const slope = Number(s.RescaleSlope)
    const intercept = Number(s.RescaleIntercept)
    for (let n = 0; n < raw.length; n++) data[k * Columns * Rows + n] = raw[n] * slope + intercept
  })
  const last = position(slices[slices.length - 1])
  return {
    size: [Columns, Rows, slices.length],
    spacing: [
      Number(PixelSpacing[1]),
      Number(PixelSpacing[0]),
      norm(sub(last, origin)) / (slices.length - 1)
    ],
    origin,
    direction: [row[0], column[0], normal[0], row[1], column[1], normal[1], row[2], column[2], normal[2]],
    data
  }
}
