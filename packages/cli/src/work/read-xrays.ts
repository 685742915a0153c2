import { resolve } from 'node:path'
import { ArgumentError } from '@raypose/core'
import { type ReadXray, readXrayFile } from '@raypose/pipeline'
import type { RegisterWork } from './register-work.js'

type Given = Pick<RegisterWork, 'xrays' | 'geometry' | 'reading'>

/**
 * Reads the X-rays of a registration.
 * @throws ArgumentError for another number of geometries than X-rays, or a picture that is given twice
 */
export async function readXrays({ xrays, geometry, reading }: Given): Promise<ReadXray[]> {
  const given = geometry?.length ?? 0
  if (given > 1 && given !== xrays.length)
    throw new ArgumentError(
      `There are ${xrays.length} X-rays but ${given} geometries`,
      'Give --geometry once for all, or once for each --xray in the same order.'
    )
  const read: ReadXray[] = []
  for (const [i, path] of xrays.entries())
    read.push(await readXrayFile(path, geometryOf(geometry, i), reading))
  refuseTheSameTwice(read)
  const shared = read.map((_, i) => serves(read.length, geometry, i) > 1)
  return read.map((r, i) => (shared[i] ? withoutPose(r) : r))
}

export const geometryOf = (geometry: RegisterWork['geometry'], i: number): string | undefined =>
  geometry && (geometry.length === 1 ? geometry[0] : geometry[i])

/** How many X-rays have the geometry file of one of them. */
function serves(count: number, geometry: RegisterWork['geometry'], i: number): number {
  const files = Array.from({ length: count }, (_, k) => geometryOf(geometry, k)).map(g => g && resolve(g))
  return files[i] === undefined ? 0 : files.filter(f => f === files[i]).length
}

/** Two views from one and the same place would be taken for an exactly known pair. */
const withoutPose = (r: ReadXray): ReadXray =>
  r.xray.cameraFromLps === null
    ? r
    : {
        ...r,
        xray: {
          ...r.xray,
          cameraFromLps: null,
          notes: [
            ...r.xray.notes,
            'The geometry file serves several X-rays: its pose (cameraFromLps) cannot be that of each, and is not taken.'
          ]
        }
      }

/** All are read at the same frame, so equal files are equal pictures: twice the same says nothing more. */
function refuseTheSameTwice(read: readonly ReadXray[]): void {
  for (const [i, { sha256, file }] of read.entries()) {
    const first = read.findIndex(r => r.sha256 === sha256)
    if (first < i)
      throw new ArgumentError(
        read[first].file === file
          ? `${file} is given twice`
          : `${read[first].file} and ${file} hold the same picture`,
        'Give each X-ray once, with --xray for each of them.'
      )
  }
}
