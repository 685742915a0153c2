import { join } from 'node:path'
import { mirrorXray, type XrayOptions } from '@raypose/formats'
import {
  createRegistrar,
  lineIntegrals,
  type OnProgress,
  openPatient,
  type RegistrarOptions,
  type RegistrationJson,
  readXrayFile,
  registrationJson,
  writeFileAtomic,
  writeJsonAtomic
} from '@raypose/pipeline'
import { registerReport } from '../report/register-report.js'
import { registrationOverlay } from './registration-overlay.js'

export interface RegisterWork extends RegistrarOptions {
  readonly patient: string
  readonly xray: string
  readonly geometry?: string
  readonly out: string
  /** What the user knows better than the X-ray's file. */
  readonly reading: Omit<XrayOptions, 'geometry'>
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/** Files that a registration leaves in its folder. */
const FILES = {
  result: 'result.json',
  initial: 'overlay-initial.png',
  final: 'overlay-final.png',
  report: 'report.html'
} as const

/** What a file may leave open about its values. */
const QUESTIONS = {
  intensity: 'whether its values are a detector reading (linear) or its logarithm',
  bright: 'whether bright stands for attenuation or for exposure'
} as const

/** Registers one X-ray and writes {@link FILES}; the result comes last, so a folder that has one is whole. */
export async function registerToFolder(
  w: RegisterWork
): Promise<{ result: RegistrationJson; report: string }> {
  const { onProgress, signal } = w
  // The X-ray first: it is what is most often wrong, and quick to read.
  const { xray: stored, file, sha256 } = await readXrayFile(w.xray, w.geometry, w.reading)
  const xray = stored.mirrored ? mirrorXray(stored) : stored
  onProgress?.({ stage: 'Opening the patient', fraction: 0 })
  const patient = await openPatient(w.patient)
  const registrar = await createRegistrar(patient, w)
  try {
    const registration = await registrar.register(lineIntegrals(xray), xray.detector, { signal, onProgress })
    const notes = [
      ...xray.notes,
      ...(stored.mirrored
        ? ['The picture is stored as seen from the other side; its columns were reversed.']
        : []),
      ...xray.guessed.map(
        k => `The file does not say ${QUESTIONS[k]}: it was taken for ${xray[k]} (see --${k}).`
      )
    ]
    const parameters = {
      similarity: registration.similarity.name,
      intensity: xray.intensity,
      bright: xray.bright,
      geometry: w.geometry ?? 'from the X-ray',
      threads: w.threads
    }
    const result = registrationJson(registration, patient, { file, sha256 }, parameters, notes)
    const before = registrationOverlay(registrar, registration, 'initial')
    const after = registrationOverlay(registrar, registration, 'final')
    const report = join(w.out, FILES.report)
    await writeFileAtomic(join(w.out, FILES.initial), before)
    await writeFileAtomic(join(w.out, FILES.final), after)
    await writeFileAtomic(report, registerReport({ result, before, after }))
    await writeJsonAtomic(join(w.out, FILES.result), result)
    return { result, report }
  } finally {
    await registrar.dispose()
  }
}
