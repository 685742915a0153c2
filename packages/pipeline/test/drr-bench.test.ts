import { CancelledError } from '@raypose/core'
import { describe, expect, test } from 'vitest'
// From dist: workers and the measured process are files of their own there.
import { benchDrr } from '../dist/bench/drr-bench.js'
import { openPlastimatch } from '../dist/bench/plastimatch.js'

const KEYS = [
  'oneCoreMs',
  'plastimatchMs',
  'ratio',
  'rmsPercent',
  'averagedRatio',
  'averagedRmsPercent',
  'seconds3456',
  'derivativeFactor',
  'scaling2',
  'ms1536',
  'memoryFactor',
  'plastimatchRmsPercent',
  'plastimatchBoxRmsPercent',
  'webgpu'
]
/** A patient of coarse voxels: what is measured is not the point here. */
const phantom = { seed: 3, spacing: 4 }

describe('bench drr', () => {
  test('measures everything, or says why not', async () => {
    const stages = new Set<string>()
    const result = await benchDrr({
      phantom,
      randomPoses: 2,
      runs: 1,
      plastimatch: false,
      webgpu: false,
      onProgress: p => stages.add(p.stage)
    })
    expect(Object.keys(result.figures)).toEqual(KEYS)
    for (const [key, value] of Object.entries(result.figures))
      if (value === null) expect(result.reasons).toHaveProperty(key)
      else expect(value).toBeGreaterThan(0)
    expect(result.figures.plastimatchMs).toBeNull()
    expect(result.figures.webgpu).toBeNull()
    expect(result.kernels.map(k => k.quality)).toEqual(['joseph', 'finest', 'fine', 'fast', 'draft'])
    for (const k of result.kernels) {
      expect(k.worstRmsPercent).toBeGreaterThanOrEqual(k.rmsPercent)
      // Voxels of 4 mm, five times the paper's.
      expect(k.rmsPercent).toBeLessThan(0.5)
    }
    // A process that renders holds the int16 volume at least.
    expect(result.figures.memoryFactor).toBeGreaterThan(1)
    expect(stages.size).toBeGreaterThan(4)
  })

  test('stops when it is told to', async () => {
    const signal = AbortSignal.abort()
    await expect(benchDrr({ phantom, signal })).rejects.toThrow(CancelledError)
  })

  test('compares with plastimatch (skipped where it is not installed)', async context => {
    const plastimatch = await openPlastimatch({
      size: [2, 2, 2],
      spacing: [1, 1, 1],
      origin: [0, 0, 0],
      direction: [1, 0, 0, 0, 1, 0, 0, 0, 1],
      data: new Int16Array(8)
    })
    if (!plastimatch) context.skip()
    await plastimatch?.dispose()
    const result = await benchDrr({ phantom, randomPoses: 0, runs: 1, webgpu: false })
    const { ratio, plastimatchMs, oneCoreMs, plastimatchRmsPercent, plastimatchBoxRmsPercent } =
      result.figures
    expect(ratio).toBeCloseTo((plastimatchMs ?? 0) / oneCoreMs, 6)
    expect(result.plastimatch).toHaveLength(5)
    expect(plastimatchRmsPercent).toBeLessThan(2)
    // Voxels of 4 mm make the two models differ; with boxes in both there is nothing between them.
    expect(plastimatchBoxRmsPercent).toBeLessThan(0.001)
  })
})
