import { FileFormatError, type PoseErrors } from '@raypose/core'
import { z } from 'zod'
import { readJson } from '../files/read-bytes.js'
import type { RegistrationStatus } from '../register/assessment/assess.js'
import { STATUSES } from './honesty.js'
import type { ProtocolRow } from './rows.js'
import type { ProtocolRun, RunPatient } from './run-protocol.js'
import { MEASURE_KEYS } from './schema.js'
import { type MethodSummary, type ProtocolSummary, summariseMethods, summariseProtocol } from './summary.js'

/** One arm of an ablation, summed up. */
export interface ArmResult {
  readonly ablation: string
  readonly title: string
  readonly arm: string
  readonly methods: readonly MethodSummary[]
}

/** Success from one distance of the start. */
export interface CapturePoint {
  readonly method: string
  readonly treMm: number
  readonly successes: number
  readonly of: number
}

/** `evaluation.json` of a protocol: every figure, and the errors of every view as a table. Small enough to be kept and compared with. */
export interface ProtocolResults {
  readonly format: 'raypose-protocol-results'
  readonly formatVersion: 1
  readonly version: string
  readonly protocol: {
    readonly name: string
    readonly title: string
    readonly anatomy: string
    readonly seed: number
    readonly xray: unknown
    readonly views: unknown
    readonly geometry: unknown
    readonly methods: unknown
  }
  readonly conditions: { readonly machine: string; readonly workers: number; readonly seconds: number }
  readonly patients: readonly Omit<RunPatient, 'source'>[]
  readonly summary: ProtocolSummary
  readonly captureRange: readonly CapturePoint[]
  readonly ablations: readonly ArmResult[]
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | number | null)[])[]
}

const PLACE = ['patient', 'method', 'view', 'alphaDeg', 'betaDeg', 'gammaDeg', 'xMm', 'yMm', 'zMm', 'visible']
const ERRORS = (['initial', 'final'] as const).flatMap(which =>
  MEASURE_KEYS.map(key => ({ which, key, column: `${which}.${key}` }))
)
const LAST = [
  'initialProbability',
  'status',
  'probability',
  'probabilityTreAbove2mm',
  'probabilityTreAbove10mm',
  'initialSeconds',
  'seconds',
  'failure'
]

/** Columns of the table of views, in JSON and CSV alike: errors in mm and degrees. */
export const RESULT_COLUMNS: readonly string[] = [...PLACE, ...ERRORS.map(e => e.column), ...LAST]

/** What is left of a decimal: a tenth of a micrometre is none of anyone's business. */
const rounded = (x: number | null | undefined): number | null =>
  x === null || x === undefined || !Number.isFinite(x) ? null : Number(x.toFixed(4))

/** A row under {@link RESULT_COLUMNS}; what is missing or infinite is null. */
export function resultRow(r: ProtocolRow): (string | number | null)[] {
  const { total, refine = 0 } = r.seconds
  return [
    r.patient,
    r.method,
    r.view,
    rounded(r.alphaDeg),
    rounded(r.betaDeg),
    rounded(r.gammaDeg),
    ...r.offsetMm.map(rounded),
    r.visible,
    ...ERRORS.map(({ which, key }) => rounded(r[which]?.[key])),
    rounded(r.initialProbability),
    r.status,
    rounded(r.probability),
    rounded(r.probabilityTreAbove2mm),
    rounded(r.probabilityTreAbove10mm),
    rounded(total === undefined ? null : total - refine),
    rounded(total),
    r.failure ?? null
  ]
}

/** What a run and its sub-runs came to. */
export function protocolResults(
  run: ProtocolRun,
  extra: { readonly captureRange?: readonly CapturePoint[]; readonly ablations?: readonly ArmResult[] } = {}
): ProtocolResults {
  const { name, title, anatomy, seed, xray, views, geometry, methods } = run.protocol
  const { machine, workers, seconds } = run
  return {
    format: 'raypose-protocol-results',
    formatVersion: 1,
    version: run.version,
    protocol: { name, title, anatomy, seed, xray, views, geometry, methods },
    conditions: { machine, workers, seconds },
    patients: run.patients.map(({ source: _, ...p }) => p),
    summary: summariseProtocol(
      run.protocol,
      run.rows,
      run.patients.map(p => p.name)
    ),
    captureRange: extra.captureRange ?? [],
    ablations: extra.ablations ?? [],
    columns: RESULT_COLUMNS,
    rows: run.rows.map(resultRow)
  }
}

/** An arm's run, summed up. */
export const armResult = (
  arm: { readonly ablation: string; readonly title: string; readonly arm: string },
  run: ProtocolRun
): ArmResult => ({
  ablation: arm.ablation,
  title: arm.title,
  arm: arm.arm,
  methods: summariseMethods(run.protocol, run.rows)
})

/** JSON with one line for each view: it stays readable, and a change to it is a readable difference. */
export function resultsText(r: ProtocolResults): string {
  const { rows, ...head } = r
  const text = JSON.stringify({ ...head, rows: [] }, null, 1)
  const lines = rows.map(row => `  ${JSON.stringify(row)}`).join(',\n')
  return `${text.replace(/"rows": \[\]\s*\}$/, () => `"rows": [\n${lines}\n ]\n}`)}\n`
}

/** One line a view, with a heading; text in quotes. */
export function resultsCsv(rows: readonly ProtocolRow[]): string {
  const cell = (x: string | number | null) =>
    x === null ? '' : typeof x === 'number' ? String(x) : `"${x.replaceAll('"', '""')}"`
  return `${[RESULT_COLUMNS, ...rows.map(resultRow)].map(row => row.map(cell).join(',')).join('\r\n')}\r\n`
}

/** What is needed of an earlier run's file to compare with it. */
export interface EarlierView {
  readonly patient: string
  readonly method: string
  readonly view: number
  /** To tell whether it is the same view. */
  readonly place: readonly (number | null)[]
  readonly initial: Partial<Record<keyof PoseErrors, number | null>>
  readonly final: Partial<Record<keyof PoseErrors, number | null>>
  /** What it said of its final pose; null where it said nothing, or the file is of before it did. */
  readonly status: RegistrationStatus | null
}

const resultsFile = z.object({
  format: z.literal('raypose-protocol-results'),
  formatVersion: z.literal(1),
  version: z.string(),
  columns: z.array(z.string()),
  rows: z.array(z.array(z.union([z.string(), z.number(), z.null()])))
})

/**
 * Reads the views of an earlier `evaluation.json`.
 * @throws FileNotFoundError; FileFormatError for another kind of file
 */
export async function readResults(path: string): Promise<{ version: string; views: EarlierView[] }> {
  const parsed = resultsFile.safeParse(await readJson(path))
  if (!parsed.success)
    throw new FileFormatError(
      `${path} holds no results of a protocol: "${parsed.error.issues[0].path.join('.')}" ${parsed.error.issues[0].message}`,
      'Give the evaluation.json that "raypose evaluate --protocol" wrote.'
    )
  const { version, columns, rows } = parsed.data
  return { version, views: viewsOf(columns, rows) }
}

/** The views of a table under its columns. */
export function viewsOf(
  columns: readonly string[],
  rows: readonly (readonly (string | number | null)[])[]
): EarlierView[] {
  const at = new Map(columns.map((c, i) => [c, i]))
  const value = (row: readonly (string | number | null)[], column: string) =>
    row[at.get(column) ?? -1] ?? null
  const number = (x: string | number | null) => (typeof x === 'number' ? x : null)
  return rows.map(row => {
    const errors = (which: 'initial' | 'final') =>
      Object.fromEntries(MEASURE_KEYS.map(key => [key, number(value(row, `${which}.${key}`))]))
    return {
      patient: String(value(row, 'patient')),
      method: String(value(row, 'method')),
      view: Number(value(row, 'view')),
      place: PLACE.slice(3, 9).map(c => number(value(row, c))),
      initial: errors('initial'),
      final: errors('final'),
      status: STATUSES.find(s => s === value(row, 'status')) ?? null
    }
  })
}
