// Simulates registrations, right and wrong, and fits the model that tells them apart (see docs/registration.md, "Honest about failure"):
//   npm run build && node tools/calibrate-status.mjs CASES.ndjson [--scenes 12] [--seed 500] [--cpu-seconds 600] [--fit-only]
// Goes on where CASES.ndjson ends: a longer list gives a better model. Writes
//   packages/pipeline/src/register/assessment/status-model.data.ts and docs/images/registration-reliability.svg
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { openPatient, sceneCases } from './calibration-cases.mjs'
import { fitStatusModel } from './fit-status-model.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    scenes: { type: 'string', default: '12' },
    seed: { type: 'string', default: '500' },
    'cpu-seconds': { type: 'string', default: '600' },
    spacing: { type: 'string', default: '1.2' },
    'fit-only': { type: 'boolean', default: false }
  }
})
const [file = 'calibration.ndjson'] = positionals
const rowsOf = () =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map(line => JSON.parse(line))
    : []

if (!values['fit-only']) {
  const spent = () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  }
  const done = new Set(rowsOf().map(r => r.scene))
  let before = null
  for (let k = 0; k < Number(values.scenes); k++) {
    const seed = Number(values.seed) + k
    if (done.has(seed)) continue
    if (spent() > Number(values['cpu-seconds'])) break
    before ??= openPatient(seed - 1, Number(values.spacing))
    const patient = openPatient(seed, Number(values.spacing))
    // A scene counts once it is whole.
    const rows = [...sceneCases(patient, before)].filter(Boolean)
    appendFileSync(file, rows.map(r => `${JSON.stringify(r)}\n`).join(''))
    console.error(`scene ${seed}: ${rows.length} cases, ${spent().toFixed(0)} s of CPU`)
    before = patient
  }
}

const { module, svg, text } = fitStatusModel(rowsOf())
mkdirSync('docs/images', { recursive: true })
writeFileSync('packages/pipeline/src/register/assessment/status-model.data.ts', module)
writeFileSync('docs/images/registration-reliability.svg', svg)
console.log(text)
