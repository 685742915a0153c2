import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic, writeJsonAtomic } from '../files/atomic.js'
import { landmarkSchema, type PatientLandmark } from '../patient/manifest.js'
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

/**
 * Opens the folder for work in progress. Each file in it is written whole or not at all, so that whenever a preparation ends, the next
 * one of the same CT with the same settings goes on from there; what another one left is removed.
 */
export async function openWork(folder: string, config: object): Promise<Work> {
  const at = (name: keyof typeof NAMES) => join(folder, NAMES[name])
  const text = `${JSON.stringify(config, null, 2)}\n`
  const before = await readFile(at('config'), 'utf8').catch(() => null)
  if (before !== text) {
    await rm(folder, { recursive: true, force: true })
    await writeFileAtomic(at('config'), text)
  }
  const json = async (name: keyof typeof NAMES): Promise<unknown> => {
    const t = await readFile(at(name), 'utf8').catch(() => null)
    return t === null ? undefined : JSON.parse(t)
  }
  const landmarks = z
    .array(landmarkSchema)
    .optional()
    .parse(await json('landmarks'))
  const training = trainingSchema.optional().parse(await json('training'))
  const checkpoint = (await readFile(at('checkpoint')).catch(() => null)) ?? undefined
  return {
    located: (await json('located')) as Located | undefined,
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
