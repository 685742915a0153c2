import { createRandom } from '@raypose/core'
import { describe, expect, test } from 'vitest'
import {
  binsPerLandmark,
  compactSpec,
  cpmSpec,
  createDetector,
  createTrainer,
  encodeTargets,
  gradientGraph,
  initialiseParameters,
  type NetworkSpec,
  nodeRuntime,
  normaliseInput,
  parameterLayout,
  randomParameters,
  warmupCosine
} from '../src/index.js'

const tiny = compactSpec(2, { imageWidth: 48, imageHeight: 46, channels: [8, 8, 16, 16], decoder: [16, 8] })
const smallest = { imageWidth: 48, imageHeight: 32, channels: [2, 3, 8, 3], decoder: [3, 2] } as const

/** A bright disc among noise; the landmarks sit at fixed offsets from it. */
function batchOf(spec: NetworkSpec, size: number, seed: number) {
  const random = createRandom(seed)
  const pixels = spec.inputWidth * spec.inputHeight
  const bins = spec.landmarks * binsPerLandmark(spec)
  const images: Float32Array[] = []
  const points: number[][] = []
  const inputs = new Float32Array(size * pixels)
  const targets = new Float32Array(size * bins)
  for (let n = 0; n < size; n++) {
    const [cu, cv] = [random.uniform(10, spec.imageWidth - 20), random.uniform(10, spec.imageHeight - 10)]
    const image = new Float32Array(spec.imageWidth * spec.imageHeight)
    for (let i = 0; i < image.length; i++) {
      const d2 = ((i % spec.imageWidth) - cu) ** 2 + (Math.floor(i / spec.imageWidth) - cv) ** 2
      image[i] = 2 * Math.exp(-d2 / 18) + 0.2 * random.normal()
    }
    const at = Array.from({ length: spec.landmarks }, (_, k) => [cu + 10 * k, cv]).flat()
    images.push(image)
    points.push(at)
    normaliseInput(spec, image, inputs, n * pixels)
    encodeTargets(spec, at, 3, targets, n * bins)
  }
  return { images, points, inputs, targets }
}

/** Directional derivatives of the loss along random directions against the gradient from the graph. */
async function expectNetworkGradient(spec: NetworkSpec, step: number) {
  const runtime = await nodeRuntime()
  const session = await runtime.createSession(gradientGraph(spec, 2))
  const { total, entries } = parameterLayout(spec)
  const { targets } = batchOf(spec, 2, 5)
  const random = createRandom(8)
  // Noise everywhere: flat ground would put whole maps of units at one kink.
  const inputs = Float32Array.from({ length: 2 * spec.inputWidth * spec.inputHeight }, () => random.normal())
  // Biases away from zero, so that units are neither all on nor exactly at their kink.
  const start = randomParameters(spec, 2).map(p => p + 0.05 * random.normal())
  const run = (parameters: Float32Array) =>
    session.run({
      images: runtime.tensor(inputs, [2, 1, spec.inputHeight, spec.inputWidth]),
      targets: runtime.tensor(targets, [2, spec.landmarks, binsPerLandmark(spec)]),
      parameters: runtime.tensor(parameters, [total])
    })
  const gradient = (await run(start)).gradient.data.slice()
  for (const { name, offset, size } of entries) {
    const part = gradient.subarray(offset, offset + size)
    const norm = Math.hypot(...part)
    expect(norm, `${name} has a gradient`).toBeGreaterThan(0)
    // Along the gradient of this one parameter, where the derivative is its norm.
    const at = async (delta: number) => {
      const moved = start.slice()
      for (let i = 0; i < size; i++) moved[offset + i] += (delta * part[i]) / norm
      return (await run(moved)).loss.data[0]
    }
    const slope = ((await at(step)) - (await at(-step))) / (2 * step)
    // The loss is rounded to about 1e-6, which the step divides; the rest is for kinks that units cross.
    expect(Math.abs(slope - norm), `${name}: slope ${slope}, gradient ${norm}`).toBeLessThan(
      0.02 * norm + 2e-3
    )
  }
  await session.release()
}

describe('gradient of the whole network agrees with central differences, parameter by parameter', () => {
  test.each(['none', 'group', 'weight'] as const)('compact, normalisation %s', async normalisation => {
    await expectNetworkGradient(compactSpec(2, { ...smallest, normalisation }), 2e-3)
  })

  test('compact, maps of stride 2, other dilations', async () => {
    const spec = compactSpec(2, { ...smallest, decoder: [4, 4, 4], dilations: [2] })
    await expectNetworkGradient(spec, 2e-3)
  })

  test('cpm', async () => {
    await expectNetworkGradient(cpmSpec(2, { imageWidth: 24, imageHeight: 16, stages: 2, width: 0.03 }), 5e-4)
  })
})

test('data-dependent initialisation: unit deviation where it was asked for, reproducible by seed', async () => {
  const { inputs } = batchOf(tiny, 4, 1)
  const values = await initialiseParameters(tiny, 7, inputs)
  expect(values).toEqual(await initialiseParameters(tiny, 7, inputs))
  expect(values).not.toEqual(await initialiseParameters(tiny, 8, inputs))
  const detector = await createDetector({ spec: tiny, parameters: values })
  const scores = await detector.scores(inputs)
  await detector.release()
  const bins = binsPerLandmark(tiny)
  const maps = [...scores].filter((_, i) => i % bins !== bins - 1)
  const mean = maps.reduce((a, b) => a + b) / maps.length
  const deviation = Math.sqrt(maps.reduce((a, b) => a + (b - mean) ** 2, 0) / maps.length)
  expect(deviation).toBeCloseTo(0.1, 3)
})

describe('training', () => {
  const errorOf = async (parameters: Float32Array) => {
    const held = batchOf(tiny, 16, 999)
    const detector = await createDetector({ spec: tiny, parameters }, { batchSize: 8 })
    const found = await detector.detect(held.images)
    await detector.release()
    const errors = found.flatMap((ds, n) =>
      ds.map((d, k) => Math.hypot(d.u - held.points[n][2 * k], d.v - held.points[n][2 * k + 1]))
    )
    return errors.reduce((a, b) => a + b) / errors.length
  }

  test.each([
    ['adam', 5e-3],
    ['muon', 5e-3]
  ] as const)('finds landmarks in images it has not seen, by %s', async (optimiser, rate) => {
    const parameters = await initialiseParameters(tiny, 1, batchOf(tiny, 8, 1).inputs)
    const before = await errorOf(parameters)
    const trainer = await createTrainer({ spec: tiny, batchSize: 8, parameters, optimiser })
    for (let i = 0; i < 150; i++) {
      const { inputs, targets } = batchOf(tiny, 8, 100 + i)
      const result = await trainer.train(inputs, targets, { lr: warmupCosine(i / 150, rate, 0.1) })
      expect(result.status).toBe('ok')
    }
    expect(before).toBeGreaterThan(8)
    expect(await errorOf(trainer.parameters())).toBeLessThan(2)
    expect(await errorOf(trainer.averagedParameters())).toBeLessThan(4)
    await trainer.release()
  })

  test.each(['adam', 'muon'] as const)(
    'by %s is deterministic, and a checkpoint resumes bit for bit',
    async optimiser => {
      const batches = Array.from({ length: 6 }, (_, i) => batchOf(tiny, 4, i))
      const options = { spec: tiny, batchSize: 4, seed: 3, optimiser }
      const [a, b, c] = await Promise.all([
        createTrainer(options),
        createTrainer(options),
        createTrainer(options)
      ])
      let saved = new Uint8Array()
      for (const [i, { inputs, targets }] of batches.entries()) {
        const results = [
          await a.train(inputs, targets, { lr: 1e-3 }),
          await b.train(inputs, targets, { lr: 1e-3 })
        ]
        expect(results[0]).toEqual(results[1])
        if (i === 2) saved = a.checkpoint().slice()
      }
      c.restore(saved)
      expect(c.step()).toBe(3)
      for (const { inputs, targets } of batches.slice(3)) await c.train(inputs, targets, { lr: 1e-3 })
      expect(c.checkpoint()).toEqual(a.checkpoint())
      expect(b.parameters()).toEqual(a.parameters())
      await Promise.all([a.release(), b.release(), c.release()])
    }
  )

  test('a step that is not finite leaves the state as it was and says so', async () => {
    const trainer = await createTrainer({ spec: tiny, batchSize: 2 })
    const { inputs, targets } = batchOf(tiny, 2, 1)
    await trainer.train(inputs, targets, { lr: 1e-3 })
    const before = trainer.checkpoint()
    const broken = inputs.slice()
    broken[100] = Number.NaN
    expect((await trainer.train(broken, targets, { lr: 1e-3 })).status).toBe('diverged')
    expect(trainer.checkpoint()).toEqual(before)
    expect((await trainer.train(inputs, targets, { lr: 1e-3 })).status).toBe('ok')
    await trainer.release()
  })

  test('the untouched average equals the parameters when its decay is 0', async () => {
    const trainer = await createTrainer({ spec: tiny, batchSize: 2 })
    const { inputs, targets } = batchOf(tiny, 2, 1)
    for (let i = 0; i < 3; i++) await trainer.train(inputs, targets, { lr: 1e-3, averageDecay: 0 })
    expect(trainer.averagedParameters()).toEqual(trainer.parameters())
    await trainer.release()
  })

  test('a small convolutional pose machine learns', async () => {
    const spec = cpmSpec(2, { imageWidth: 48, imageHeight: 48, width: 0.06 })
    const trainer = await createTrainer({ spec, batchSize: 4, seed: 2 })
    const { inputs, targets } = batchOf(spec, 4, 6)
    const losses: number[] = []
    for (let i = 0; i < 60; i++) {
      const result = await trainer.train(inputs, targets, { lr: 3e-3 })
      losses.push(result.loss)
    }
    await trainer.release()
    expect(losses[losses.length - 1]).toBeLessThan(0.5 * losses[0])
  })

  test('wrong batches, parameters and checkpoints are refused by type', async () => {
    const trainer = await createTrainer({ spec: tiny, batchSize: 2 })
    const { inputs, targets } = batchOf(tiny, 2, 1)
    const argument = { code: 'argument' }
    await expect(trainer.train(inputs.subarray(1), targets, { lr: 1 })).rejects.toMatchObject(argument)
    await expect(trainer.train(inputs, targets.subarray(1), { lr: 1 })).rejects.toMatchObject(argument)
    await expect(createTrainer({ spec: tiny, batchSize: 0 })).rejects.toMatchObject(argument)
    const parameters = new Float32Array(3)
    await expect(createTrainer({ spec: tiny, batchSize: 1, parameters })).rejects.toMatchObject(argument)
    await expect(createDetector({ spec: tiny, parameters })).rejects.toMatchObject({ code: 'model' })

    const bytes = trainer.checkpoint()
    const altered = bytes.slice()
    altered[500] ^= 1
    const other = await createTrainer({ spec: compactSpec(3, smallest), batchSize: 1 })
    for (const bad of [bytes.subarray(0, 400), altered, other.checkpoint(), new Uint8Array(3)])
      expect(() => trainer.restore(bad)).toThrowError(expect.objectContaining({ code: 'model' }))
    await Promise.all([trainer.release(), other.release()])
  })
})

test('the schedule rises to its peak and falls to its floor', () => {
  expect(warmupCosine(0, 1, 0.1, 0.01)).toBeCloseTo(0.01, 9)
  expect(warmupCosine(0.1, 1, 0.1, 0.01)).toBeCloseTo(1, 9)
  expect(warmupCosine(0.55, 1, 0.1, 0.01)).toBeCloseTo(0.505, 9)
  expect(warmupCosine(1, 1, 0.1, 0.01)).toBeCloseTo(0.01, 9)
  expect(warmupCosine(7, 1, 0.1, 0.01)).toBeCloseTo(0.01, 9)
})
