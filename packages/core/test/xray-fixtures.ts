import { type Camera, centredDetector } from '../src/geometry/camera.js'
import { poseFromView } from '../src/geometry/view.js'
import type { Image } from '../src/image/image.js'
import { XRAY_PRESETS } from '../src/xray/presets.js'
import type { MaterialIntegrals } from '../src/xray/primary.js'
import type { XraySettings } from '../src/xray/settings.js'

export const detector = centredDetector(1200, [3, 3], [100, 80])
export const camera: Camera = {
  detector,
  cameraFromLps: poseFromView({ alpha: 0, beta: 0, gamma: 0, translation: [0, 0, 0] }, [0, 0, 0])
}
/** A wedge of soft tissue, 0 to 20 cm thick from left to right. */
export const wedge: MaterialIntegrals = {
  width: 100,
  height: 80,
  layers: { softTissue: Float32Array.from({ length: 8000 }, (_, i) => (i % 100) / 5) }
}
export const flat = (value: number, width = 400, height = 300): Image => ({
  width,
  height,
  data: new Float32Array(width * height).fill(value)
})
export const ideal: XraySettings = XRAY_PRESETS.ideal
export const mean = (a: ArrayLike<number>) => Array.from(a).reduce((x, y) => x + y, 0) / a.length
