import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelError } from '@raypose/core'
import { type NetworkSpec, readCheckpointNote } from '@raypose/network'
import { writeFileAtomic, writeJsonAtomic } from '../files/atomic.js'
import { type Difference, differences } from '../files/differences.js'
import { readJson } from '../files/read-bytes.js'
import type { Accuracy } from './validation.js'

/** Some steps of a training, summed up. */
export interface LoggedStep {
  readonly step: number
  readonly loss: number
  readonly gradientNorm: number
  readonly lr: number
  /** Time of training so far. */
  readonly seconds: number
  readonly imagesPerSecond: number
  /** Parts of the time since the entry before: each thread for itself, so that they do not add up to 1. */
  readonly shares: TimeShares
}

export interface TimeShares {
  /** Learning, and waiting for a batch, in the thread that learns. */
  readonly training: number
  readonly waiting: number
  /** Making batches in the other thread, and of that the views: rendering, and making or reading patients. */
  readonly feeding: number
  readonly views: number
}

export interface LoggedValidation {
  readonly step: number
  readonly validation: Accuracy
  readonly groups?: readonly { readonly name: string; readonly accuracy: Accuracy }[]
}

/** What happened beside steps and validations. */
export type LoggedEvent =
  | { readonly resumed: number }
  | { readonly rolledBack: { readonly from: number; readonly to: number; readonly rate: number } }

/** The folder of a training run: config.json, log.ndjson, checkpoint.bin and what the run makes of them. */
export interface RunFolder {
  /** The checkpoint of an earlier part of the run. */
  readonly checkpoint: Uint8Array | null
  /** Where that checkpoint stands; 0 without one. */
  readonly step: number
  /** Appends to the log, entry after entry. */
  log(entry: LoggedStep | LoggedValidation | LoggedEvent): Promise<void>
  saveCheckpoint(bytes: Uint8Array): Promise<void>
}

/** So many differences are named. */
const NAMED = 4

/** Settings of a run and of what is asked for, as a line says them. */
function named(others: readonly Difference[]): string {
  const value = (x: unknown) => {
    if (x === undefined) return 'not set'
    const text = JSON.stringify(x)
    return text.length > 40 ? `${text.slice(0, 39)}…` : text
  }
  const shown = others.slice(0, NAMED).map(({ path, a, b }) => `${path} ${value(a)} there, ${value(b)} here`)
  const more = others.length - shown.length
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('; ')
}

/**
 * Opens the folder of a run, a new one or one that was cut short.
 * @param config every setting that the run's course depends on
 * @throws ModelError for a folder of another run, and for a checkpoint that is damaged or of another network or version
 */
export async function openRunFolder(out: string, spec: NetworkSpec, config: object): Promise<RunFolder> {
  const file = join(out, 'config.json')
  const plain = JSON.parse(JSON.stringify(config))
  await mkdir(out, { recursive: true })
  const there = await readFile(file, 'utf8').catch(() => null)
  if (there === null) await writeJsonAtomic(file, plain)
  else {
    const others = differences(await readJson(file), plain)
    if (others.length > 0)
      throw new ModelError(
        `${out} holds a training run with other settings: ${named(others)}`,
        'Give another --out folder, or the settings in its config.json.'
      )
  }
  const checkpointFile = join(out, 'checkpoint.bin')
  const checkpoint = await readFile(checkpointFile).catch(() => null)
  const step = checkpoint ? checkpointStep(spec, checkpoint, checkpointFile) : 0

  const logFile = join(out, 'log.ndjson')
  let writing: Promise<void> = Promise.resolve()
  const log: RunFolder['log'] = entry => {
    const line = `${JSON.stringify({ ...entry, time: new Date().toISOString() })}\n`
    writing = writing.then(() => appendFile(logFile, line))
    // Reported by the next call that is waited for.
    writing.catch(() => {})
    return writing
  }
  if (there !== null) {
    // A line that a kill cut short must not swallow the next one.
    await appendFile(logFile, '\n')
    await log({ resumed: step })
  }
  return { checkpoint, step, log, saveCheckpoint: bytes => writeFileAtomic(checkpointFile, bytes) }
}

function checkpointStep(spec: NetworkSpec, bytes: Uint8Array, file: string): number {
  try {
    return readCheckpointNote(spec, bytes).step
  } catch (error) {
    if (!(error instanceof ModelError)) throw error
    throw new ModelError(
      `${file}: ${error.message}`,
      'Remove it to start this run anew, or give another --out folder.',
      { cause: error }
    )
  }
}

/** What a run's log says of the course that led to where it stands: steps that a kill lost are left out. */
export interface TrainingLog {
  readonly steps: readonly LoggedStep[]
  readonly validations: readonly LoggedValidation[]
  readonly events: readonly LoggedEvent[]
}

/** Reads the log of a run; lines that were cut short are passed over, and a run without a log has an empty one. */
export async function readTrainingLog(out: string): Promise<TrainingLog> {
  const text = await readFile(join(out, 'log.ndjson'), 'utf8').catch(() => '')
  return parseTrainingLog(text)
}

export function parseTrainingLog(text: string): TrainingLog {
  let steps: LoggedStep[] = []
  let validations: LoggedValidation[] = []
  const events: LoggedEvent[] = []
  const backTo = (step: number) => {
    steps = steps.filter(s => s.step <= step)
    validations = validations.filter(v => v.step <= step)
  }
  for (const line of text.split('\n')) {
    const entry = parsed(line)
    if (entry === null) continue
    if ('resumed' in entry || 'rolledBack' in entry) {
      backTo('resumed' in entry ? entry.resumed : entry.rolledBack.to)
      events.push(entry)
    } else if ('validation' in entry) validations.push(entry)
    else if ('loss' in entry) steps.push(entry)
  }
  return { steps, validations, events }
}

function parsed(line: string): LoggedStep | LoggedValidation | LoggedEvent | null {
  try {
    const entry: unknown = JSON.parse(line)
    return typeof entry === 'object' ? (entry as LoggedStep) : null
  } catch {
    return null
  }
}
