import { join } from 'node:path'
import {
  beamFromPositioner,
  type CalibratedXray,
  viewFromPositioner,
  type XrayOptions
} from '@raypose/formats'
import {
  createRegistrar,
  ensureWritableFolder,
  type Normalisation,
  type OnProgress,
  openPatient,
  type ReadXray,
  type Registrar,
  type RegistrarOptions,
  type Registration,
  type RegistrationJson,
  type RelativeSource,
  registrationJson,
  relativeGeometry,
  type TubeSide,
  writeFileAtomic,
  writeJsonAtomic,
  type XrayReading
} from '@raypose/pipeline'
import { registerReport } from '../report/register-report.js'
import { geometryOf, readXrays } from './read-xrays.js'
import { registrationOverlay } from './registration-overlay.js'

export interface RegisterWork extends RegistrarOptions {
  readonly patient: string
  /** One or more X-rays of the patient. */
  readonly xrays: readonly string[]
  /** One for all X-rays, or one for each. */
  readonly geometry?: readonly string[]
  /** Where the relative poses of several X-rays come from; default: the best that their files say. */
  readonly relative?: RelativeSource
  readonly out: string
  /** What the user knows better than the X-ray's file. */
  readonly reading: Omit<XrayOptions, 'geometry'>
  /** Which way round the picture is; found where left out. */
  readonly orientation?: Pick<XrayReading, 'rotation' | 'mirrored'>
  /** Side of the patient that the tube stands on; found where left out. */
  readonly tube?: TubeSide
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/** Files that a registration leaves in its folder. */
const FILES = {
  result: 'result.json',
  initial: 'overlay-initial.png',
  final: 'overlay-final.png',
  report: 'report.html'
} as const

type Told = 'intensity' | 'bright' | 'mirrored'

/** What a file may leave open about its values, as sentences about what was found. */
const FOUND: Record<Told, (n: Normalisation) => string> = {
  intensity: n =>
    `The file does not say whether its values are a detector reading (linear) or its logarithm: taken for ${n.intensity} (see --intensity).`,
  bright: n => `The file does not say what bright stands for: taken for ${n.bright} (see --bright).`,
  mirrored: n =>
    `The file does not say from which side the picture is seen: taken ${n.mirrored ? 'as mirrored' : 'as it is'} (see --orientation).`
}

/** Pictures turned further than this are worth a sentence, degrees. */
const TURNED = 30

/** What a file said that the picture contradicts. */
const CONTRADICTED: Record<Told, (said: XrayReading) => string> = {
  intensity: s => `The file says that its values are ${s.intensity}; the picture fits only otherwise.`,
  bright: s => `The file says that bright stands for ${s.bright}; the picture fits only otherwise.`,
  mirrored: s =>
    `By its file the picture is ${s.mirrored ? 'stored as seen from behind the detector' : 'stored as seen from the tube'}; it fits only the other way.`
}

/** What was found about the picture, for people. @param said what was known before */
function findings(n: Normalisation, said: XrayReading): string[] {
  const keys = (['intensity', 'bright', 'mirrored'] as const).filter(k => n.settled[k] === 'found')
  return [
    ...keys.map(k => (said[k] === undefined || said[k] === n[k] ? FOUND[k](n) : CONTRADICTED[k](said))),
    ...(n.mirrored ? ['The picture is stored as seen from the other side; its columns were reversed.'] : []),
    ...(n.tube === 'behind' && n.settled.tube === 'found'
      ? ['The X-ray was taken from behind the patient (the tube beneath the table).']
      : []),
    ...(Math.abs(n.rotationDeg) > TURNED
      ? [`The patient's head points ${Math.round(n.rotationDeg)}° clockwise from the top of the picture.`]
      : [])
  ]
}

/** What the file and the user say of the picture; what the file only suggests is tried first. */
export function readingOf(
  xray: CalibratedXray,
  w: Pick<RegisterWork, 'orientation' | 'tube' | 'reading'>
): XrayReading {
  const told = (key: 'intensity' | 'bright') => !xray.guessed.includes(key)
  const byFile: Record<Told, boolean> = {
    intensity: told('intensity') && w.reading.intensity === undefined,
    bright: told('bright') && w.reading.bright === undefined,
    mirrored: xray.mirrored !== null && w.orientation?.mirrored === undefined
  }
  return {
    ...(told('intensity') && { intensity: xray.intensity }),
    ...(told('bright') && { bright: xray.bright }),
    ...(xray.mirrored !== null && { mirrored: xray.mirrored }),
    ...(xray.sourceToPatient !== null && { sourceToPatient: xray.sourceToPatient }),
    ...w.orientation,
    ...(w.tube && { tube: w.tube }),
    hearsay: (['intensity', 'bright', 'mirrored'] as const).filter(k => byFile[k]),
    guess: {
      intensity: xray.intensity,
      bright: xray.bright,
      tube: likelyTube(xray),
      ...(xray.positioner && {
        view: viewFromPositioner(xray.positioner.primary, xray.positioner.secondary)
      })
    }
  }
}

/** Beams flatter than this (cosine to anterior-posterior) are lateral ones. */
const LATERAL = 0.2

/** Where the positioner's angles have the tube; they are tried first, no more: tables of angles are wrong for other patient positions. */
function likelyTube({ positioner }: Pick<CalibratedXray, 'positioner'>): TubeSide | undefined {
  if (!positioner) return undefined
  const towardsFront = -beamFromPositioner(positioner.primary, positioner.secondary)[1]
  if (Math.abs(towardsFront) < LATERAL) return undefined
  return towardsFront > 0 ? 'behind' : 'front'
}

export interface RegisteredXray {
  readonly result: RegistrationJson
  readonly report: string
}

/**
 * Registers one X-ray, or several together, and writes {@link FILES} for each: into the folder itself, or into its folders 1, 2 … The
 * result comes last, so a folder that has one is whole.
 * @throws ArgumentError for another number of geometries than X-rays, or a picture that is given twice
 */
export async function registerToFolder(w: RegisterWork): Promise<RegisteredXray[]> {
  const { onProgress, signal } = w
  // The X-rays first: they are what is most often wrong, and quick to read.
  const read = await readXrays(w)
  await ensureWritableFolder(w.out)
  onProgress?.({ stage: 'Opening the patient', fraction: 0 })
  const patient = await openPatient(w.patient)
  const registrar = await createRegistrar(patient, w)
  try {
    const relative = relativeGeometry(
      read.map(r => r.xray),
      w.relative
    )
    const set = await registrar.registerAll(
      read.map(({ xray }, i) => ({
        image: xray.image,
        detector: xray.detector,
        reading: readingOf(xray, w),
        cameraFromFirst: relative.cameraFromFirst[i]
      })),
      { relative: relative.source === 'angles' ? 'angles' : 'tracked', signal, onProgress }
    )
    const several = read.length > 1
    const how = several ? [relative.note, setNote(set.solved, relative.source)].filter(n => n !== '') : []
    const out: RegisteredXray[] = []
    for (const [i, registration] of set.views.entries())
      out.push(
        await writeRegistration(registrar, registration, read[i], w, {
          folder: several ? join(w.out, String(i + 1)) : w.out,
          geometry: geometryOf(w.geometry, i),
          notes: how,
          more: several
            ? { xrays: read.map(r => r.file), relativeGeometry: relative.source, solved: set.solved }
            : {}
        })
      )
    if (several)
      await writeJsonAtomic(join(w.out, FILES.result), {
        format: 'raypose-registration-set',
        relativeGeometry: relative.source,
        solved: set.solved,
        results: out.map(({ result }, i) => ({
          file: `${i + 1}/${FILES.result}`,
          xray: result.inputs.xray.file,
          status: result.status,
          geometry: result.geometry
        }))
      })
    return out
  } finally {
    await registrar.dispose()
  }
}

/** What became of roughly known geometry. */
const setNote = (solved: 'joint' | 'apart', source: RelativeSource): string =>
  solved === 'joint'
    ? 'The X-rays share one pose.'
    : source === 'unknown'
      ? ''
      : 'The X-rays do not fit that geometry: each was registered by itself.'

async function writeRegistration(
  registrar: Registrar,
  registration: Registration,
  { xray, file, sha256 }: ReadXray,
  w: RegisterWork,
  where: {
    readonly folder: string
    readonly geometry?: string
    readonly notes: readonly string[]
    readonly more: Record<string, unknown>
  }
): Promise<RegisteredXray> {
  const { normalisation } = registration.initial
  const notes = [...where.notes, ...xray.notes, ...findings(normalisation, readingOf(xray, w))]
  const parameters = {
    similarity: registration.similarity.name,
    intensity: normalisation.intensity,
    bright: normalisation.bright,
    mirrored: normalisation.mirrored,
    tube: normalisation.tube,
    geometry: where.geometry ?? 'from the X-ray',
    ...(w.reading.sdd !== undefined && { sddMm: w.reading.sdd }),
    threads: w.threads,
    ...where.more
  }
  const result = registrationJson(registration, registrar.patient, { file, sha256 }, parameters, notes)
  const before = registrationOverlay(registrar, registration, 'initial')
  const after = registrationOverlay(registrar, registration, 'final')
  const report = join(where.folder, FILES.report)
  await writeFileAtomic(join(where.folder, FILES.initial), before)
  await writeFileAtomic(join(where.folder, FILES.final), after)
  await writeFileAtomic(report, registerReport({ result, before, after }))
  await writeJsonAtomic(join(where.folder, FILES.result), result)
  return { result, report }
}
