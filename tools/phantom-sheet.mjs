// Contact sheet of DRRs: phantoms, and a real CT beside them where one is given.
//   npm run build && node tools/phantom-sheet.mjs [CT folder [isocentre x,y,z]]
import { createPhantom, createWasmRenderer, DEGREE, PAPER_DETECTOR, poseFromView } from '@raypose/core'
import { writePng8 } from '@raypose/formats'
import { readCt, writeFileAtomic } from '@raypose/pipeline'

const VIEWS = [
  [0, 0],
  [0, 40],
  [-25, -30],
  [25, 15]
]
const [folder, centre] = process.argv.slice(2)
const rows = [1, 2, 3].map(seed => {
  const { ct, isocenter } = createPhantom({ seed })
  return { volume: ct, isocenter }
})
if (folder) rows.push({ volume: (await readCt(folder)).volume, isocenter: centre.split(',').map(Number) })
const [w, h] = PAPER_DETECTOR.size
const sheet = {
  width: w * VIEWS.length,
  height: h * rows.length,
  data: new Float32Array(w * VIEWS.length * h * rows.length)
}
rows.forEach(({ volume, isocenter }, r) => {
  const renderer = createWasmRenderer(volume)
  VIEWS.forEach(([alpha, gamma], c) => {
    const view = { alpha: alpha * DEGREE, beta: 0, gamma: gamma * DEGREE, translation: [0, 0, 0] }
    const { data } = renderer.render({
      detector: PAPER_DETECTOR,
      cameraFromLps: poseFromView(view, isocenter)
    })
    const sorted = Float32Array.from(data).sort()
    const low = sorted[Math.floor(sorted.length * 0.02)]
    const high = sorted[Math.floor(sorted.length * 0.998)]
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++)
        sheet.data[(r * h + y) * sheet.width + c * w + x] = Math.min(
          1,
          Math.max(0, (data[y * w + x] - low) / (high - low))
        )
  })
  renderer.dispose()
})
await writeFileAtomic(
  new URL('../docs/images/phantoms.png', import.meta.url).pathname,
  writePng8(sheet, { min: 0, max: 1 })
)
