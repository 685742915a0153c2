import { type Camera, project, type Vec3 } from '@raypose/core'
import type { Registrar, Registration } from '@raypose/pipeline'
import { drawOverlay, type ImagePoint } from '../report/overlay.js'

/** Where a camera shows points; those behind the source are left out. */
export const projectAll = (camera: Camera, points: readonly Vec3[]): ImagePoint[] =>
  points.map(p => project(camera, p)).filter(p => p.depth > 0)

/** The X-ray under the initial or the final pose of its registration, as PNG. */
export function registrationOverlay(
  registrar: Registrar,
  r: Registration,
  which: 'initial' | 'final',
  width?: number
): Uint8Array {
  const camera: Camera = {
    detector: r.detector,
    cameraFromLps: which === 'initial' ? r.initialPose : r.finalPose
  }
  return drawOverlay({
    xray: r.xray,
    drr: registrar.renderer.render(camera),
    landmarks: {
      detected: r.landmarks.filter(l => l.inlier),
      projected: projectAll(camera, registrar.patient.landmarks)
    },
    width
  })
}
