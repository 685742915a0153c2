import {
  createRandom,
  type Detector,
  PAPER_SOURCE_TO_ISOCENTER,
  poseFromView,
  randomView,
  TRAINING_GRID
} from '@raypose/core'
import type { ValidationSet } from './messages.js'
import { phantomPatient, renderTrainingView, trainingPhantom } from './view-source.js'

/** Seeds of phantoms for validation start here: no training draws one. */
const VALIDATION_SEED = 900_000_000

/** Views of phantoms that no training sees, over the paper's range, as plain line integrals. */
export function phantomValidation(
  detector: Detector,
  phantoms: number,
  viewsEach: number,
  spacing: number
): ValidationSet {
  const random = createRandom(VALIDATION_SEED)
  const images: Float32Array[] = []
  const points: Float32Array[] = []
  for (let p = 0; p < phantoms; p++) {
    const patient = phantomPatient(trainingPhantom(VALIDATION_SEED + p, spacing))
    for (let i = 0; i < viewsEach; i++) {
      const cameraFromLps = poseFromView(randomView(TRAINING_GRID, random), patient.isocenter)
      const view = renderTrainingView(patient, { detector, cameraFromLps })
      images.push(view.bone.map((b, j) => b + view.soft[j]))
      points.push(view.points)
    }
    patient.bone.dispose()
    patient.soft.dispose()
  }
  return { images, points, mmPerPixel: (detector.pixel[0] * PAPER_SOURCE_TO_ISOCENTER) / detector.sdd }
}
