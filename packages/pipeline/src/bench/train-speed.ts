import { createRandom } from '@raypose/core'
import {
  binsPerLandmark,
  createDetector,
  createTrainer,
  encodeTargets,
  type NetworkSpec,
  networkWork,
  nodeRuntime,
  productGraph,
  randomParameters
} from '@raypose/network'
import { RECIPES } from '../training/recipes.js'
import { median } from './figures.js'

/** The training step on so many threads, and what the machine's matrix product reaches between the steps. */
export interface StepSpeed {
  readonly threads: number
  readonly imagesPerSecond: number
  /** 10⁹ floating-point operations a second. */
  readonly trainingGflops: number
  readonly gemmGflops: number
  /** Median of the rounds' own ratios: what else the machine does meanwhile slows both. */
  readonly gemmRatio: number
}

/** Rows of the square matrices whose product is the measure of the machine. */
const PRODUCT_SIZE = 1024

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

/** Lets the process answer signals: a run keeps its thread busy. */
export const breathe = (): Promise<void> => new Promise(done => setImmediate(done))

/**
 * Measures the training step on random images, round by round: one step, then matrix products for about as long.
 * @param onRound called after each round with the share done; may throw to stop
 */
export async function measureStep(
  spec: NetworkSpec,
  options: { readonly batchSize: number; readonly threads: number; readonly rounds: number },
  onRound: (fraction: number) => void
): Promise<StepSpeed> {
  const { batchSize, threads, rounds } = options
  const random = createRandom(1)
  const normals = (n: number) => Float32Array.from({ length: n }, () => random.normal())
  const images = normals(batchSize * spec.inputWidth * spec.inputHeight)
  const perImage = spec.landmarks * binsPerLandmark(spec)
  const targets = new Float32Array(batchSize * perImage)
  for (let b = 0; b < batchSize; b++) {
    const points = Array.from({ length: spec.landmarks }, () => [
      random.uniform(0, spec.imageWidth - 1),
      random.uniform(0, spec.imageHeight - 1)
    ])
    encodeTargets(spec, points.flat(), 5, targets, b * perImage)
  }
  const runtime = await nodeRuntime()
  const { optimiser } = RECIPES.raypose
  const trainer = await createTrainer({ spec, batchSize, threads, optimiser })
  const session = await runtime.createSession(productGraph(PRODUCT_SIZE), { threads })
  const [a, b] = [1, 2].map(() => runtime.tensor(normals(PRODUCT_SIZE ** 2), [PRODUCT_SIZE, PRODUCT_SIZE]))
  const step = () => seconds(() => trainer.train(images, targets, { lr: 1e-4 }))
  const product = () => seconds(() => session.run({ a, b }))
  try {
    await product()
    await step()
    const perRound = Math.max(1, Math.round((await step()) / (await product())))
    const stepGflop = (networkWork(spec).trainingFlop * batchSize) / 1e9
    const productGflop = (2 * PRODUCT_SIZE ** 3) / 1e9
    const results: { step: number; gemm: number }[] = []
    for (let r = 0; r < rounds; r++) {
      const time = await step()
      let busy = 0
      for (let i = 0; i < perRound; i++) busy += await product()
      results.push({ step: stepGflop / time, gemm: (perRound * productGflop) / busy })
      await breathe()
      onRound((r + 1) / rounds)
    }
    const trainingGflops = median(results.map(r => r.step))
    return {
      threads,
      imagesPerSecond: (trainingGflops / stepGflop) * batchSize,
      trainingGflops,
      gemmGflops: median(results.map(r => r.gemm)),
      gemmRatio: median(results.map(r => r.step / r.gemm))
    }
  } finally {
    await Promise.all([trainer.release(), session.release()])
  }
}

/** Milliseconds from one image to its landmarks for each number of threads, measured in turns. */
export async function measureInference(
  spec: NetworkSpec,
  threads: readonly number[],
  runs: number,
  onRun: (fraction: number) => void
): Promise<number[]> {
  const random = createRandom(2)
  const image = Float32Array.from({ length: spec.imageWidth * spec.imageHeight }, () => random.normal())
  const network = { spec, parameters: randomParameters(spec, 1) }
  const detectors = await Promise.all(threads.map(t => createDetector(network, { threads: t })))
  const times: number[][] = threads.map(() => [])
  try {
    for (const d of detectors) await d.detect([image])
    for (let r = 0; r < runs; r++) {
      for (const [i, d] of detectors.entries()) times[i].push(1000 * (await seconds(() => d.detect([image]))))
      await breathe()
      onRun((r + 1) / runs)
    }
    return times.map(median)
  } finally {
    await Promise.all(detectors.map(d => d.release()))
  }
}
