import { join } from 'node:path'
import {
  type Camera,
  createWasmRenderer,
  DEGREE,
  poseFromView,
  type Renderer,
  type View,
  type Volume
} from '@raypose/core'
import type { Network } from '@raypose/network'
import {
  ensureWritableFolder,
  openPatient,
  type Patient,
  type PrepareOptions,
  preparePatient,
  writeFileAtomic
} from '@raypose/pipeline'
import { drawOverlay, drawThumbnail } from '../report/overlay.js'
import { prepareReport } from '../report/prepare-report.js'
import { drawSlices, isShown } from '../report/slices.js'
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
  await ensureWritableFolder(options.out)
  await preparePatient(volume, network, options)
  const patient = await openPatient(options.out)
  const report = join(options.out, 'report.html')
  const renderer = createWasmRenderer(patient.volume)
  const page = prepareReport({
    manifest: patient.manifest,
    gallery: previews(patient, renderer),
    slices: slices(patient),
    worst: worstViews(patient, renderer)
  })
  renderer.dispose()
  await writeFileAtomic(report, page)
  return { patient, report }
}

function previews(patient: Patient, renderer: Renderer) {
  return PREVIEWS.map(([alpha, gamma]) => {
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
}

const slices = (patient: Patient) =>
  patient.manifest.landmarks
    .filter(l => isShown(patient.volume, l.point))
    .map(l => ({ png: drawSlices(patient.volume, l.point), caption: l.name }))

function worstViews(patient: Patient, renderer: Renderer) {
  return patient.manifest.worstViews.map(w => {
    const camera: Camera = { detector: patient.detector, cameraFromLps: w.cameraFromLps }
    const used = patient.landmarks.filter((_, i) => patient.weights[i] > 0)
    return {
      png: drawOverlay({
        xray: renderer.render(camera),
        landmarks: {
          projected: projectAll(camera, used),
          detected: w.found.flatMap(p => (p ? [{ u: p[0], v: p[1] }] : []))
        },
        width: 480
      }),
      caption: `α ${w.alphaDeg.toFixed(0)}°, β ${w.betaDeg.toFixed(0)}°, γ ${w.gammaDeg.toFixed(0)}°: ${w.meanMm.toFixed(1)} mm on average`
    }
  })
}
