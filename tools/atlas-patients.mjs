// Annotated CTs of the patients of an atlas that the phantom's shape model was fitted without, as a population folder:
//   npm run build && node tools/atlas-patients.mjs ATLAS OUT PATIENT …
// Their bones have the patients' own shapes; what fills and surrounds them is drawn, a seed for each.
import { join } from 'node:path'
import { createPhantom, PELVIS_LANDMARKS, shapeFromVector } from '@raypose/core'
import { writeNrrd } from '@raypose/formats'
import {
  fitPatientShape,
  layOutSpheres,
  readAtlas,
  writeFileAtomic,
  writeJsonAtomic
} from '@raypose/pipeline'

const [folder, out, ...patients] = process.argv.slice(2)
const atlas = await readAtlas(folder)
const rest = atlas.patients.map((_, i) => i).filter(i => !patients.includes(atlas.patients[i]))
const layout = layOutSpheres(atlas, rest, { 'left-hip': 170, 'right-hip': 170, sacrum: 110 })
for (const name of patients) {
  const patient = atlas.patients.indexOf(name)
  const { row, rmsMm } = fitPatientShape(atlas, patient, layout)
  const phantom = createPhantom({
    seed: 700_000_000 + patient,
    shape: shapeFromVector(Float64Array.from(row), layout.bones)
  })
  await writeFileAtomic(join(out, `${name}.nrrd`), writeNrrd(phantom.ct))
  await writeJsonAtomic(join(out, `${name}.landmarks.json`), {
    landmarks: phantom.landmarks.map((point, i) => ({
      name: `${PELVIS_LANDMARKS.landmarks[i].name} ${PELVIS_LANDMARKS.landmarks[i].side}`,
      point
    })),
    isocenter: phantom.isocenter
  })
  console.error(`${name}: surface residual ${rmsMm.map(r => r.toFixed(2)).join(', ')} mm`)
}
