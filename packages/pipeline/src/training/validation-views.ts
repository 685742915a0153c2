import {
  createRandom,
  type Detector,
  PAPER_SOURCE_TO_ISOCENTER,
  type Random,
  TRAINING_GRID,
  type ViewGrid
} from '@raypose/core'
import type { ValidationSet } from './validation.js'
import { type LayeredPatient, phantomPatient, randomTrainingView, trainingPhantom } from './view-source.js'

/** Seeds of phantoms for validation start here: no training draws one. */
const VALIDATION_SEED = 900_000_000

/** Views of patients over a range, as plain line integrals. The patients' renderers are left open. */
export function validationViews(
  patients: Iterable<LayeredPatient>,
  detector: Detector,
  viewsEach: number,
  range: ViewGrid,
  random: Random
): ValidationSet {
  const images: Float32Array[] = []
  const points: Float32Array[] = []
  for (const patient of patients)
    for (let i = 0; i < viewsEach; i++) {
      const view = randomTrainingView(patient, detector, range, random)
      images.push(view.bone.map((b, j) => b + view.soft[j]))
      points.push(view.points)
    }
  return { images, points, mmPerPixel: (detector.pixel[0] * PAPER_SOURCE_TO_ISOCENTER) / detector.sdd }
}

/** Views of phantoms that no training sees, over the paper's range. */
export function phantomValidation(
  detector: Detector,
  phantoms: number,
  viewsEach: number,
  spacing: number
): ValidationSet {
  function* patients() {
    for (let p = 0; p < phantoms; p++) {
      const patient = phantomPatient(trainingPhantom(VALIDATION_SEED + p, spacing))
      yield patient
      patient.bone.dispose()
      patient.soft.dispose()
    }
  }
  return validationViews(patients(), detector, viewsEach, TRAINING_GRID, createRandom(VALIDATION_SEED))
}

/** Several sets as one, which remembers whose images they are. */
export function joinedValidation(
  sets: readonly { readonly name: string; readonly set: ValidationSet }[]
): ValidationSet {
  return {
    images: sets.flatMap(s => s.set.images),
    points: sets.flatMap(s => s.set.points),
    mmPerPixel: sets[0].set.mmPerPixel,
    groups: sets.map(s => ({ name: s.name, count: s.set.images.length }))
  }
}
