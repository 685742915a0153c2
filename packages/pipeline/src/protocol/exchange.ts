import { join } from 'node:path'
import {
  ArgumentError,
  assertRigid,
  CancelledError,
  FileFormatError,
  geometryToJson,
  imageRange,
  type Mat4
} from '@raypose/core'
import { writeDicomXray, writeNifti, writePng16 } from '@raypose/formats'
import { z } from 'zod'
import { writeFileAtomic, writeJsonAtomic } from '../files/atomic.js'
import { readJson } from '../files/read-bytes.js'
import type { OnProgress } from '../types.js'
import { rowOf } from './methods.js'
import type { PatientSource } from './patients.js'
import { type ProtocolRow, UNJUDGED } from './rows.js'
import type { Protocol } from './schema.js'
import { openStage } from './stage.js'

const fileOf = (view: number) => `view-${String(view).padStart(3, '0')}`

/**
 * Writes everything that another system needs to be run on the same views: for each patient the CT as NIfTI and its targets, for each
 * view the X-ray as DICOM and PNG (line integrals, bone bright) and its geometry as JSON, without the pose. The true poses lie apart,
 * in `truth.json`, which is in the form that {@link readPoses} takes.
 */
export async function exportViews(
  protocol: Protocol,
  sources: readonly PatientSource[],
  out: string,
  { signal, onProgress }: { readonly signal?: AbortSignal; readonly onProgress?: OnProgress } = {}
): Promise<{ patients: number; views: number }> {
  const truth: PoseEntry[] = []
  for (const [p, source] of sources.entries()) {
    const stage = await openStage(source, protocol)
    const folder = join(out, source.name)
    await writeFileAtomic(join(folder, 'ct.nii.gz'), writeNifti(stage.volume, { gzip: true }))
    await writeJsonAtomic(join(folder, 'targets.json'), {
      kind: stage.targetKind,
      isocenter: stage.isocenter,
      landmarks: stage.targets.map((point, i) => ({ name: `target ${i + 1}`, point }))
    })
    for (const view of stage.views.keys()) {
      if (signal?.aborted) throw new CancelledError('The export was stopped', 'Run the same command again.')
      onProgress?.({
        stage: `Exporting ${stage.views.length} views of each of ${sources.length} patients`,
        fraction: (p + view / stage.views.length) / sources.length
      })
      const image = await stage.xray(view)
      const { detector } = stage
      const geometry = { detector, intensity: 'log', bright: 'attenuation' } as const
      const path = join(folder, fileOf(view))
      await writeFileAtomic(`${path}.dcm`, writeDicomXray(image, geometry, { patientId: source.name }))
      await writeFileAtomic(`${path}.png`, writePng16(image, imageRange(image)))
      await writeJsonAtomic(`${path}.json`, geometryToJson(detector))
      truth.push({
        patient: source.name,
        view,
        cameraFromLps: Array.from(stage.camera(view).cameraFromLps)
      })
    }
    stage.dispose()
  }
  await writeJsonAtomic(join(out, 'truth.json'), { format: 'raypose-poses', name: 'truth', poses: truth })
  await writeJsonAtomic(join(out, 'protocol.json'), protocol)
  return { patients: sources.length, views: truth.length }
}

interface PoseEntry {
  readonly patient: string
  readonly view: number
  readonly cameraFromLps: readonly number[] | null
  readonly initialCameraFromLps?: readonly number[] | null
  readonly seconds?: number
}

/** Poses of a system under the name that the tables are to give it. */
export interface ImportedPoses {
  readonly name: string
  readonly poses: readonly PoseEntry[]
}

const matrix = z.array(z.number()).length(16)
const posesFile = z.object({
  format: z.literal('raypose-poses').optional(),
  name: z.string().min(1),
  poses: z
    .array(
      z.object({
        patient: z.string(),
        view: z.number().int().min(0),
        /** null: the system gave none. */
        cameraFromLps: matrix.nullable(),
        initialCameraFromLps: matrix.nullish(),
        seconds: z.number().min(0).optional()
      })
    )
    .min(1)
})

/**
 * Reads poses that another system (or an earlier run) found: {"name": "…", "poses": [{"patient", "view", "cameraFromLps": 16 numbers,
 * row-major, or null}, …]}.
 * @throws FileNotFoundError; FileFormatError; GeometryError for a matrix that is not rigid
 */
export async function readPoses(path: string): Promise<ImportedPoses> {
  const parsed = posesFile.safeParse(await readJson(path))
  if (!parsed.success)
    throw new FileFormatError(
      `${path} holds no poses: "${parsed.error.issues[0].path.join('.')}" ${parsed.error.issues[0].message}`,
      'It should be {"name": "…", "poses": [{"patient": "…", "view": 0, "cameraFromLps": [16 numbers]}, …]}.'
    )
  const { name, poses } = parsed.data
  for (const p of poses)
    for (const m of [p.cameraFromLps, p.initialCameraFromLps])
      if (m) assertRigid(m, `the pose of ${p.patient}, view ${p.view}`)
  return { name, poses: poses.map(p => ({ ...p, initialCameraFromLps: p.initialCameraFromLps ?? null })) }
}

/**
 * Measures imported poses on the views of a protocol. A view that the file leaves out counts as one without a pose.
 * @throws ArgumentError for a pose of a patient or view that the protocol does not have
 */
export async function measureImported(
  protocol: Protocol,
  sources: readonly PatientSource[],
  imported: ImportedPoses
): Promise<ProtocolRow[]> {
  const rows: ProtocolRow[] = []
  const names = new Set(sources.map(s => s.name))
  const stranger = imported.poses.find(p => !names.has(p.patient))
  if (stranger)
    throw new ArgumentError(
      `The poses of "${imported.name}" name a patient "${stranger.patient}" that is not evaluated`,
      `The patients are: ${[...names].join(', ')}.`
    )
  for (const source of sources) {
    const stage = await openStage(source, protocol)
    const mine = new Map(imported.poses.filter(p => p.patient === source.name).map(p => [p.view, p]))
    const beyond = [...mine.keys()].find(v => v >= stage.views.length)
    if (beyond !== undefined)
      throw new ArgumentError(
        `The poses of "${imported.name}" have a view ${beyond} of ${source.name}, which has ${stage.views.length}`,
        'Views are counted from 0; import into the protocol that they were exported from.'
      )
    for (const view of stage.views.keys()) {
      const pose = mine.get(view)
      const found = (m: readonly number[] | null | undefined) => (m ? (m as unknown as Mat4) : null)
      rows.push(
        rowOf(stage, imported.name, view, {
          initialPose: found(pose?.initialCameraFromLps),
          finalPose: found(pose?.cameraFromLps),
          initialProbability: null,
          ...UNJUDGED,
          seconds: pose?.seconds === undefined ? {} : { total: pose.seconds },
          ...(pose?.cameraFromLps ? {} : { failure: `${imported.name} gives no pose` })
        })
      )
    }
    stage.dispose()
  }
  return rows
}

/** All poses of one method, to be imported again or looked at by others. */
export const posesOf = (rows: readonly ProtocolRow[], method: string) => ({
  format: 'raypose-poses' as const,
  name: method,
  poses: rows
    .filter(r => r.method === method)
    .map(r => ({
      patient: r.patient,
      view: r.view,
      cameraFromLps: r.finalPose && Array.from(r.finalPose),
      initialCameraFromLps: r.initialPose && Array.from(r.initialPose),
      seconds: r.seconds.total
    }))
})
