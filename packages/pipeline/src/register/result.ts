import { composeRigid, DEGREE, geometryToJson, type Mat3, rigid, viewFromPose } from '@raypose/core'
import type { Patient } from '../patient/bundle.js'
import { isIdentity, orientationInWords } from '../prepare/orientation.js'
import type { Registration, RegistrationJson } from '../types.js'
import { VERSION } from '../version.js'

/** What whoever takes a pose to the CT's file has to know, where that has the patient turned; null where it has not. */
export const turnedNote = (lpsFromCt: Mat3): string | null =>
  isIdentity(lpsFromCt)
    ? null
    : `The CT has the patient ${orientationInWords(lpsFromCt)}. Poses are in the patient's own frame (cameraFromLps); for the file's own coordinates, as LPS (a NIfTI's with x and y negated): cameraFromCt = cameraFromLps · lpsFromCt.`

/** A registration as the JSON that files and programs get. */
export function registrationJson(
  r: Registration,
  patient: Patient,
  xray: { file: string; sha256: string },
  parameters: Record<string, unknown>,
  notes: readonly string[]
): RegistrationJson {
  const view = viewFromPose(r.finalPose, patient.isocenter)
  const turned = turnedNote(patient.lpsFromCt)
  return {
    format: 'raypose-registration',
    version: VERSION,
    status: r.status,
    assessment: r.assessment,
    geometry: geometryToJson(r.detector, r.finalPose),
    initialCameraFromLps: Array.from(r.initialPose),
    cameraFromCt: Array.from(composeRigid(r.finalPose, rigid(patient.lpsFromCt, [0, 0, 0]))),
    lpsFromCt: Array.from(patient.lpsFromCt),
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
    notes: turned === null ? notes : [turned, ...notes]
  }
}
