import { join } from 'node:path'
import type { CalibratedXray, XrayOptions } from '@raypose/formats'
import {
  createRegistrar,
  type Normalisation,
  type OnProgress,
  openPatient,
  type RegistrarOptions,
  type RegistrationJson,
  readXrayFile,
  registrationJson,
  writeFileAtomic,
  writeJsonAtomic,
  type XrayReading
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
  /** Which way round the picture is; found where left out. */
  readonly orientation?: Pick<XrayReading, 'rotation' | 'mirrored'>
  /** Goes on where the initial pose is not to be trusted. */
  readonly evenIfUnlikely?: boolean
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

/** What a file may leave open about its values, as sentences about what was found. */
const FOUND: Record<'intensity' | 'bright' | 'mirrored', (n: Normalisation) => string> = {
  intensity: n =>
    `The file does not say whether its values are a detector reading (linear) or its logarithm: taken for ${n.intensity} (see --intensity).`,
  bright: n => `The file does not say what bright stands for: taken for ${n.bright} (see --bright).`,
  mirrored: n =>
    `The file does not say from which side the picture is seen: taken ${n.mirrored ? 'as mirrored' : 'as it is'} (see --orientation).`
}

/** Pictures turned further than this are worth a sentence, degrees. */
const TURNED = 30

/** What was found about the picture, for people. */
function findings(n: Normalisation): string[] {
  const keys = (['intensity', 'bright', 'mirrored'] as const).filter(k => n.settled[k] === 'found')
  return [
    ...keys.map(k => FOUND[k](n)),
    ...(n.mirrored ? ['The picture is stored as seen from the other side; its columns were reversed.'] : []),
    ...(Math.abs(n.rotationDeg) > TURNED
      ? [`The patient's head points ${Math.round(n.rotationDeg)}° clockwise from the top of the picture.`]
      : [])
  ]
}

/** What the file and the user say of the picture; what the file only suggests is tried first. */
function readingOf(xray: CalibratedXray, w: RegisterWork): XrayReading {
  const told = (key: 'intensity' | 'bright') => !xray.guessed.includes(key)
  return {
    ...(told('intensity') && { intensity: xray.intensity }),
    ...(told('bright') && { bright: xray.bright }),
    ...(xray.mirrored !== null && { mirrored: xray.mirrored }),
    ...(xray.sourceToPatient !== null && { sourceToPatient: xray.sourceToPatient }),
    ...w.orientation,
    guess: { intensity: xray.intensity, bright: xray.bright }
  }
}

/** Registers one X-ray and writes {@link FILES}; the result comes last, so a folder that has one is whole. */
export async function registerToFolder(
  w: RegisterWork
): Promise<{ result: RegistrationJson; report: string }> {
  const { onProgress, signal } = w
  // The X-ray first: it is what is most often wrong, and quick to read.
  const { xray, file, sha256 } = await readXrayFile(w.xray, w.geometry, w.reading)
  onProgress?.({ stage: 'Opening the patient', fraction: 0 })
  const patient = await openPatient(w.patient)
  const registrar = await createRegistrar(patient, w)
  try {
    const registration = await registrar.register(xray.image, xray.detector, {
      reading: readingOf(xray, w),
      evenIfUnlikely: w.evenIfUnlikely,
      signal,
      onProgress
    })
    const { normalisation, accepted, confidence } = registration.initial
    const notes = [
      ...(accepted ? [] : [`This pose is not to be trusted. ${confidence.reason}`]),
      ...xray.notes,
      ...findings(normalisation)
    ]
    const parameters = {
      similarity: registration.similarity.name,
      intensity: normalisation.intensity,
      bright: normalisation.bright,
      mirrored: normalisation.mirrored,
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
