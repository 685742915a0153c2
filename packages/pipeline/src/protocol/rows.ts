import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { FileFormatError, type Mat4, type PoseErrors } from '@raypose/core'
import { writeFileAtomic } from '../files/atomic.js'
import type { RegistrationStatus } from '../register/assessment/assess.js'

/** What a system says of its final pose; all null where it says nothing. */
export interface Judgement {
  readonly status: RegistrationStatus | null
  /** Probability that it is a success. */
  readonly probability: number | null
  /** Probabilities that its TRE is beyond 2 and 10 mm. */
  readonly probabilityTreAbove2mm: number | null
  readonly probabilityTreAbove10mm: number | null
}

export const UNJUDGED: Judgement = {
  status: null,
  probability: null,
  probabilityTreAbove2mm: null,
  probabilityTreAbove10mm: null
}

/** Changes with what a row holds: rows of before are done again. */
export const ROW_FORMAT = 2

/** One method on one view of one patient. */
export interface ProtocolRow extends Judgement {
  readonly patient: string
  readonly method: string
  /** Place among the patient's views, from 0. */
  readonly view: number
  readonly alphaDeg: number
  readonly betaDeg: number
  readonly gammaDeg: number
  readonly offsetMm: readonly [number, number, number]
  /** Targets that the picture shows. */
  readonly visible: number
  /** camera_from_lps. */
  readonly truth: Mat4
  readonly initialPose: Mat4 | null
  readonly finalPose: Mat4 | null
  /** Errors of both poses at the targets; null where there is no pose. */
  readonly initial: PoseErrors | null
  readonly final: PoseErrors | null
  /** What the system itself gives as the probability that its initial pose is a success; null where it says nothing. */
  readonly initialProbability: number | null
  /** Seconds of each part; `total` from X-ray to pose. */
  readonly seconds: Readonly<Record<string, number>>
  /** Why there is no pose. */
  readonly failure?: string
}

/**
 * Rows that an earlier run left, one JSON object a line. A last line that was cut short (the run was killed while writing it) is
 * dropped, from the file too, so that what follows starts on a line of its own.
 * @throws FileFormatError for any other line that is not a row
 */
export async function readRows(path: string): Promise<ProtocolRow[]> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  if (whole !== text) await writeFileAtomic(path, whole)
  return whole
    .split('\n')
    .filter(line => line !== '')
    .map((line, i) => {
      try {
        return JSON.parse(line, revive) as ProtocolRow
      } catch (cause) {
        throw new FileFormatError(
          `${path}:${i + 1}: it is not a row`,
          'Delete the file; its views are then done again.',
          { cause }
        )
      }
    })
}

/** Adds a row: one write of one line. */
export async function appendRow(path: string, row: ProtocolRow): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await appendFile(path, `${JSON.stringify(row, replace)}\n`)
}

/** JSON has no infinity; a target behind the source gives one. */
const INFINITE = '∞'
const replace = (_: string, value: unknown) => (value === Number.POSITIVE_INFINITY ? INFINITE : value)
const revive = (_: string, value: unknown) => (value === INFINITE ? Number.POSITIVE_INFINITY : value)

/** Patients as listed, then methods as listed, then views. */
export function sortedRows(
  rows: readonly ProtocolRow[],
  patients: readonly string[],
  methods: readonly string[]
): ProtocolRow[] {
  const p = new Map(patients.map((name, i) => [name, i]))
  const m = new Map(methods.map((name, i) => [name, i]))
  const place = (of: Map<string, number>, name: string) => of.get(name) ?? of.size
  return [...rows].sort(
    (a, b) =>
      place(p, a.patient) - place(p, b.patient) || place(m, a.method) - place(m, b.method) || a.view - b.view
  )
}
