import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Camera } from '../src/geometry/camera.js'
import { invertRigid } from '../src/geometry/rigid.js'
import type { Volume } from '../src/volume/volume.js'

/** Whether Debian's plastimatch is installed. */
export const hasPlastimatch = spawnSync('plastimatch', ['--version']).status === 0

/** An image volume as the plainest MetaImage; upright grids only, because plastimatch's DRR takes no direction. */
function mha(volume: Volume<Float32Array>): Buffer {
  const header = [
    'ObjectType = Image',
    'NDims = 3',
    'BinaryData = True',
    'BinaryDataByteOrderMSB = False',
    `Offset = ${volume.origin.join(' ')}`,
    `ElementSpacing = ${volume.spacing.join(' ')}`,
    `DimSize = ${volume.size.join(' ')}`,
    'ElementType = MET_FLOAT',
    'ElementDataFile = LOCAL\n'
  ].join('\n')
  const { buffer, byteOffset, byteLength } = volume.data
  return Buffer.concat([Buffer.from(header), Buffer.from(buffer, byteOffset, byteLength)])
}

/**
 * Line integrals of a volume of attenuations by `plastimatch drr`.
 * @param algorithm `'exact'`: Siddon, voxels as boxes of constant value; `'uniform'`: trilinear, steps of 1 mm
 * @param cameras with square-on centred detectors
 */
export function plastimatchDrr(
  volume: Volume<Float32Array>,
  cameras: readonly Camera[],
  algorithm: 'exact' | 'uniform'
): Float32Array[] {
  const folder = mkdtempSync(join(tmpdir(), 'raypose-plastimatch-'))
  try {
    const input = join(folder, 'volume.mha')
    writeFileSync(input, mha(volume))
    return cameras.map(({ detector, cameraFromLps }, n) => {
      const lpsFromCamera = invertRigid(cameraFromLps)
      const axis = (c: number) => [lpsFromCamera[c], lpsFromCamera[4 + c], lpsFromCamera[8 + c]]
      const sad = 700
      const z = axis(2)
      const source = axis(3)
      const isocenter = source.map((s, a) => s + sad * z[a])
      const { sdd, pixel, size, principalPoint } = detector
      const vector = (v: readonly number[]) => v.map(x => x.toFixed(9)).join(' ')
      const prefix = join(folder, `image${n}_`)
      execFileSync('plastimatch', [
        ...['drr', '-i', algorithm, '-P', 'none', '-A', 'cpu', '-t', 'pfm', '-O', prefix, '-I', input],
        ...['--sad', `${sad}`, '--sid', `${sdd}`, '-o', vector(isocenter)],
        // From the isocentre to the source, and from the detector's centre to its top row.
        ...['-n', vector(z.map(x => -x)), '--vup', vector(axis(1).map(x => -x))],
        // The help says "row col"; it takes columns first, then rows.
        ...['-r', `${size[0]} ${size[1]}`, '-z', `${size[0] * pixel[0]} ${size[1] * pixel[1]}`],
        ...['-c', `${principalPoint[0]} ${principalPoint[1]}`]
      ])
      const name = readdirSync(folder).find(f => f.startsWith(`image${n}_`) && f.endsWith('.pfm'))
      return readPfm(readFileSync(join(folder, name ?? '')))
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Pixels of a little-endian grey PFM, in the order of the file; plastimatch counts lengths in cm. */
function readPfm(bytes: Buffer): Float32Array {
  let start = 0
  for (let line = 0; line < 3; line++) start = bytes.indexOf(10, start) + 1
  const [, width, height] = bytes.subarray(0, start).toString('latin1').split(/\s+/).map(Number)
  const end = start + 4 * width * height
  const pixels = new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + end))
  return pixels.map(x => 10 * x)
}
