import { join } from 'node:path'
import { type Camera, createWasmRenderer, DEGREE, poseFromView, type View, type Volume } from '@raypose/core'
import type { Network } from '@raypose/network'
import {
  openPatient,
  type Patient,
  type PrepareOptions,
  preparePatient,
  writeFileAtomic
} from '@raypose/pipeline'
import { drawThumbnail } from '../report/overlay.js'
import { prepareReport } from '../report/prepare-report.js'
import { projectAll } from './registration-overlay.js'

/** C-arm positions that show every landmark from several sides: α, γ in degrees. */
const PREVIEWS = [
  [0, 0],
  [0, -40],
  [0, 40],
  [25, 0],
  [-25, 0],
  [0, 20]
] as const

/** Prepares a patient, opens it again as every later command will, and writes its preview page, `report.html`. */
export async function prepareToFolder(
  volume: Volume,
  network: Network,
  options: PrepareOptions
): Promise<{ patient: Patient; report: string }> {
  await preparePatient(volume, network, options)
  const patient = await openPatient(options.out)
  const report = join(options.out, 'report.html')
  await writeFileAtomic(report, prepareReport({ manifest: patient.manifest, gallery: previews(patient) }))
  return { patient, report }
}

function previews(patient: Patient) {
  const renderer = createWasmRenderer(patient.volume)
  const gallery = PREVIEWS.map(([alpha, gamma]) => {
    const view: View = { alpha: alpha * DEGREE, beta: 0, gamma: gamma * DEGREE, translation: [0, 0, 0] }
    const camera: Camera = {
      detector: patient.detector,
      cameraFromLps: poseFromView(view, patient.isocenter)
    }
    return {
      png: drawThumbnail(renderer.render(camera), projectAll(camera, patient.landmarks)),
      caption: `α ${alpha}°, γ ${gamma}°`
    }
  })
  renderer.dispose()
  return gallery
}
