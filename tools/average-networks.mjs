// Averages networks of one kind, of which each was trained on from the one before (Wortsman et al., "Model soups", 2022):
//   npm run build && node tools/average-networks.mjs OUT.rpw FILE.rpw@WEIGHT FILE.rpw@WEIGHT …
// With a negative weight, what one network learnt is added to another: A@1 B-trained-on@1 B@-1 (Ilharco et al., "Editing models with task arithmetic", 2023).
import { readFile } from 'node:fs/promises'
import { ArgumentError } from '@raypose/core'
import { loadWeights, saveWeights } from '@raypose/network'
import { sha256, writeFileAtomic } from '@raypose/pipeline'

const [out, ...parts] = process.argv.slice(2)
const networks = []
for (const part of parts) {
  const [, file, weight] = /^(.*)@(-?[\d.]+)$/.exec(part) ?? []
  if (!file) throw new ArgumentError(`"${part}" is not FILE@WEIGHT`, 'For example: a.rpw@0.25 b.rpw@0.75')
  const bytes = await readFile(file)
  networks.push({ network: loadWeights(bytes), weight: Number(weight), hash: sha256(bytes) })
}
const [first] = networks
if (networks.some(n => JSON.stringify(n.network.spec) !== JSON.stringify(first.network.spec)))
  throw new ArgumentError('The networks are of different kinds', 'Average networks of the same spec only.')
const total = networks.reduce((s, n) => s + n.weight, 0)
if (!(total > 0)) throw new ArgumentError(`The weights add up to ${total}`, 'Give weights of a positive sum.')
const parameters = first.network.parameters.map((_, i) =>
  networks.reduce((s, n) => s + (n.weight / total) * n.network.parameters[i], 0)
)
const provenance = {
  averageOf: networks.map(n => ({
    weight: n.weight / total,
    sha256: n.hash,
    provenance: n.network.provenance
  }))
}
await writeFileAtomic(out, saveWeights({ ...first.network, parameters, provenance }))
