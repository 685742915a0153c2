import { CancelledError, PAPER_DETECTOR } from '@raypose/core'
import { compactSpec, networkWork } from '@raypose/network'
import { describe, expect, test } from 'vitest'
// From dist: workers are files of their own there.
import { trialArchitecture } from '../dist/bench/architecture-trial.js'
import { benchTrain } from '../dist/bench/train-bench.js'
import { phantomValidation } from '../dist/training/validation-views.js'

const KEYS = [
  'imagesPerSecond1',
  'imagesPerSecond2',
  'gemmRatio1',
  'gemmRatio2',
  'inferenceMs1',
  'inferenceMs2',
  'renderShare'
]
/** A network and a patient that cost little: what is measured is not the point here. */
const spec = compactSpec(23, { channels: [4, 4, 8, 8], decoder: [4, 4] })
const spacing = 4

describe('bench train', () => {
  test('measures everything, or says why not', async () => {
    const stages = new Set<string>()
    const { figures, reasons, speeds, loop, work, batchSize } = await benchTrain({
      spec,
      batchSize: 2,
      rounds: 1,
      steps: 3,
      spacing,
      onProgress: p => stages.add(p.stage)
    })
    expect(Object.keys(figures)).toEqual(KEYS)
    for (const [key, value] of Object.entries(figures))
      if (value === null) expect(reasons).toHaveProperty(key)
      else expect(value).toBeGreaterThanOrEqual(0)
    expect(work).toEqual(networkWork(spec))
    for (const s of speeds) {
      // With one round the medians are of the same times.
      expect(s.gemmRatio).toBeCloseTo(s.trainingGflops / s.gemmGflops, 9)
      expect((s.imagesPerSecond * work.trainingFlop) / 1e9).toBeCloseTo(s.trainingGflops, 9)
    }
    expect(figures.gemmRatio1).toBe(speeds[0].gemmRatio)
    expect(batchSize).toBe(2)
    // Training and waiting do not overlap; making batches runs beside them, and views are part of it.
    expect(loop.trainShare + loop.waitShare).toBeLessThanOrEqual(1)
    expect(loop.viewShare).toBeLessThanOrEqual(loop.feedShare)
    expect(figures.renderShare).toBe(loop.waitShare)
    expect(stages.size).toBeGreaterThanOrEqual(3)
  })

  test('stops when it is told to', async () => {
    await expect(benchTrain({ spec, signal: AbortSignal.abort() })).rejects.toThrow(CancelledError)
  })
})

test('a trial of an architecture depends on nothing but its options', async () => {
  const validation = phantomValidation(PAPER_DETECTOR, 1, 2, spacing)
  const options = {
    images: 8,
    batchSize: 4,
    optimiser: 'muon',
    learningRate: 1e-3,
    threads: 1,
    seed: 5,
    spacing
  } as const
  const progress: number[] = []
  const a = await trialArchitecture(spec, validation, { ...options, onProgress: f => progress.push(f) })
  const b = await trialArchitecture(spec, validation, options)
  expect(progress).toEqual([0.5, 1])
  expect(a.images).toBe(8)
  expect(a.parameters).toBe(networkWork(spec).parameters)
  expect(a.visible).toBeGreaterThan(0)
  expect(a.visible).toBeLessThanOrEqual(2 * 23)
  expect(a.meanMm).toBeGreaterThan(0)
  expect(b).toEqual({ ...a, inferenceMs: b.inferenceMs, trainingSeconds: b.trainingSeconds })
})
