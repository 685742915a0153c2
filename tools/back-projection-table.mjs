// How far landmarks of phase 2 lie from the true ones, by way of back-projection, as a table:
//   npm run build && node tools/back-projection-table.mjs POPULATION [MODEL]
// POPULATION holds annotated CTs that the network never saw (tools/atlas-patients.mjs makes some).
import {
  BACK_PROJECTION_GRID,
  backProject,
  boneSurface,
  createWasmRenderer,
  distance,
  fitShapePrior,
  gridViews,
  nearestPoint,
  OPEN_BONE_WINDOW,
  PAPER_BONE_WINDOW,
  pelvisLandmarkPrior,
  pointCells,
  poseFromView,
  refineDetections
} from '@raypose/core'
import { createDetector, mirrorDetector } from '@raypose/network'
import {
  networkAnatomy,
  PREPARE_RECIPES,
  readCt,
  readModel,
  readPopulation,
  trainedDetector
} from '@raypose/pipeline'

const [folder, model] = process.argv.slice(2)
const network = await readModel(model)
const detector = trainedDetector(network)
const eye = await createDetector(network, { threads: 2 })
const GRIDS = {
  'paper’s 90 views': BACK_PROJECTION_GRID,
  '90 views over the height': PREPARE_RECIPES.raypose.views
}
const { prior, mirror } = networkAnatomy(network)
const pairEye = mirror ? mirrorDetector(eye, mirror) : eye
const METHODS = {
  median: { method: 'median' },
  robust: { method: 'robust', minSupport: 0.35 },
  'refined, robust': { method: 'robust', minSupport: 0.35, minConfidence: 0.5, refined: true }
}
const SURFACES = { none: null, '[200, 500] HU': PAPER_BONE_WINDOW, 'from 200 HU': OPEN_BONE_WINDOW }

/** Errors in mm by variant; a landmark that was dropped counts in `dropped`. */
const errors = new Map()
const add = (variant, value) => {
  const list = errors.get(variant) ?? { values: [], dropped: 0 }
  if (value === null) list.dropped++
  else list.values.push(value)
  errors.set(variant, list)
}

for (const member of await readPopulation(folder)) {
  console.error(member.name)
  const { volume } = await readCt(member.ct)
  const renderer = createWasmRenderer(volume)
  const surfaces = Object.fromEntries(
    Object.entries(SURFACES).map(([name, window]) => [
      name,
      window && pointCells(boneSurface(volume, { window }))
    ])
  )
  for (const [grid, views] of Object.entries(GRIDS)) {
    const cameras = gridViews(views).map(v => ({
      detector,
      cameraFromLps: poseFromView(v, member.isocenter)
    }))
    const detections = []
    const refined = []
    for (const camera of cameras) {
      const image = renderer.render(camera).data
      detections.push(...(await eye.detect([image])))
      const [both] = await pairEye.detect([image])
      refined.push(refineDetections(prior, both, detector))
    }
    for (const [method, options] of Object.entries(METHODS)) {
      const rays = backProject(options.refined ? refined : detections, cameras, options)
      const fit = fitShapePrior(
        pelvisLandmarkPrior(),
        rays.map(r => r.point),
        rays.map(r => Math.max(0.05, r.support || 0))
      )
      rays.forEach(({ point }, i) => {
        const truth = member.landmarks[i]
        if (!truth) return
        for (const [name, surface] of Object.entries(surfaces)) {
          const near = point && surface ? nearestPoint(surface, point, 30)?.point : point
          add(`${grid} | ${method} | ${name}`, near ? distance(near, truth) : null)
        }
        add(`${grid} | ${method} | shape prior alone`, fit ? distance(fit.landmarks[i], truth) : null)
      })
    }
  }
  renderer.dispose()
}
await eye.release()

const quantile = (sorted, q) => sorted[Math.round(q * (sorted.length - 1))]
console.log(
  '| views | rays | surface | mean | median | p95 | worst | dropped |\n|---|---|---|---|---|---|---|---|'
)
for (const [variant, { values, dropped }] of errors) {
  const sorted = values.sort((a, b) => a - b)
  const mean = sorted.reduce((s, x) => s + x, 0) / sorted.length
  const figures = [mean, quantile(sorted, 0.5), quantile(sorted, 0.95), sorted.at(-1)]
  console.log(`| ${variant} | ${figures.map(x => x.toFixed(2)).join(' | ')} | ${dropped} |`)
}
