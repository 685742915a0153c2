import { createRandom, ModelError } from '@raypose/core'
import { expect, it } from 'vitest'
import { parameterLayout } from '../src/architectures/network.js'
import { binsPerLandmark, compactSpec } from '../src/architectures/spec.js'
import { createDetector } from '../src/inference/node-detector.js'
import { randomParameters } from '../src/training/initialise.js'
import { transferParameters } from '../src/training/transfer.js'

const small = {
  imageWidth: 32,
  imageHeight: 32,
  channels: [4, 6, 8, 8] as const,
  decoder: [8, 6] as const
}
const from = compactSpec(3, small)
const parameters = randomParameters(from, 5)
const random = createRandom(2)
const image = Float32Array.from({ length: 32 * 32 }, () => random.normal())

async function scores(spec: typeof from, values: Float32Array): Promise<Float32Array> {
  const detector = await createDetector({ spec, parameters: values })
  return detector.scores(image).finally(() => detector.release())
}

it('starts a deeper network with more landmarks where the smaller one stood', async () => {
  const to = compactSpec(5, { ...small, residuals: [2, 1] })
  const grown = transferParameters({ spec: from, parameters }, to, 9)
  const before = await scores(from, parameters)
  const after = await scores(to, grown)
  const bins = binsPerLandmark(from)
  for (let i = 0; i < 3 * bins; i++) expect(after[i]).toBeCloseTo(before[i], 5)
  // The new landmarks are not copies of old ones.
  expect(after.slice(3 * bins, 4 * bins)).not.toEqual(after.slice(0, bins))
})

it('opens the residual blocks at random, or they could never learn', () => {
  const to = compactSpec(3, { ...small, residuals: [1, 0] })
  const grown = transferParameters({ spec: from, parameters }, to, 9)
  const entry = parameterLayout(to).entries.find(e => e.name === 'deep0.open.weight')!
  const opening = grown.subarray(entry.offset, entry.offset + entry.size)
  expect(Math.max(...opening.map(Math.abs))).toBeGreaterThan(0)
})

it('refuses a network that does not lie within the new one', () => {
  const transfer = (to: typeof from) => () => transferParameters({ spec: from, parameters }, to, 1)
  expect(transfer(compactSpec(2, small))).toThrow(ModelError)
  expect(transfer(compactSpec(3, { ...small, channels: [4, 6, 10, 8] }))).toThrow(/encoder8b/)
})
