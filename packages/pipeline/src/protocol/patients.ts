import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ArgumentError, FileFormatError, type Vec3 } from '@raypose/core'
import { z } from 'zod'
import { fileError, readJson } from '../files/read-bytes.js'

/** A patient to evaluate on: where its CT, its reference landmarks M and its preparation lie. */
export interface PatientSource {
  readonly name: string
  /** A CT; null where there is but a prepared patient, whose own CT is used. */
  readonly ct: string | null
  /** A prepared patient's folder; null where there is none (yet). */
  readonly bundle: string | null
  /** M, LPS mm, where it is known; null for a landmark that is not. */
  readonly landmarks: readonly (Vec3 | null)[] | null
  /** LPS mm; given with the landmarks, or their mean. */
  readonly isocenter: Vec3 | null
}

const CT_ENDINGS = ['.nii.gz', '.nrrd', '.nii', '.mha'] as const
const LANDMARKS = '.landmarks.json'
const MANIFEST = 'manifest.json'

const point = z.tuple([z.number(), z.number(), z.number()])
const landmarkFile = z.object({
  landmarks: z.array(z.object({ name: z.string().optional(), point: point.nullable() })).min(1),
  isocenter: point.nullish()
})

/**
 * The patients in a folder: CTs (`NAME.nrrd`, .nii, .nii.gz, .mha, or a folder NAME of DICOM slices) and prepared patients (a folder
 * NAME), each with its reference landmarks in `NAME.landmarks.json` beside it where they are known. The folder may itself be one.
 * @throws FileNotFoundError; ArgumentError for a folder without a patient; FileFormatError for landmarks that are none
 */
export async function findPatients(folder: string): Promise<PatientSource[]> {
  const names = (
    await readdir(folder).catch(error => {
      throw fileError(folder, error)
    })
  ).filter(name => !name.startsWith('.'))
  // By what a link leads to: sets of patients are often put together from links.
  const entries = await Promise.all(
    names.map(async name => ({
      name,
      folder: await stat(join(folder, name)).then(
        s => s.isDirectory(),
        () => false
      )
    }))
  )
  const files = entries.filter(e => !e.folder).map(e => e.name)
  if (files.includes(MANIFEST)) return [await source(nameOf(folder), null, folder, null)]
  const found: PatientSource[] = []
  const landmarksOf = (name: string) =>
    files.includes(name + LANDMARKS) ? join(folder, name + LANDMARKS) : null
  for (const file of files) {
    const ending = CT_ENDINGS.find(e => file.endsWith(e))
    if (!ending) continue
    const name = file.slice(0, -ending.length)
    found.push(await source(name, join(folder, file), null, landmarksOf(name)))
  }
  for (const { name } of entries.filter(e => e.folder)) {
    const path = join(folder, name)
    const within = await readdir(path)
    if (within.length === 0) continue
    const prepared = within.includes(MANIFEST)
    found.push(await source(name, prepared ? null : path, prepared ? path : null, landmarksOf(name)))
  }
  const twice = found.find((p, i) => found.findIndex(q => q.name === p.name) < i)
  if (twice)
    throw new ArgumentError(
      `${folder} holds two patients "${twice.name}"`,
      'Give each patient a name of its own; a preparation of a CT belongs into another folder (--prepared).'
    )
  if (found.length === 0)
    throw new ArgumentError(
      `${folder} holds no patient`,
      'Give a folder of CTs (NAME.nrrd beside NAME.landmarks.json), or of prepared patients.'
    )
  return found.sort((a, b) => (a.name < b.name ? -1 : 1))
}

const nameOf = (folder: string) =>
  folder
    .replace(/[/\\]+$/, '')
    .split(/[/\\]/)
    .pop() || 'patient'

async function source(
  name: string,
  ct: string | null,
  bundle: string | null,
  file: string | null
): Promise<PatientSource> {
  if (file === null) return { name, ct, bundle, landmarks: null, isocenter: null }
  const parsed = landmarkFile.safeParse(await readJson(file))
  const bad = (what: string): never => {
    throw new FileFormatError(
      `${file}: ${what}`,
      'It should be {"landmarks": [{"name": "…", "point": [x, y, z] or null}, …]} with LPS coordinates in mm.'
    )
  }
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return bad(`"${issue.path.join('.')}" ${issue.message}`)
  }
  const landmarks = parsed.data.landmarks.map(l => l.point)
  const known = landmarks.filter(p => p !== null)
  if (known.length === 0) bad('no landmark has a point')
  const mean = [0, 1, 2].map(k => known.reduce((s, p) => s + p[k] / known.length, 0)) as unknown as Vec3
  return { name, ct, bundle, landmarks, isocenter: parsed.data.isocenter ?? mean }
}

/** Hash of what a CT was read from; of a folder, the names and sizes of its files. */
export async function ctFingerprint(path: string): Promise<string> {
  const hash = createHash('sha256')
  if ((await stat(path)).isDirectory()) {
    const names = (await readdir(path, { recursive: true })).sort()
    for (const name of names) hash.update(`${name} ${(await stat(join(path, name))).size}\n`)
  } else for await (const part of createReadStream(path)) hash.update(part as Buffer)
  return hash.digest('hex')
}
