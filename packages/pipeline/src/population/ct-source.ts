import { stat } from 'node:fs/promises'
import {
  ArgumentError,
  lpsToIndex,
  PoseError,
  prepareWasmVolume,
  type Vec3,
  type Volume
} from '@raypose/core'
import { createDetector, type Network } from '@raypose/network'
import { networkAnatomy } from '../files/anatomy.js'
import { readJson } from '../files/read-bytes.js'
import { readCt } from '../files/read-ct.js'
import { takeIn } from '../prepare/intake.js'
import { patientLandmarks } from '../prepare/landmarks.js'
import { locateAnatomy } from '../prepare/locate.js'
import { prepareDefaults } from '../prepare/options.js'
import { turnVolume } from '../prepare/orientation.js'
import { trainedDetector } from '../prepare/prepare.js'
import { parseLandmarks } from '../training/population.js'
import type { OnProgress } from '../types.js'
import { continueCt } from './ct-extend.js'
import { type CtFit, fitSurfacesToCt } from './ct-fit.js'
import type { SurfaceModel } from './surface-model.js'

/** A real CT with the atlas's surfaces laid onto its bones, ready to be warped. */
export interface CtSource {
  readonly path: string
  readonly mirrored: boolean
  /** Continued beyond its last slice where that cuts the anatomy. */
  readonly volume: Volume
  readonly continued: boolean
  readonly fit: CtFit
  /** `file`: given beside the CT; `network`: found by N. */
  readonly landmarksFrom: 'file' | 'network'
}

export interface CtSourceOptions {
  /** Finds landmarks where none are given; read only if needed. */
  readonly network: () => Promise<Network>
  readonly threads?: number
  readonly onProgress?: OnProgress
  readonly check?: () => void
}

/**
 * Reads a CT and lays the atlas onto it, as it is and as its mirror image (where the atlas's landmarks come in pairs).
 * Landmarks to begin with are taken from PATH.landmarks.json (for a file NAME.nrrd from NAME.landmarks.json), else found by the network.
 * @throws PoseError, ArgumentError as the steps
 */
export async function openCtSource(
  model: SurfaceModel,
  path: string,
  options: CtSourceOptions
): Promise<CtSource[]> {
  const { volume: read } = await readCt(path, { onProgress: options.onProgress })
  options.check?.()
  const given = await givenLandmarks(model, path)
  const { volume, landmarks } = given
    ? { volume: read, landmarks: given }
    : await foundLandmarks(model, path, read, options)
  const landmarksFrom = given ? 'file' : 'network'
  const lay = (v: Volume, l: readonly (Vec3 | null)[], mirrored: boolean): CtSource => {
    options.onProgress?.({ stage: 'Laying the atlas onto the CT', fraction: mirrored ? 0.5 : 0 })
    const fit = fitSurfacesToCt(model, v, l)
    options.check?.()
    return { path, mirrored, fit, landmarksFrom, ...continueCt(model, v, fit) }
  }
  const sources = [lay(volume, landmarks, false)]
  const opposite = oppositeLandmarks(model)
  if (opposite)
    sources.push(
      lay(
        mirrorVolume(volume),
        opposite.map(i => mirrorPoint(landmarks[i])),
        true
      )
    )
  return sources
}

/** The mirror image of a CT, left for right: its data as they are, on mirrored axes. */
export const mirrorVolume = <T extends Volume>(v: T): T => ({
  ...v,
  origin: mirrorPoint(v.origin),
  direction: v.direction.map((x, i) => (i < 3 ? -x : x))
})

export const mirrorPoint = <T extends Vec3 | null>(p: T): T => (p ? ([-p[0], p[1], p[2]] as unknown as T) : p)

/** For each landmark the number of its like on the other side; null where some left one has no right one. */
export function oppositeLandmarks(model: Pick<SurfaceModel, 'landmarks'>): number[] | null {
  const names = model.landmarks.map(l => l.name)
  const out = names.map(n =>
    names.indexOf(n.replace(/ ([LR])$/, (_, side: string) => (side === 'L' ? ' R' : ' L')))
  )
  return out.every(i => i >= 0) && out.some((i, k) => i !== k) ? out : null
}

/** Where the landmarks of a CT are written. */
export const landmarksFile = (path: string): string =>
  `${path.replace(/\/+$/, '').replace(/\.(nrrd|nii|nii\.gz|mha)$/, '')}.landmarks.json`

async function givenLandmarks(model: SurfaceModel, path: string): Promise<(Vec3 | null)[] | null> {
  const file = landmarksFile(path)
  if (!(await stat(file).catch(() => null))) return null
  const { landmarks, landmarkNames } = parseLandmarks(file, await readJson(file))
  const out = model.landmarks.map(({ name }) => landmarks[landmarkNames.indexOf(name)] ?? null)
  if (out.filter(p => p).length < 4)
    throw new ArgumentError(
      `${file} holds ${out.filter(p => p).length} of the atlas's landmarks; laying the atlas onto the CT takes at least 4`,
      `The names must be those of the atlas, like "${model.landmarks[0].name}".`
    )
  return out
}

async function foundLandmarks(
  model: SurfaceModel,
  path: string,
  ct: Volume,
  options: CtSourceOptions
): Promise<{ volume: Volume; landmarks: (Vec3 | null)[] }> {
  const network = await options.network()
  const anatomy = networkAnatomy(network)
  if (model.landmarks.some((l, i) => l.name !== anatomy.landmarkNames[i]))
    throw new PoseError(
      `No landmarks are known in ${path}, and the network finds those of the ${anatomy.name} only`,
      `Write the atlas's landmarks in this CT to ${path.replace(/\/+$/, '')}.landmarks.json, or give a network that finds them (--model).`
    )
  const detector = trainedDetector(network)
  const general = await createDetector(network, { threads: options.threads ?? 2 })
  try {
    const { onProgress, check } = options
    const located = await locateAnatomy(ct, general, detector, anatomy, { onProgress, check })
    const { volume } = takeIn(ct, located, anatomy.name)
    const found = await patientLandmarks(
      volume,
      prepareWasmVolume(volume),
      general,
      detector,
      anatomy,
      located.isocenter,
      prepareDefaults({ out: '' }),
      onProgress,
      check
    )
    return {
      // All of it: what a warp shrinks needs more around it than registration does.
      volume: turnVolume(ct, located.lpsFromCt),
      landmarks: found.map(l => (l.source === 'rays' && isIn(volume, l.point) ? l.point : null))
    }
  } finally {
    await general.release()
  }
}

const isIn = (v: Volume, p: Vec3): boolean => lpsToIndex(v, p).every((x, k) => x >= 0 && x <= v.size[k] - 1)
