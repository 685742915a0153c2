import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ArgumentError, CancelledError, centroid, createRandom, type Vec3 } from '@raypose/core'
import { writeNrrd } from '@raypose/formats'
import { writeFileAtomic, writeJsonAtomic } from '../files/atomic.js'
import { sha256 } from '../files/hash.js'
import { readModel } from '../files/model.js'
import { readAtlas } from '../shape-model/atlas.js'
import type { OnProgress } from '../types.js'
import { VERSION } from '../version.js'
import { type AnnotatedCt, bendCt, openAnnotatedCt } from './annotated-ct.js'
import { checkAtlas } from './atlas-check.js'
import { type CtSource, openCtSource } from './ct-source.js'
import { type Member, type MemberOptions, MIXTURE, type Mixture, makeMember } from './members.js'
import { surfaceModel } from './surface-model.js'

export interface PopulateOptions {
  /** Folder with atlas.json; without one, annotated CTs are bent at random. */
  readonly atlas?: string
  /** CTs to warp: DICOM folders or volume files. */
  readonly cts?: readonly string[]
  readonly out: string
  readonly count: number
  readonly seed?: number
  /** Patients of the atlas that the population must know nothing of. */
  readonly leaveOut?: readonly string[]
  readonly mixture?: Mixture
  /** Largest weight of a shape mode, standard deviations (default 2.5). */
  readonly modeLimit?: number
  /** How far shapes are bent beyond the model, standard deviation along each axis, mm (default 0); takes an atlas. */
  readonly bendMm?: number
  /** Voxel size, mm (default 1.5); slices may come out thicker. */
  readonly spacing?: number
  /** Network that finds the landmarks of CTs without any (default: the shipped one). */
  readonly model?: string
  readonly threads?: number
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/** `population.json` of the folder. */
export interface PopulationManifest {
  readonly format: 'raypose-population'
  readonly version: string
  readonly options: {
    readonly seed: number
    readonly mixture: Mixture
    readonly modeLimit: number
    /** Absent: 0. */
    readonly bendMm?: number
    readonly spacingMm: number
    readonly leaveOut: readonly string[]
  }
  /** Null where annotated CTs were bent without one. */
  readonly atlas: {
    readonly path: string
    readonly sha256: string
    /** Patients that the shapes come from. */
    readonly patients: readonly string[]
    /** What atlas.json says of its licence, if anything. */
    readonly licence: string | null
  } | null
  /** How well the atlas lies on each CT: distances of its surface to the bone's, mm, and the share of it that was found. */
  readonly cts: readonly {
    readonly path: string
    readonly mirrored: boolean
    readonly continued: boolean
    readonly landmarksFrom: 'file' | 'network'
    /** Null without an atlas. */
    readonly surface: CtSource['fit']['residual'] | null
    /** Mean of its landmarks as the atlas lies on it, LPS mm (of the mirror image where mirrored). */
    readonly isocenter: Vec3
  }[]
}

export interface PopulateResult extends PopulationManifest {
  readonly out: string
  /** Names of all members, and how many of them were made by this call. */
  readonly members: readonly string[]
  readonly made: number
  readonly seconds: number
}

const NAME = 'population.json'

/**
 * Makes annotated CTs from surfaces in correspondence, or without any by bending annotated CTs at random: a population folder that training reads: `member-0001.nrrd` beside
 * `member-0001.landmarks.json`, and `population.json`. Members that are there already are kept, so that a run which was stopped goes on.
 * @throws ArgumentError for an atlas that cannot be used, or a folder that was made otherwise; CancelledError when `signal` aborts
 */
export async function populate(o: PopulateOptions): Promise<PopulateResult> {
  const started = performance.now()
  const check = () => {
    if (o.signal?.aborted)
      throw new CancelledError(
        'The population was stopped',
        'Run the same command again to go on where it stopped.'
      )
  }
  const settings = {
    mixture: o.mixture ?? MIXTURE,
    modeLimit: o.modeLimit ?? 2.5,
    bendMm: o.bendMm ?? 0,
    spacing: o.spacing ?? 1.5
  }
  const seed = o.seed ?? 1
  const cts = o.cts ?? []
  if (cts.length === 0 && o.atlas === undefined)
    throw new ArgumentError(
      'There is neither an atlas nor a CT to make a population of',
      'Give --atlas, --ct with its landmarks beside it, or both.'
    )
  if (settings.bendMm > 0 && o.atlas === undefined)
    throw new ArgumentError(
      'Shapes are bent beyond the model of an atlas, and there is no atlas',
      'Give --atlas, or leave --bend out: without an atlas CTs are bent at random as it is.'
    )
  if (cts.length === 0 && !(settings.mixture.filled > 0))
    throw new ArgumentError('Nothing is to be filled, and there is no CT to warp', 'Give a CT with --ct.')
  const {
    makeMemberOf,
    names: landmarkNames,
    anatomy,
    ...from
  } = o.atlas === undefined
    ? await fromAnnotated(o, settings, check)
    : await fromAtlas(o, o.atlas, settings, check)
  const manifest: PopulationManifest = {
    format: 'raypose-population',
    version: VERSION,
    options: {
      seed,
      mixture: settings.mixture,
      modeLimit: settings.modeLimit,
      ...(settings.bendMm > 0 ? { bendMm: settings.bendMm } : {}),
      spacingMm: settings.spacing,
      leaveOut: o.leaveOut ?? []
    },
    ...from
  }
  await claimFolder(o.out, manifest)

  const names = Array.from({ length: o.count }, (_, i) => `member-${String(i + 1).padStart(4, '0')}`)
  let made = 0
  for (const [i, name] of names.entries()) {
    check()
    o.onProgress?.({ stage: `Making ${o.count} annotated CTs`, fraction: i / o.count, detail: name })
    // The landmarks are written last: a member that has them is whole.
    if (await stat(join(o.out, `${name}.landmarks.json`)).catch(() => null)) continue
    // Far apart, so that populations of neighbouring seeds share no member.
    const member = makeMemberOf((seed * 1_000_003 + i) >>> 0)
    await writeFileAtomic(join(o.out, `${name}.nrrd`), writeNrrd(member.ct))
    await writeJsonAtomic(join(o.out, `${name}.landmarks.json`), {
      ...(anatomy === undefined ? {} : { anatomy }),
      landmarks: landmarkNames.map((name, k) => ({ name, point: member.landmarks[k] })),
      isocenter: member.isocenter,
      made: member.record
    })
    made++
    // Lets Ctrl-C in between two members that keep the thread busy.
    await new Promise(resolve => setImmediate(resolve))
  }
  return { ...manifest, out: o.out, members: names, made, seconds: (performance.now() - started) / 1000 }
}

/** What members are made from. */
interface Source extends Pick<PopulationManifest, 'atlas' | 'cts'> {
  readonly names: readonly string[]
  readonly anatomy?: string
  readonly makeMemberOf: (seed: number) => Omit<Member, 'record'> & { readonly record: object }
}

async function fromAtlas(
  o: PopulateOptions,
  folder: string,
  settings: MemberOptions,
  check: () => void
): Promise<Source> {
  const atlas = await readAtlas(folder)
  checkAtlas(atlas)
  const model = surfaceModel(atlas, o.leaveOut)
  check()
  const sources: CtSource[] = []
  for (const path of settings.mixture.warped > 0 ? (o.cts ?? []) : [])
    sources.push(
      ...(await openCtSource(model, path, {
        network: () => readModel(o.model),
        threads: o.threads,
        onProgress: o.onProgress,
        check
      }))
    )
  const text = await readFile(join(folder, 'atlas.json'), 'utf8')
  const { licence } = JSON.parse(text) as { licence?: unknown }
  return {
    atlas: {
      path: folder,
      sha256: sha256(text),
      patients: model.patients.map(p => p.name),
      licence: typeof licence === 'string' ? licence : null
    },
    cts: sources.map(({ path, mirrored, continued, landmarksFrom, fit }) => ({
      path,
      mirrored,
      continued,
      landmarksFrom,
      surface: fit.residual,
      isocenter: centroid(fit.landmarks)
    })),
    names: model.landmarks.map(l => l.name),
    makeMemberOf: seed => makeMember(model, sources, seed, settings)
  }
}

async function fromAnnotated(
  o: PopulateOptions,
  { spacing, mixture }: MemberOptions,
  check: () => void
): Promise<Source> {
  const sources: AnnotatedCt[] = []
  for (const path of o.cts ?? []) {
    sources.push(...(await openAnnotatedCt(path, o.onProgress)))
    check()
  }
  const [first] = sources
  const other = sources.find(
    s => s.anatomy !== first.anatomy || s.landmarkNames.join('\n') !== first.landmarkNames.join('\n')
  )
  if (other)
    throw new ArgumentError(
      `The landmarks of ${other.path} are not those of ${first.path}`,
      'Give CTs with the same landmark names in the same order, of one anatomy.'
    )
  return {
    atlas: null,
    cts: sources.map(({ path, mirrored, landmarks }) => ({
      path,
      mirrored,
      continued: false,
      landmarksFrom: 'file',
      surface: null,
      isocenter: centroid(landmarks)
    })),
    names: first.landmarkNames,
    anatomy: first.anatomy,
    makeMemberOf: seed => {
      const random = createRandom(seed)
      return bendCt(sources[random.integer(sources.length)], random, seed, { spacing, cut: mixture.cut })
    }
  }
}

/** @throws ArgumentError where the folder holds a population made from other things or with other options */
async function claimFolder(out: string, manifest: PopulationManifest): Promise<void> {
  const before = await readFile(join(out, NAME), 'utf8').catch(() => null)
  // Paths may be written in several ways, and fits differ in the last digit between machines.
  const essence = (m: Partial<PopulationManifest>) =>
    JSON.stringify([
      m.options,
      m.atlas?.sha256,
      m.atlas?.patients,
      m.cts?.map(c => [c.mirrored, c.landmarksFrom, ...(m.atlas ? [] : c.isocenter)])
    ])
  if (before !== null) {
    let old: Partial<PopulationManifest> = {}
    try {
      old = JSON.parse(before) as Partial<PopulationManifest>
    } catch {
      // Not JSON: not a population of these options either.
    }
    if (essence(old) !== essence(manifest))
      throw new ArgumentError(
        `${out} holds a population made from another atlas, other CTs or with other options`,
        'Give another folder, or remove this one.'
      )
    return
  }
  await writeJsonAtomic(join(out, NAME), manifest)
}
