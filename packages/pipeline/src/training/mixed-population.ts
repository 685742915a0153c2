import { basename } from 'node:path'
import {
  type Anatomy,
  ArgumentError,
  createRandom,
  type Detector,
  PELVIS_LANDMARKS,
  TRAINING_GRID,
  type ViewGrid
} from '@raypose/core'
import { populationAnatomy } from '../files/anatomy.js'
import type { GridPatient } from './grid-source.js'
import type { SourceConfig } from './messages.js'
import { loadMember, type PopulationMember, readPopulation, TRAINING_VOXEL_MM } from './population.js'
import type { ValidationSet } from './validation.js'
import { joinedValidation, phantomValidation, validationViews } from './validation-views.js'
import {
  type LayeredPatient,
  phantomPatient,
  plainPhantom,
  TRAINING_DISTANCES,
  TRAINING_RANGE
} from './view-source.js'

/** Patients to train on: a number of procedural ones, or a folder of annotated CTs; the weight is their share of the images. */
export interface PopulationPart {
  readonly patients: number | string
  /** Relative to the other parts; 1 by default. */
  readonly weight?: number
}

/** Whom a network is trained on: one kind of patients, or several mixed. */
export type Population = number | string | readonly PopulationPart[]

/** A part with its CTs found: those to train on, and the last ones, which validate. */
export type OpenPart = { readonly name: string; readonly weight: number } & (
  | { readonly phantoms: number }
  | { readonly members: readonly PopulationMember[]; readonly held: readonly PopulationMember[] }
)

export interface OpenPopulation {
  /** The same for every patient. */
  readonly landmarkNames: readonly string[]
  readonly anatomy: Anatomy
  readonly parts: readonly OpenPart[]
}

const PELVIS_NAMES = PELVIS_LANDMARKS.landmarks.map(l => `${l.name} ${l.side}`)

/** Of an anatomy that no file names. */
const UNNAMED = 'anatomy'

/** Views of each patient before the next one is made or read. */
const VIEWS_PER_PHANTOM = 48
const VIEWS_PER_MEMBER = 64
/** Views that each part is validated on. */
const VALIDATION_VIEWS = 60

/** A tenth of a folder validates, one patient at least (the paper's 12 + 1) and three at most. */
const heldOut = (members: number): number => Math.max(1, Math.min(3, Math.round(members / 10)))

/**
 * Finds the patients of a population and what they have in common.
 * @throws ArgumentError for no part, a weight that is not a positive number, or landmarks that differ between the parts; whatever
 * {@link readPopulation} throws
 */
export async function openPopulation(population: Population): Promise<OpenPopulation> {
  const wanted = Array.isArray(population)
    ? (population as readonly PopulationPart[])
    : [{ patients: population as number | string }]
  if (wanted.length === 0)
    throw new ArgumentError('The population has no part', 'Give phantom:N, or a folder of annotated CTs.')
  const parts: OpenPart[] = []
  let names: readonly string[] | null = null
  for (const { patients, weight = 1 } of wanted) {
    const name = typeof patients === 'number' ? 'phantoms' : basename(patients)
    if (!(weight > 0 && Number.isFinite(weight)))
      throw new ArgumentError(`The weight of ${name} is ${weight}`, 'Give a positive number.')
    if (typeof patients === 'number' && !(Number.isSafeInteger(patients) && patients > 0))
      throw new ArgumentError(`${patients} phantoms cannot be trained on`, 'Give a whole number from 1 up.')
    const members = typeof patients === 'string' ? await readPopulation(patients) : null
    const own = members ? members[0].landmarkNames : PELVIS_NAMES
    if (names && own.join('\n') !== names.join('\n'))
      throw new ArgumentError(
        `The landmarks of ${name} are not those of ${parts[0].name}`,
        'Every part of a population needs the same landmark names in the same order; phantoms have those of the pelvis atlas.'
      )
    names = own
    if (!members) parts.push({ name, weight, phantoms: patients as number })
    else {
      const cut = members.length - heldOut(members.length)
      parts.push({ name, weight, members: members.slice(0, cut), held: members.slice(cut) })
    }
  }
  const annotated = parts.flatMap(p => ('phantoms' in p ? [] : [...p.members, ...p.held]))
  const anatomy = populationAnatomy(
    annotated.find(m => m.anatomy)?.anatomy ?? UNNAMED,
    names ?? PELVIS_NAMES,
    annotated
  )
  return { landmarkNames: anatomy.landmarkNames, anatomy, parts }
}

/** What a run's config.json says of its population. */
export const populationJson = ({ parts }: OpenPopulation): object[] =>
  parts.map(p => ({
    ...('phantoms' in p
      ? { phantoms: p.phantoms }
      : { members: p.members.map(m => m.name), validation: p.held.map(m => m.name) }),
    weight: p.weight
  }))

/** Continuous random views of every part, mixed by weight. */
export function mixedSource({ parts }: OpenPopulation, seed: number, detector: Detector): SourceConfig {
  const sources = parts.map((p, i): { weight: number; source: SourceConfig } => ({
    weight: p.weight,
    source:
      'phantoms' in p
        ? {
            kind: 'phantoms',
            seed: seed + 31 * i,
            detector,
            distances: TRAINING_DISTANCES,
            viewsPerPhantom: VIEWS_PER_PHANTOM,
            phantoms: p.phantoms,
            spacing: TRAINING_VOXEL_MM
          }
        : {
            kind: 'population',
            seed: seed + 31 * i,
            detector,
            range: TRAINING_RANGE,
            distances: TRAINING_DISTANCES,
            members: p.members,
            viewsPerPatient: VIEWS_PER_MEMBER
          }
  }))
  return sources.length === 1 ? sources[0].source : { kind: 'mixture', seed, parts: sources }
}

/**
 * Views of every part that training never sees: phantoms of their own, and the last members of each folder; over the paper's
 * range of views.
 */
export async function mixedValidation({ parts }: OpenPopulation, detector: Detector): Promise<ValidationSet> {
  const sets: { name: string; set: ValidationSet }[] = []
  for (const p of parts)
    sets.push({
      name: p.name,
      set:
        'phantoms' in p
          ? phantomValidation(detector, 6, VALIDATION_VIEWS / 6, TRAINING_VOXEL_MM)
          : await memberValidation(p.held, detector)
    })
  return sets.length === 1 ? sets[0].set : joinedValidation(sets)
}

async function memberValidation(
  held: readonly PopulationMember[],
  detector: Detector
): Promise<ValidationSet> {
  const sets: ValidationSet[] = []
  for (const [i, m] of held.entries())
    sets.push(
      viewsOnce(
        await loadMember(m, { voxelMm: TRAINING_VOXEL_MM }),
        detector,
        Math.ceil(VALIDATION_VIEWS / held.length),
        7 + i
      )
    )
  return {
    images: sets.flatMap(s => s.images),
    points: sets.flatMap(s => s.points),
    mmPerPixel: sets[0].mmPerPixel
  }
}

function viewsOnce(patient: LayeredPatient, detector: Detector, count: number, seed: number): ValidationSet {
  const set = validationViews([patient], detector, count, TRAINING_GRID, createRandom(seed))
  patient.bone.dispose()
  patient.soft.dispose()
  return set
}

/** The paper's way: the patients to train on and the one that validates. */
export interface GridPopulation {
  readonly patients: readonly GridPatient[]
  readonly validation: () => Promise<ValidationSet>
}

/**
 * All patients of a population for the paper's recipe, whose last one validates; phantoms are whole and without metal.
 * @throws ArgumentError for weights, or for fewer than two patients
 */
export function gridPopulation({ parts }: OpenPopulation, seed: number, detector: Detector): GridPopulation {
  if (parts.some(p => p.weight !== 1))
    throw new ArgumentError(
      'The paper’s recipe knows no weights: it shows every view of every patient once an epoch',
      'Give the population without weights, or leave --recipe paper out.'
    )
  const all = parts.flatMap((p): GridPatient[] =>
    'phantoms' in p
      ? Array.from({ length: p.phantoms }, (_, i) => ({ phantom: seed * 100_003 + i }))
      : [...p.members, ...p.held].map(member => ({ member }))
  )
  if (all.length < 2)
    throw new ArgumentError(
      'The paper’s recipe needs at least two patients, one of them for validation',
      'The paper had 12 + 1: phantom:13.'
    )
  const last = all[all.length - 1]
  return {
    patients: all.slice(0, -1),
    validation: async () =>
      viewsOnce(
        'phantom' in last
          ? phantomPatient(plainPhantom(last.phantom, TRAINING_VOXEL_MM))
          : await loadMember(last.member, { voxelMm: TRAINING_VOXEL_MM }),
        detector,
        VALIDATION_VIEWS,
        7
      )
  }
}

/** Every view of the grid of every patient, once an epoch. */
export const gridSourceConfig = (
  patients: readonly GridPatient[],
  seed: number,
  detector: Detector,
  start: number,
  grid: ViewGrid = TRAINING_GRID
): SourceConfig => ({ kind: 'grid', seed, detector, grid, patients, start })
