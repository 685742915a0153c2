import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic, writeJsonAtomic } from '../files/atomic.js'
import { landmarkSchema, type PatientLandmark } from '../patient/manifest.js'
import { VERSION } from '../version.js'
import type { Located } from './locate.js'

/** What an interrupted preparation left, and where the present one leaves its own. */
export interface Work {
  readonly located?: Located
  readonly landmarks?: PatientLandmark[]
  readonly checkpoint?: Uint8Array
  /** Loss and validation error so far as [step, value], and seconds spent on retraining. */
  readonly training: TrainingRecord
  readonly saveLocated: (located: Located) => Promise<void>
  readonly saveLandmarks: (landmarks: readonly PatientLandmark[]) => Promise<void>
  readonly saveCheckpoint: (bytes: Uint8Array, record: TrainingRecord) => Promise<void>
  readonly remove: () => Promise<void>
}

export interface TrainingRecord {
  readonly curve: [number, number][]
  readonly validationCurve: [number, number][]
  readonly seconds: number
}

const NAMES = {
  config: 'config.json',
  located: 'located.json',
  landmarks: 'landmarks.json',
  checkpoint: 'checkpoint.bin',
  training: 'training.json'
} as const

const pairs = z.array(z.tuple([z.number(), z.number()]))
const trainingSchema = z.object({ curve: pairs, validationCurve: pairs, seconds: z.number() })

const three = z.tuple([z.number(), z.number(), z.number()])
/** JSON has no NaN: what is not known comes back as null. */
const perhaps = z
  .number()
  .nullable()
  .transform(x => x ?? Number.NaN)
const locatedSchema: z.ZodType<Located> = z.object({
  lpsFromCt: z.array(z.number()).length(9),
  isocenter: three,
  agreeing: perhaps,
  landmarks: perhaps,
  residualMm: perhaps,
  verified: z.boolean(),
  orientationsTried: perhaps
})

/**
 * Opens the folder for work in progress. Each file in it is written whole or not at all, so that whenever a preparation ends, the next
 * one of the same CT with the same settings, by the same version, goes on from there; what another one left, or what was damaged since, is removed.
 */
export async function openWork(folder: string, config: object): Promise<Work> {
  const at = (name: keyof typeof NAMES) => join(folder, NAMES[name])
  const text = `${JSON.stringify({ version: VERSION, ...config }, null, 2)}\n`
  const before = await readFile(at('config'), 'utf8').catch(() => null)
  const json = async <T>(name: keyof typeof NAMES, schema: z.ZodType<T>): Promise<T | undefined> => {
    const t = await readFile(at(name), 'utf8').catch(() => null)
    return t === null ? undefined : schema.parse(JSON.parse(t))
  }
  const left = async () => ({
    located: await json('located', locatedSchema),
    landmarks: await json('landmarks', z.array(landmarkSchema)),
    training: await json('training', trainingSchema),
    checkpoint: (await readFile(at('checkpoint')).catch(() => null)) ?? undefined
  })
  const found = before === text ? await left().catch(() => null) : null
  if (!found) {
    await rm(folder, { recursive: true, force: true })
    await writeFileAtomic(at('config'), text)
  }
  const { located, landmarks, checkpoint, training } = found ?? {}
  return {
    located,
    landmarks,
    checkpoint,
    training: (checkpoint && training) ?? { curve: [], validationCurve: [], seconds: 0 },
    saveLocated: located => writeJsonAtomic(at('located'), located),
    saveLandmarks: list => writeJsonAtomic(at('landmarks'), list),
    async saveCheckpoint(bytes, record) {
      await writeJsonAtomic(at('training'), record)
      await writeFileAtomic(at('checkpoint'), bytes)
    },
    remove: () => rm(folder, { recursive: true, force: true })
  }
}
