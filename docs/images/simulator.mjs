/**
 * Makes simulator.png: every preset, on a procedural patient and, where one is at hand, on a real CT below it.
 *
 *   npm run build && node docs/images/simulator.mjs [ct/] [x,y,z of its isocentre, mm]
 */
import { writeFileSync } from 'node:fs'
import {
  createPhantom,
  gridCentre,
  PAPER_DETECTOR,
  poseFromView,
  renderMaterials,
  simulateXray,
  XRAY_PRESETS
} from '@raypose/core'
import { writePng8 } from '@raypose/formats'
import { readCt } from '@raypose/pipeline'

const [path, point] = process.argv.slice(2)
const phantom = createPhantom({ seed: 7, spacing: 1.5, tableChance: 0 })
const patients = [[phantom.ct, phantom.isocenter]]
if (path) {
  const { volume } = await readCt(path)
  patients.push([volume, point ? point.split(',').map(Number) : gridCentre(volume)])
}
const GAP = 4
const [W, H] = PAPER_DETECTOR.size
const presets = Object.entries(XRAY_PRESETS)
const width = presets.length * (W + GAP) - GAP
const height = patients.length * (H + GAP) - GAP
const data = new Float32Array(width * height).fill(1)
patients.forEach(([volume, isocenter], row) => {
  const view = { alpha: 0, beta: 0, gamma: 0.2, translation: [0, 0, 0] }
  const camera = { detector: PAPER_DETECTOR, cameraFromLps: poseFromView(view, isocenter) }
  const [materials] = renderMaterials(volume, [camera])
  presets.forEach(([, settings], column) => {
    const { image, bits } = simulateXray(materials, camera, settings, { seed: 3 })
    for (let v = 0; v < H; v++)
      for (let u = 0; u < W; u++) {
        // 48 greys keep the file small; noise does not compress.
        const grey = Math.round((image.data[v * W + u] / (2 ** bits - 1)) * 47) / 47
        data[(row * (H + GAP) + v) * width + column * (W + GAP) + u] = grey
      }
  })
})
writeFileSync(
  new URL('simulator.png', import.meta.url),
  writePng8({ width, height, data }, { min: 0, max: 1 })
)
