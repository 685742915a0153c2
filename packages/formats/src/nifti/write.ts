import { det3, type Mat3, type Vec3, type Volume } from '@raypose/core'
import { type ElementType, littleEndianBytes } from '../bytes/elements.js'
import { gzip } from '../bytes/inflate.js'
import { stepsOf } from '../volume.js'
import { DATA_OFFSET, NIFTI_TYPES } from './header.js'

/**
 * Writes a volume as NIfTI-1 in its own element type, little-endian, with equal sform and qform (code 1, scanner).
 * @param options `gzip`: as .nii.gz
 */
export function writeNifti(volume: Volume, options: { gzip?: boolean } = {}): Uint8Array {
  const pixels = littleEndianBytes(volume.data)
  const out = new Uint8Array(DATA_OFFSET + pixels.length)
  const view = new DataView(out.buffer)
  const type = volume.data.constructor.name.replace('Array', '').toLowerCase() as ElementType
  const code = Number(Object.keys(NIFTI_TYPES).find(k => NIFTI_TYPES[Number(k)] === type))
  const f32 = (at: number, v: number) => view.setFloat32(at, v, true)
  const i16 = (at: number, v: number) => view.setInt16(at, v, true)

  view.setInt32(0, 348, true)
  view.setUint8(38, 'r'.charCodeAt(0))
  for (const [k, n] of [3, ...volume.size, 1, 1, 1, 1].entries()) i16(40 + 2 * k, n)
  i16(70, code)
  i16(72, volume.data.BYTES_PER_ELEMENT * 8)

  const ras = stepsOf(volume).map(([x, y, z]): Vec3 => [-x, -y, z])
  const origin: Vec3 = [-volume.origin[0], -volume.origin[1], volume.origin[2]]
  // Unit columns of the RAS axes, made a proper rotation: the flip goes into qfac.
  const unit = ras.map((s, c) => s.map(x => x / volume.spacing[c]))
  const m: Mat3 = [0, 1, 2].flatMap(r => [unit[0][r], unit[1][r], unit[2][r]])
  const qfac = det3(m) < 0 ? -1 : 1
  const proper = m.map((x, at) => (at % 3 === 2 ? x * qfac : x))
  for (const [k, v] of [qfac, ...volume.spacing].entries()) f32(76 + 4 * k, v)
  f32(108, DATA_OFFSET)
  f32(112, 1)
  view.setUint8(123, 2)
  i16(252, 1)
  i16(254, 1)
  for (const [k, v] of quaternion(proper).entries()) f32(256 + 4 * k, v)
  for (const [k, v] of origin.entries()) f32(268 + 4 * k, v)
  for (let r = 0; r < 3; r++) {
    for (let c = 0; c < 3; c++) f32(280 + 16 * r + 4 * c, ras[c][r])
    f32(280 + 16 * r + 12, origin[r])
  }
  out.set([0x6e, 0x2b, 0x31, 0], 344)
  out.set(pixels, DATA_OFFSET)
  return options.gzip ? gzip(out) : out
}

/** (b, c, d) of the unit quaternion of a rotation, with a ≥ 0; source: nifti_mat44_to_quatern of the reference code. */
function quaternion(r: Mat3): [number, number, number] {
  const trace = r[0] + r[4] + r[8]
  if (trace > -0.5) {
    const a = Math.sqrt(1 + trace) / 2
    return [(r[7] - r[5]) / (4 * a), (r[2] - r[6]) / (4 * a), (r[3] - r[1]) / (4 * a)]
  }
  // a is small: take the largest of b, c, d from the diagonal instead.
  const squares = [1 + r[0] - r[4] - r[8], 1 + r[4] - r[0] - r[8], 1 + r[8] - r[0] - r[4]]
  const k = squares.indexOf(Math.max(...squares))
  const big = Math.sqrt(squares[k]) / 2
  const pairs = [
    [big, (r[1] + r[3]) / (4 * big), (r[2] + r[6]) / (4 * big), r[7] - r[5]],
    [(r[1] + r[3]) / (4 * big), big, (r[5] + r[7]) / (4 * big), r[2] - r[6]],
    [(r[2] + r[6]) / (4 * big), (r[5] + r[7]) / (4 * big), big, r[3] - r[1]]
  ][k]
  const sign = pairs[3] < 0 ? -1 : 1
  return [sign * pairs[0], sign * pairs[1], sign * pairs[2]]
}
