import { DEGREE, geometryToJson, viewFromPose } from '@raypose/core'
import type { Patient } from '../patient/bundle.js'
import type { Registration, RegistrationJson } from '../types.js'
import { VERSION } from '../version.js'

/** A registration as the JSON that files and programs get. */
export function registrationJson(
  r: Registration,
  patient: Patient,
  xray: { file: string; sha256: string },
  parameters: Record<string, unknown>,
  notes: readonly string[]
): RegistrationJson {
  const view = viewFromPose(r.finalPose, patient.isocenter)
  return {
    format: 'raypose-registration',
    version: VERSION,
    status: r.status,
    assessment: r.assessment,
    geometry: geometryToJson(r.detector, r.finalPose),
    initialCameraFromLps: Array.from(r.initialPose),
    view: {
      alphaDeg: view.alpha / DEGREE,
      betaDeg: view.beta / DEGREE,
      gammaDeg: view.gamma / DEGREE,
      translationMm: view.translation
    },
    landmarks: r.landmarks,
    similarity: r.similarity,
    evaluations: r.evaluations,
    reprojectionRmsMm: r.reprojectionRmsMm,
    initialCovariance: r.initialCovariance,
    initialConfidence: r.initial.confidence,
    normalisation: r.initial.normalisation,
    timingsSeconds: r.timings,
    inputs: { xray, patient: { sha256: patient.sha256 } },
    parameters,
    notes
  }
}
