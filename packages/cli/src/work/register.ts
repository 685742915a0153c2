import { join } from 'node:path'
import {
  createRegistrar,
  ensureWritableFolder,
  openPatient,
  type ReadXray,
  type Registrar,
  type Registration,
  type RegistrationJson,
  type RelativeSource,
  registrationJson,
  relativeGeometry,
  writeFileAtomic,
  writeJsonAtomic
} from '@raypose/pipeline'
import { registerReport } from '../report/register-report.js'
import { removeEarlier } from './earlier-files.js'
import { findings, readingOf } from './picture-reading.js'
import { geometryOf, readXrays } from './read-xrays.js'
import type { RegisterWork } from './register-work.js'
import { registrationOverlay } from './registration-overlay.js'

/** Files that a registration leaves in its folder. */
const FILES = {
  result: 'result.json',
  initial: 'overlay-initial.png',
  final: 'overlay-final.png',
  report: 'report.html'
} as const

const ONE_FORMAT: RegistrationJson['format'] = 'raypose-registration'
const SET_FORMAT = 'raypose-registration-set'

export interface RegisteredXray {
  readonly result: RegistrationJson
  readonly report: string
}

/**
 * Registers one X-ray, or several together, and writes {@link FILES} for each: into the folder itself, or into its folders 1, 2 … The
 * result comes last, and an earlier one goes first, so a folder that has one is whole.
 * @throws ArgumentError for another number of geometries than X-rays, or a picture that is given twice
 */
export async function registerToFolder(w: RegisterWork): Promise<RegisteredXray[]> {
  const { onProgress, signal } = w
  // The X-rays first: they are what is most often wrong, and quick to read.
  const read = await readXrays(w)
  await ensureWritableFolder(w.out)
  await removeRegistration(w.out)
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
        format: SET_FORMAT,
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

/** Removes an earlier registration's files; where it was of several X-rays, their folders are in its own list. */
async function removeRegistration(folder: string): Promise<void> {
  const remove = (from: string, format: string) =>
    removeEarlier(from, Object.values(FILES), FILES.result, format)
  await remove(folder, ONE_FORMAT)
  const set = await remove(folder, SET_FORMAT)
  if (!Array.isArray(set?.results)) return
  for (let i = 1; i <= set.results.length; i++) await remove(join(folder, String(i)), ONE_FORMAT)
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
