// How exactly an atlas's landmarks can be known at all: the atlas without a patient is laid onto that patient's bones in the CT, in
// 3D, and its landmarks there are compared with the patient's own. An X-ray shows less than the CT does.
//   npm run build && node tools/landmark-floor.mjs ATLAS POPULATION [--sigma 3] [--seed 1]
// POPULATION: annotated CTs of patients of the atlas (tools/atlas-patients.mjs), all of which the atlas is laid without. A fit starts from the
// patient's landmarks moved by normal errors of --sigma mm along each axis. Errors in the views are those of the paper's
// 81 evaluation views, at the isocentre, of landmarks inside the picture.
import { parseArgs } from 'node:util'
import { createRandom, distance, evaluationViews, heightRange, poseFromView, project } from '@raypose/core'
import {
  fitSurfacesToCt,
  readAtlas,
  readCt,
  readModel,
  readPopulation,
  surfaceModel,
  trainedDetector
} from '@raypose/pipeline'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { sigma: { type: 'string', default: '3' }, seed: { type: 'string', default: '1' } }
})
const random = createRandom(Number(values.seed))
const members = await readPopulation(positionals[1])
const model = surfaceModel(
  await readAtlas(positionals[0]),
  members.map(m => m.name)
)
const detector = trainedDetector(await readModel())
const quantile = (x, q) => [...x].sort((a, b) => a - b)[Math.min(x.length - 1, Math.floor(q * x.length))]
const summary = x => ({
  meanMm: x.reduce((a, b) => a + b, 0) / x.length,
  medianMm: quantile(x, 0.5),
  p95Mm: quantile(x, 0.95)
})

const inViews = []
const inSpace = []
const each = model.landmarks.map(() => [])
for (const { name, ct, landmarks, isocenter } of members) {
  const { volume } = await readCt(ct)
  const moved = landmarks.map(p => p?.map(x => x + Number(values.sigma) * random.normal()) ?? null)
  const fit = fitSurfacesToCt(model, volume, moved)
  landmarks.forEach((p, k) => {
    if (!p) return
    inSpace.push(distance(p, fit.landmarks[k]))
    each[k].push(distance(p, fit.landmarks[k]))
  })
  const views = []
  for (const view of evaluationViews(heightRange(landmarks, isocenter), 81, random)) {
    const camera = { detector, cameraFromLps: poseFromView(view, isocenter) }
    landmarks.forEach((p, k) => {
      if (!p) return
      const [a, b] = [project(camera, p), project(camera, fit.landmarks[k])]
      if (a.u < 0 || a.v < 0 || a.u > detector.size[0] - 1 || a.v > detector.size[1] - 1) return
      views.push((Math.hypot(a.u - b.u, a.v - b.v) * detector.pixel[0] * a.depth) / detector.sdd)
    })
  }
  inViews.push(...views)
  console.error(
    `${name}: surface within ${fit.residual.medianMm.toFixed(2)} mm (median), landmarks ${summary(views).meanMm.toFixed(2)} mm off in the views`
  )
}
console.log('| landmark | off in 3D, mm (mean) |\n|---|---|')
each.forEach(
  (x, k) => x.length && console.log(`| ${model.landmarks[k].name} | ${summary(x).meanMm.toFixed(1)} |`)
)
console.log(JSON.stringify({ inViews: summary(inViews), in3d: summary(inSpace) }))
