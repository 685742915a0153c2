import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  ArgumentError,
  AVERAGING_RATIO,
  createRandom,
  createWasmRenderer,
  type Detector,
  lpsToIndex,
  resampleVolume,
  type Vec3,
  type ViewGrid,
  type Volume,
  VolumeError
} from '@raypose/core'
import { fileError, readJson } from '../files/read-bytes.js'
import { readCt } from '../files/read-ct.js'
import { patientLayers } from '../patient/layers.js'
import {
  generalTrainingView,
  type LayeredPatient,
  type Range,
  type ViewSource,
  viewsOf
} from './view-source.js'

/**
 * An annotated CT. On disk: `NAME.nrrd` (or .nii, .nii.gz, .mha, or a folder NAME of DICOM slices) beside `NAME.landmarks.json`,
 * {"landmarks": [{"name": "…", "point": [x, y, z] or null}, …], "isocenter": [x, y, z], "anatomy": "…"}; LPS mm; the same names in the
 * same order for every patient; the isocentre is optional, by default the mean of the landmarks, and so is the anatomy's name.
 */
export interface PopulationMember {
  readonly name: string
  readonly ct: string
  readonly landmarkNames: readonly string[]
  /** Name of the anatomy that the landmarks belong to, where the file says so. */
  readonly anatomy?: string
  /** LPS mm; null where a landmark is not known for this patient. */
  readonly landmarks: readonly (Vec3 | null)[]
  readonly isocenter: Vec3
}

const SUFFIX = '.landmarks.json'
const HINT =
  'A population is a folder of NAME.nrrd (or .nii.gz, .mha, or a DICOM folder NAME), each beside NAME.landmarks.json.'

/**
 * Reads what a population folder holds, without its volumes.
 * @throws FileNotFoundError; ArgumentError for an empty population, a CT that lacks, landmarks that are none or differ between patients
 */
export async function readPopulation(folder: string): Promise<PopulationMember[]> {
  const files = await readdir(folder).catch(error => {
    throw fileError(folder, error)
  })
  const names = files
    .filter(f => f.endsWith(SUFFIX))
    .map(f => f.slice(0, -SUFFIX.length))
    .sort()
  if (names.length < 2)
    throw new ArgumentError(
      `${folder} holds ${names.length} annotated CTs; training takes at least 2, one of them for validation`,
      HINT
    )
  const members: PopulationMember[] = []
  for (const name of names) {
    const ct = [`${name}.nrrd`, `${name}.nii.gz`, `${name}.nii`, `${name}.mha`, name].find(f =>
      files.includes(f)
    )
    if (!ct) throw new ArgumentError(`${join(folder, name + SUFFIX)} has no CT beside it`, HINT)
    const member = {
      name,
      ct: join(folder, ct),
      ...parseLandmarks(join(folder, name + SUFFIX), await readJson(join(folder, name + SUFFIX)))
    }
    const first = members[0]
    if (first && first.anatomy !== member.anatomy)
      throw new ArgumentError(
        `${name} is of another anatomy (${member.anatomy ?? 'not named'}) than ${first.name} (${first.anatomy ?? 'not named'})`,
        'Keep the patients of each anatomy in a folder of their own.'
      )
    if (first && first.landmarkNames.join('\n') !== member.landmarkNames.join('\n'))
      throw new ArgumentError(
        `The landmarks of ${name} are not those of ${first.name}`,
        'Give every patient the same landmark names in the same order, with null for unknown points.'
      )
    members.push(member)
  }
  return members
}

export function parseLandmarks(
  file: string,
  json: unknown
): Pick<PopulationMember, 'landmarkNames' | 'anatomy' | 'landmarks' | 'isocenter'> {
  const bad = (what: string): never => {
    throw new ArgumentError(
      `${file}: ${what}`,
      'It should be {"landmarks": [{"name": "…", "point": [x, y, z] or null}, …]} with LPS coordinates in mm.'
    )
  }
  const {
    landmarks: list,
    isocenter,
    anatomy
  } = (json ?? {}) as {
    landmarks?: unknown
    isocenter?: unknown
    anatomy?: unknown
  }
  if (!Array.isArray(list) || list.length === 0) return bad('there is no list of landmarks')
  const point = (p: unknown): Vec3 | null =>
    p === null
      ? null
      : Array.isArray(p) && p.length === 3 && p.every(Number.isFinite)
        ? [p[0], p[1], p[2]]
        : bad(`${JSON.stringify(p)} is not a point`)
  const landmarks = list.map(l => point(l?.point))
  const known = landmarks.filter(p => p !== null)
  if (known.length === 0) bad('no landmark has a point')
  const mean = [0, 1, 2].map(k => known.reduce((s, p) => s + p[k] / known.length, 0)) as unknown as Vec3
  return {
    landmarkNames: list.map(l => String(l?.name ?? '')),
    ...(typeof anatomy === 'string' && anatomy !== '' ? { anatomy } : {}),
    landmarks,
    isocenter: point(isocenter ?? null) ?? mean
  }
}

/** Voxel size that training renders from, mm: close to what pixels of 1.6 mm resolve at the isocentre. */
export const TRAINING_VOXEL_MM = 1.5

/**
 * Loads one member.
 * @param options.voxelMm voxels well below this size are averaged to it, which is quicker to prepare and smaller in memory
 * @throws VolumeError when a landmark lies outside its CT
 */
export async function loadMember(
  m: PopulationMember,
  { voxelMm = 0 }: { readonly voxelMm?: number } = {}
): Promise<LayeredPatient> {
  const { volume } = await readCt(m.ct)
  m.landmarks.forEach((p, i) => {
    if (!p) return
    const index = lpsToIndex(volume, p)
    // A landmark may lie a little beyond a scan that ends at it.
    if (index.some((x, k) => x < -10 / volume.spacing[k] || x > volume.size[k] - 1 + 10 / volume.spacing[k]))
      throw new VolumeError(
        `Landmark "${m.landmarkNames[i]}" of ${m.name} lies outside its CT, at ${p.join(', ')}`,
        'Check that the landmarks are in LPS mm of this very CT.'
      )
  })
  const { bone, soft } = patientLayers(coarse(volume, voxelMm))
  return {
    bone: createWasmRenderer(bone),
    soft: createWasmRenderer(soft),
    landmarks: m.landmarks,
    isocenter: m.isocenter
  }
}

/** Averages along the axes whose voxels are so much smaller than wanted that averaging loses nothing. */
function coarse(volume: Volume, voxelMm: number): Volume {
  const spacing = volume.spacing.map(s => (voxelMm > AVERAGING_RATIO * s ? voxelMm : s)) as unknown as Vec3
  return spacing.every((s, k) => s === volume.spacing[k]) ? volume : resampleVolume(volume, { spacing })
}

/** Views of one annotated patient after another, in an order that is shuffled anew each round. */
export function populationSource(options: {
  readonly seed: number
  readonly detector: Detector
  readonly range: ViewGrid
  readonly distances?: Range
  readonly members: readonly PopulationMember[]
  readonly viewsPerPatient: number
}): ViewSource {
  const random = createRandom(options.seed ^ 0x5eed)
  let queue: PopulationMember[] = []
  let patient: LayeredPatient | null = null
  let left = 0
  let opened = 0
  return async () => {
    if (!patient || left === 0) {
      if (queue.length === 0) queue = random.shuffle([...options.members])
      patient?.bone.dispose()
      patient?.soft.dispose()
      patient = await loadMember(queue.pop()!, { voxelMm: TRAINING_VOXEL_MM })
      left = viewsOf(opened++, options.viewsPerPatient)
    }
    left--
    return generalTrainingView(patient, options.detector, options, random)
  }
}
