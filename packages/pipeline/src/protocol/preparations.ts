import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DEGREE, resampleVolume, type ViewGrid, type Volume } from '@raypose/core'
import { sha256 } from '../files/hash.js'
import { readModel } from '../files/model.js'
import { readCt } from '../files/read-ct.js'
import type { PrepareOptions } from '../prepare/options.js'
import { preparePatient } from '../prepare/prepare.js'
import type { OnProgress } from '../types.js'
import type { PatientSource } from './patients.js'
import type { PrepareOverrides, Protocol } from './schema.js'

export interface PreparationOptions {
  /** Folder of preparations, one within it for each patient and setting; those that are there are used as they are. */
  readonly prepared: string
  /** N; default: the one that comes with Raypose. */
  readonly model?: string
  readonly profile?: 'quick' | 'full'
  readonly threads?: number
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/** Whether any method of the protocol starts from a network, so that patients have to be prepared. */
export const needsPreparation = (p: Protocol): boolean =>
  Object.values(p.methods).some(m => m.start.kind === 'network')

/** Name of a preparation's folder: the patient's, and a mark for settings that are not the usual ones. */
export function preparationName(patient: string, p: Pick<Protocol, 'prepare' | 'ct'>): string {
  const settings = JSON.stringify([p.prepare, p.ct])
  return settings === '[{},{}]' ? patient : `${patient}@${sha256(settings).slice(0, 8)}`
}

/**
 * The patient with its preparation, which is made if it is not there yet. One that is itself prepared stays as it is, unless the
 * protocol asks for another preparation, which then starts from the CT in it.
 * @throws as `readCt` and `preparePatient`
 */
export async function preparedSource(
  source: PatientSource,
  protocol: Protocol,
  options: PreparationOptions
): Promise<PatientSource> {
  const usual = Object.keys(protocol.prepare).length === 0 && Object.keys(protocol.ct).length === 0
  if (source.bundle !== null && usual) return source
  const out = join(options.prepared, preparationName(source.name, protocol))
  const ready = await readFile(join(out, 'manifest.json')).catch(() => null)
  if (ready) return { ...source, ct: source.ct ?? bundleCt(source), bundle: out }
  const { signal, threads } = options
  const onProgress: OnProgress = p =>
    options.onProgress?.({ ...p, stage: `${source.name}: ${p.stage.toLowerCase()}` })
  const path = source.ct ?? bundleCt(source)
  const { volume } = await readCt(path, { signal, onProgress })
  const { profile = options.profile, ...rest } = overrides(protocol.prepare)
  await preparePatient(thickened(volume, protocol.ct.sliceMm), await readModel(options.model), {
    out,
    profile,
    ...rest,
    threads,
    source: { path },
    signal,
    onProgress
  })
  return { ...source, ct: path, bundle: out }
}

const bundleCt = (source: PatientSource): string => join(source.bundle ?? '', 'ct.nrrd')

/** A protocol's settings of the preparation as the preparation takes them. */
export function overrides({
  views,
  boneWindow,
  priorGateMm,
  ...rest
}: PrepareOverrides): Partial<PrepareOptions> {
  const unlimited = (x: number | null) => x ?? Number.POSITIVE_INFINITY
  return {
    ...rest,
    ...(boneWindow ? { boneWindow: { low: boneWindow[0], high: unlimited(boneWindow[1]) } } : {}),
    ...(priorGateMm === undefined ? {} : { priorGateMm: unlimited(priorGateMm) }),
    ...(views ? { views: gridOf(views) } : {})
  }
}

function gridOf({ alphaDeg, gammaDeg, zMm }: NonNullable<PrepareOverrides['views']>): ViewGrid {
  const degrees = ({ from, to, count }: typeof alphaDeg) => ({
    from: from * DEGREE,
    to: to * DEGREE,
    count
  })
  const zero = { from: 0, to: 0, count: 1 }
  return { alpha: degrees(alphaDeg), beta: zero, gamma: degrees(gammaDeg), x: zero, y: zero, z: zMm }
}

/** The volume with slices of another thickness along its axis nearest to z. */
function thickened(volume: Volume, sliceMm: number | undefined): Volume {
  if (sliceMm === undefined) return volume
  const along = [0, 1, 2].map(k => Math.abs(volume.direction[6 + k]))
  const up = along.indexOf(Math.max(...along))
  const [x, y, z] = volume.spacing.map((s, k) => (k === up ? sliceMm : s))
  return resampleVolume(volume, { spacing: [x, y, z] })
}
