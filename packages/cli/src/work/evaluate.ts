import { join } from 'node:path'
import {
  createRegistrar,
  type EvaluateOptions,
  type Evaluation,
  ensureWritableFolder,
  evaluatePatient,
  type Patient,
  type RegistrarOptions,
  writeFileAtomic,
  writeJsonAtomic
} from '@raypose/pipeline'
import { evaluationReport } from '../report/evaluation-report.js'
import { worstFirst } from '../report/measures.js'
import { drawOverlay } from '../report/overlay.js'
import { registrationOverlay } from './registration-overlay.js'

/** Pictures of the worst views in a report: enough to see what goes wrong, in a page of a few megabytes. */
const MOST_PICTURES = 24
const PICTURE_WIDTH = 480

/** Evaluates a patient and writes `evaluation.json` and `report.html`. */
export async function evaluateToFolder(
  patient: Patient,
  out: string,
  options: EvaluateOptions & RegistrarOptions & { readonly title?: string }
): Promise<{ evaluation: Evaluation; report: string }> {
  await ensureWritableFolder(out)
  const registrar = await createRegistrar(patient, options)
  try {
    const pictures = new Map<number, Uint8Array>()
    const evaluation = await evaluatePatient(registrar, {
      ...options,
      onView: async (view, registration, xray) => {
        const png = registration
          ? registrationOverlay(registrar, registration, 'final', PICTURE_WIDTH)
          : drawOverlay({ xray, width: PICTURE_WIDTH })
        pictures.set(view.index, png)
        await options.onView?.(view, registration, xray)
      }
    })
    const gallery = worstFirst(evaluation.views)
      .slice(0, MOST_PICTURES)
      .flatMap(({ index }) => {
        const png = pictures.get(index)
        return png ? [{ index, png }] : []
      })
    const report = join(out, 'report.html')
    await writeJsonAtomic(join(out, 'evaluation.json'), evaluation)
    await writeFileAtomic(report, evaluationReport({ evaluation, gallery, title: options.title }))
    return { evaluation, report }
  } finally {
    await registrar.dispose()
  }
}
