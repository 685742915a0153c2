// How a general network does on a real CT that carries no landmarks. The atlas laid onto its bones gives the reference:
//   npm run build && node tools/network-on-ct.mjs ATLAS CT [--model FILE] [--leave-out NAME,…] [--refine] [--write FILE.landmarks.json]
// Stable: the pairs' points of a landmark lie within 8 mm of their median, in the median.
// --refine: with mirror images averaged, and a shape and pose fitted to each view.
import { parseArgs } from 'node:util'
import {
  BACK_PROJECTION_GRID,
  backProject,
  createWasmRenderer,
  distance,
  gridViews,
  poseFromView,
  project,
  refineDetections
} from '@raypose/core'
import { createDetector, mirrorDetector } from '@raypose/network'
import {
  networkAnatomy,
  openCtSource,
  readAtlas,
  readModel,
  surfaceModel,
  trainedDetector,
  writeJsonAtomic
} from '@raypose/pipeline'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string' },
    'leave-out': { type: 'string' },
    write: { type: 'string' },
    refine: { type: 'boolean' }
  }
})
const network = await readModel(values.model)
const model = surfaceModel(await readAtlas(positionals[0]), values['leave-out']?.split(',') ?? [])
const [{ volume, fit, continued }] = await openCtSource(model, positionals[1], {
  network: async () => network
})
const points = fit.landmarks
const isocenter = [0, 1, 2].map(k => points.reduce((s, p) => s + p[k] / points.length, 0))
const detector = trainedDetector(network)
const cameras = gridViews(BACK_PROJECTION_GRID).map(v => ({
  detector,
  cameraFromLps: poseFromView(v, isocenter)
}))
const renderer = createWasmRenderer(volume)
const { prior, mirror } = networkAnatomy(network)
const plain = await createDetector(network, { threads: 2 })
const eye = values.refine && mirror ? mirrorDetector(plain, mirror) : plain
const detections = []
for (const camera of cameras) {
  const [found] = await eye.detect([renderer.render(camera).data])
  detections.push(values.refine ? refineDetections(prior, found, detector) : found)
}
await eye.release()
renderer.dispose()

const errors = []
cameras.forEach((camera, i) =>
  points.forEach((p, k) => {
    const { u, v, depth } = project(camera, p)
    if (u < 0 || v < 0 || u > detector.size[0] - 1 || v > detector.size[1] - 1) return
    const mm = (detector.pixel[0] * depth) / detector.sdd
    errors.push({ k, mm: Math.hypot(detections[i][k].u - u, detections[i][k].v - v) * mm })
  })
)
const median = x => [...x].sort((a, b) => a - b)[x.length >> 1]
const rays = backProject(detections, cameras, values.refine ? { minConfidence: 0.5 } : {})
const residuals = rays.map((r, k) => (r.point ? distance(r.point, points[k]) : Number.NaN))
console.log('| landmark | rays | spread, mm | from the atlas, mm | in the views, mm |\n|---|---|---|---|---|')
rays.forEach((r, k) =>
  console.log(
    `| ${model.landmarks[k].name} | ${r.rays} | ${r.spread.toFixed(1)} | ${residuals[k].toFixed(1)} | ${median(errors.filter(e => e.k === k).map(e => e.mm))?.toFixed(1) ?? '–'} |`
  )
)
const all = errors.map(e => e.mm)
console.log(
  JSON.stringify({
    scanContinued: continued,
    surfaceResidualMm: fit.residual,
    stable: rays.filter(r => r.point && r.spread <= 8).length,
    medianResidualMm: median(residuals.filter(Number.isFinite)),
    within20mm: all.filter(e => e <= 20).length / all.length,
    meanMm: all.reduce((a, b) => a + b, 0) / all.length,
    medianMm: median(all)
  })
)
if (values.write)
  await writeJsonAtomic(values.write, {
    landmarks: model.landmarks.map(({ name }, k) => ({ name, point: points[k] })),
    isocenter
  })
