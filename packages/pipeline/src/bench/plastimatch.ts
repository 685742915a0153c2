import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  BackendError,
  type Camera,
  invertRigid,
  MU_WATER,
  PAPER_SOURCE_TO_ISOCENTER,
  type Volume
} from '@raypose/core'

const run = promisify(execFile)

/** Debian's plastimatch on a volume: an independent renderer to compare with. */
export interface Plastimatch {
  /** Line integrals, and how long they took by its own clock, ms: rendering alone, on one thread. */
  render(camera: Camera, signal?: AbortSignal): Promise<{ image: Float32Array; ms: number }>
  dispose(): Promise<void>
}

/** @returns null where it is not installed. @param volume upright, HU */
export async function openPlastimatch(volume: Volume): Promise<Plastimatch | null> {
  try {
    await run('plastimatch', ['--version'])
  } catch {
    return null
  }
  const folder = await mkdtemp(join(tmpdir(), 'raypose-bench-'))
  const input = join(folder, 'volume.mha')
  await writeFile(input, attenuationMha(volume))
  let count = 0
  return {
    async render({ detector, cameraFromLps }, signal) {
      const lpsFromCamera = invertRigid(cameraFromLps)
      const axis = (c: number) => [lpsFromCamera[c], lpsFromCamera[4 + c], lpsFromCamera[8 + c]]
      const z = axis(2)
      const isocenter = axis(3).map((s, a) => s + PAPER_SOURCE_TO_ISOCENTER * z[a])
      const { sdd, pixel, size, principalPoint } = detector
      const vector = (v: readonly number[]) => v.map(x => x.toFixed(9)).join(' ')
      const prefix = `image${count++}_`
      const { stdout } = await run(
        'plastimatch',
        [
          ...[
            'drr',
            '-i',
            'exact',
            '-P',
            'none',
            '-A',
            'cpu',
            '-t',
            'pfm',
            '-O',
            join(folder, prefix),
            '-I',
            input
          ],
          ...['--sad', `${PAPER_SOURCE_TO_ISOCENTER}`, '--sid', `${sdd}`, '-o', vector(isocenter)],
          // From the isocentre to the source, and from the detector's centre to its top row.
          ...['-n', vector(z.map(x => -x)), '--vup', vector(axis(1).map(x => -x))],
          // The help says "row col"; it takes columns first, then rows.
          ...['-r', `${size[0]} ${size[1]}`, '-z', `${size[0] * pixel[0]} ${size[1] * pixel[1]}`],
          ...['-c', `${principalPoint[0]} ${principalPoint[1]}`]
        ],
        { env: { ...process.env, OMP_NUM_THREADS: '1' }, signal }
      )
      const seconds = (name: string) => Number(new RegExp(`${name} time: *([0-9.eE+-]+)`).exec(stdout)?.[1])
      const ms = 1000 * (seconds('Total') - seconds('I/O'))
      const file = (await readdir(folder)).find(f => f.startsWith(prefix) && f.endsWith('.pfm'))
      if (!file || !(ms > 0))
        throw new BackendError(
          `plastimatch did not render: it says "${stdout.trim().slice(-200)}"`,
          'Check that its version is 1.9 or later, or measure without it.'
        )
      return { image: readPfm(await readFile(join(folder, file))), ms }
    },
    async dispose() {
      await rm(folder, { recursive: true })
    }
  }
}

/** Attenuations as the plainest MetaImage; its DRR takes no direction. */
function attenuationMha(volume: Volume): Buffer {
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
  // A plain loop: `from` with a function boxes every value.
  const mu = new Float32Array(volume.data.length)
  for (let i = 0; i < mu.length; i++) mu[i] = Math.max(0, MU_WATER * (1 + volume.data[i] / 1000))
  return Buffer.concat([Buffer.from(header), Buffer.from(mu.buffer)])
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
