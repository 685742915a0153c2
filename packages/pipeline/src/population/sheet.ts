import {
  createWasmRenderer,
  DEGREE,
  type Image,
  PAPER_DETECTOR,
  poseFromView,
  type Vec3
} from '@raypose/core'
import { readCt } from '../files/read-ct.js'

/** α and γ of the columns, degrees. */
const VIEWS = [
  [0, 0],
  [0, 40],
  [-25, -30],
  [25, 15]
] as const

/** A contact sheet: a row for each CT, the same four views of all, each DRR spread over black to white. Values 0 to 1. */
export async function contactSheet(
  rows: readonly { readonly ct: string; readonly isocenter: Vec3 }[],
  check: () => void = () => {}
): Promise<Image> {
  const [w, h] = PAPER_DETECTOR.size
  const width = w * VIEWS.length
  const data = new Float32Array(width * h * rows.length)
  for (const [r, { ct, isocenter }] of rows.entries()) {
    check()
    const renderer = createWasmRenderer((await readCt(ct)).volume)
    try {
      VIEWS.forEach(([alpha, gamma], c) => {
        const view = {
          alpha: alpha * DEGREE,
          beta: 0,
          gamma: gamma * DEGREE,
          translation: [0, 0, 0] as const
        }
        const drr = renderer.render({
          detector: PAPER_DETECTOR,
          cameraFromLps: poseFromView(view, isocenter)
        })
        // What the rays miss altogether (a scan that ends early) would take most of the greys.
        const most = drr.data.reduce((m, x) => Math.max(m, x), 0)
        const sorted = drr.data.filter(x => x > 0.3 * most).sort()
        const low = sorted[Math.floor(sorted.length * 0.02)] ?? 0
        const high = sorted[Math.floor(sorted.length * 0.998)] ?? 1
        for (let y = 0; y < h; y++)
          for (let x = 0; x < w; x++)
            data[(r * h + y) * width + c * w + x] = Math.min(
              1,
              Math.max(0, (drr.data[y * w + x] - low) / (high - low || 1))
            )
      })
    } finally {
      renderer.dispose()
    }
  }
  return { width, height: h * rows.length, data }
}
