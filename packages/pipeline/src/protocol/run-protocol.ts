import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { ArgumentError, CancelledError, XRAY_PRESETS } from '@raypose/core'
import { assertAnatomy, networkAnatomy } from '../files/anatomy.js'
import { sha256 } from '../files/hash.js'
import { readModel } from '../files/model.js'
import type { OnProgress } from '../types.js'
import { VERSION } from '../version.js'
import type { PatientSource } from './patients.js'
import { needsPreparation, type PreparationOptions, preparedSource } from './preparations.js'
import { appendRow, type ProtocolRow, ROW_FORMAT, readRows, sortedRows } from './rows.js'
import type { Protocol } from './schema.js'
import { openStage } from './stage.js'
import { runViews } from './view-lanes.js'
import type { ViewRequest } from './view-protocol.js'

export interface RunOptions extends Omit<PreparationOptions, 'prepared'> {
  /** Folder for rows and, by default, preparations. */
  readonly out: string
  readonly prepared?: string
  /** Views at a time; default: as many as there are cores. 1 is the calling thread itself. */
  readonly workers?: number
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/** A patient as it was evaluated. */
export interface RunPatient {
  readonly name: string
  readonly views: number
  readonly targets: number
  readonly targetKind: 'landmarks' | 'surface'
  /** Of the prepared patient's manifest; null without one. */
  readonly bundleSha256: string | null
  readonly ctSha256: string
  /** With its preparation. */
  readonly source: PatientSource
}

/** All rows of a protocol over some patients. */
export interface ProtocolRun {
  readonly protocol: Protocol
  readonly version: string
  readonly patients: readonly RunPatient[]
  /** By patient, method and view. */
  readonly rows: readonly ProtocolRow[]
  readonly machine: string
  readonly workers: number
  /** Wall time of this call; a run that was resumed took longer. */
  readonly seconds: number
}

/**
 * Runs a protocol over patients: prepares those that have to be, then registers every view with every method. Each row is on disk
 * before the next view begins; the same call goes on where an earlier one ended, and gives the same figures, because every view draws
 * from a generator of its own. Rows of other conditions (CT, preparation, X-rays, method, version) are not mixed in.
 * @throws ArgumentError without a patient or method; ModelError for a network or a prepared patient of another anatomy than the protocol's; CancelledError through `signal`; as the preparation and the readers
 */
export async function runProtocol(
  protocol: Protocol,
  sources: readonly PatientSource[],
  options: RunOptions
): Promise<ProtocolRun> {
  if (sources.length === 0) throw new ArgumentError('There is no patient to evaluate', 'Give at least one.')
  const started = performance.now()
  const workers = options.workers ?? availableParallelism()
  const methods = Object.keys(protocol.methods)
  const check = () => {
    if (options.signal?.aborted)
      throw new CancelledError(
        'The evaluation was stopped',
        'Run the same command again to go on where it stopped.'
      )
  }
  // Before the work of a preparation, and of all views.
  if (usesGeneral(protocol) || sources.some(s => s.bundle === null && needsPreparation(protocol)))
    assertAnatomy(networkAnatomy(await readModel(options.model)).name, protocol.anatomy, 'The network')
  const ready: PatientSource[] = []
  for (const source of sources) {
    check()
    ready.push(
      needsPreparation(protocol)
        ? await preparedSource(source, protocol, {
            ...options,
            prepared: options.prepared ?? join(options.out, 'prepared')
          })
        : source
    )
  }
  const patients: RunPatient[] = []
  const rows: ProtocolRow[] = []
  for (const [p, source] of ready.entries()) {
    check()
    const stage = await openStage(source, protocol)
    stage.dispose()
    const { name, views } = stage
    if (stage.patient && needsPreparation(protocol))
      assertAnatomy(stage.patient.manifest.anatomy, protocol.anatomy, `The prepared patient ${name}`)
    const patient: RunPatient = {
      name,
      views: views.length,
      targets: stage.targets.length,
      targetKind: stage.targetKind,
      bundleSha256: stage.patient?.sha256 ?? null,
      ctSha256: stage.ctSha256,
      source
    }
    patients.push(patient)
    const files = new Map(methods.map(m => [m, join(options.out, 'rows', rowsFile(protocol, patient, m))]))
    const done = new Map<string, Set<number>>()
    for (const [method, file] of files) {
      const before = await readRows(file)
      rows.push(...before)
      done.set(method, new Set(before.map(r => r.view)))
    }
    const requests: ViewRequest[] = views.flatMap((_, view) => {
      const missing = methods.filter(m => !done.get(m)?.has(view))
      return missing.length > 0 ? [{ view, methods: missing }] : []
    })
    let finished = views.length - requests.length
    let last: ProtocolRow | undefined
    const report = () =>
      options.onProgress?.({
        stage: `Registering ${views.length} views of each of ${ready.length} patients`,
        fraction: (p + finished / views.length) / ready.length,
        detail: last?.final ? `${name}: ${last.final.projectionDistance.toFixed(2)} mm` : name
      })
    report()
    if (requests.length > 0)
      await runViews(
        {
          source,
          protocol,
          model: usesGeneral(protocol) ? options.model : null,
          drrs: drrFolder(options.out)
        },
        requests,
        workers,
        async found => {
          for (const row of found) await appendRow(files.get(row.method) ?? '', row)
          rows.push(...found)
          finished++
          last = found.at(-1)
          report()
        },
        () => options.signal?.aborted ?? false
      )
    check()
  }
  const [cpu] = cpus()
  return {
    protocol,
    version: VERSION,
    patients,
    rows: sortedRows(
      rows,
      patients.map(p => p.name),
      methods
    ),
    machine: `${cpu?.model.trim() ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.versions.node}`,
    workers,
    seconds: (performance.now() - started) / 1000
  }
}

/** Where a run keeps the line integrals that its X-rays are made from. */
export const drrFolder = (out: string): string => join(out, 'drr')

const usesGeneral = (p: Protocol): boolean =>
  Object.values(p.methods).some(m => m.system.network === 'general')

/** A file for each patient and method; its name stands for everything that the rows depend on. */
function rowsFile(protocol: Protocol, patient: RunPatient, method: string): string {
  const { geometry, views, xray, seed, surfaceTargets, methods } = protocol
  const conditions = [
    VERSION,
    ROW_FORMAT,
    patient.ctSha256,
    patient.bundleSha256,
    patient.source.landmarks,
    patient.source.isocenter,
    { geometry, views, xray, seed, surfaceTargets },
    // What the preset's name stands for may change.
    XRAY_PRESETS[xray.preset],
    methods[method]
  ]
  return join(patient.name, `${method}-${sha256(JSON.stringify(conditions)).slice(0, 12)}.ndjson`)
}
