// Trains variants of the network on the same phantoms' views and prints what each is worth, as a markdown table.
//   npm run build && node tools/architecture-search.mjs [--images 12000] [--optimiser muon|adam] [--out runs/architectures.ndjson] [--only NAME]… (names have commas)
// One line of JSON per finished variant is added to the file; a variant that is there already is not trained again.
import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { compactSpec, cpmSpec, networkWork } from '@raypose/network'
import { trialArchitecture, trialValidation } from '@raypose/pipeline'

const { values } = parseArgs({
  options: {
    images: { type: 'string', default: '12000' },
    out: { type: 'string', default: 'runs/architectures.ndjson' },
    only: { type: 'string', multiple: true },
    batch: { type: 'string', default: '8' },
    threads: { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' },
    optimiser: { type: 'string', default: 'muon' }
  }
})
const [images, batchSize, threads, seed] = [values.images, values.batch, values.threads, values.seed].map(
  Number
)

const scaled = factor => ({
  channels: [32, 48, 96, 128].map(c => c * factor),
  decoder: [96, 64].map(c => c * factor)
})
const compact = options => ({
  spec: compactSpec(23, options),
  optimiser: values.optimiser,
  learningRate: 2e-3
})
// Six stages without normalisation bear less.
const machine = width => ({ spec: cpmSpec(23, { width }), optimiser: 'adam', learningRate: 5e-4 })

const VARIANTS = {
  default: compact({}),
  'width × 1/2': compact(scaled(0.5)),
  'width × 3/4': compact(scaled(0.75)),
  'width × 3/2': compact(scaled(1.5)),
  'group normalisation': compact({ normalisation: 'group' }),
  'standardised weights': compact({ normalisation: 'weight' }),
  'one block at 1/16': compact({ dilations: [1] }),
  'five blocks at 1/16, wider field': compact({ dilations: [1, 2, 4, 2, 1] }),
  'residual blocks, 2 deep and 1 in the middle': compact({ residuals: [2, 1] }),
  'output stride 2': compact({ decoder: [96, 64, 32] }),
  'output stride 2, width × 3/4': compact({ channels: [24, 36, 72, 96], decoder: [72, 48, 24] }),
  'pose machine, width 1/8': machine(0.125),
  'pose machine, width 1/4': machine(0.25)
}

if (!['muon', 'adam'].includes(values.optimiser)) {
  console.error(`No optimiser "${values.optimiser}"; there are muon and adam`)
  process.exit(2)
}
const wanted = values.only ?? Object.keys(VARIANTS)
for (const name of wanted)
  if (!(name in VARIANTS)) {
    console.error(`No variant "${name}"; there are: ${Object.keys(VARIANTS).join(', ')}`)
    process.exit(2)
  }
await mkdir(dirname(values.out), { recursive: true })
const settings = JSON.stringify({ images, batchSize, seed })
const lines = (await readFile(values.out, 'utf8').catch(() => '')).split('\n').flatMap(line => {
  try {
    return [JSON.parse(line)]
  } catch {
    // A line cut short: that variant is trained again.
    return []
  }
})
const keyOf = (name, { spec, optimiser, learningRate }) =>
  JSON.stringify({ name, spec, optimiser, learningRate, settings })
const done = new Map(lines.map(l => [l.key, l]))
const missing = wanted.filter(name => !done.has(keyOf(name, VARIANTS[name])))
const work = missing.reduce((s, name) => s + networkWork(VARIANTS[name].spec).trainingFlop * images, 0)
console.error(
  `${missing.length} of ${wanted.length} variants to train, ${(work / 1e12).toFixed(1)} TFLOP in all`
)

const stop = new AbortController()
process.once('SIGINT', () => stop.abort())
const validation = missing.length > 0 ? trialValidation() : null
for (const name of missing) {
  const variant = VARIANTS[name]
  const started = performance.now()
  let shown = 0
  const result = await trialArchitecture(variant.spec, validation, {
    images,
    batchSize,
    threads,
    seed,
    optimiser: variant.optimiser,
    learningRate: variant.learningRate,
    signal: stop.signal,
    onProgress: (fraction, loss) => {
      if (performance.now() - shown < 10_000 && fraction < 1) return
      shown = performance.now()
      const left = ((shown - started) / 60e3) * (1 / fraction - 1)
      console.error(
        `${name}: ${(100 * fraction).toFixed(0)} %, loss ${loss.toFixed(3)}, ${left.toFixed(0)} min left`
      )
    }
  }).catch(error => {
    if (!stop.signal.aborted) console.error(`${name}: ${error.message}`)
    return null
  })
  if (stop.signal.aborted) process.exit(130)
  if (!result) continue
  const line = { key: keyOf(name, variant), name, ...result }
  await appendFile(values.out, `${JSON.stringify(line)}\n`)
  done.set(line.key, line)
}

const rows = wanted.flatMap(name => done.get(keyOf(name, VARIANTS[name])) ?? [])
console.log(`${images} training images each, seed ${seed}; held-out phantoms.\n`)
console.log(
  '| network | mean, mm | median, mm | confident | parameters | GFLOP | GFLOP in training | inference, ms |'
)
console.log('|---|---|---|---|---|---|---|---|')
for (const r of rows)
  console.log(
    `| ${[
      r.name,
      r.meanMm.toFixed(2),
      r.medianMm.toFixed(2),
      `${(100 * r.recall).toFixed(0)} %`,
      r.parameters.toLocaleString('en'),
      r.forwardGflop.toFixed(2),
      r.trainingGflop.toFixed(2),
      r.inferenceMs.toFixed(1)
    ].join(' | ')} |`
  )
