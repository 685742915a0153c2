import { PAPER_DETECTOR } from '@raypose/core'
import type { NetworkSpec } from '@raypose/network'
import { RECIPES } from '../training/recipes.js'
import { trainNetwork } from '../training/train-network.js'

/** A real training on phantoms, rendering beside it, as shares of the time from its first step to its last. */
export interface LoopShares {
  readonly steps: number
  readonly imagesPerSecond: number
  /** The training step runs. */
  readonly trainShare: number
  /** Batches are made, in a thread of its own beside it; of that, rendering and making patients. */
  readonly feedShare: number
  readonly viewShare: number
  /** Nothing is trained, because the next batch is not there yet. */
  readonly waitShare: number
}

/** Measures how well rendering keeps up with training. @throws CancelledError */
export async function measureLoop(
  spec: NetworkSpec,
  options: {
    readonly batchSize: number
    readonly threads: number
    readonly steps: number
    /** Voxel size of the phantoms, mm. */
    readonly spacing: number
    readonly signal?: AbortSignal
  },
  onStep: (fraction: number) => void
): Promise<LoopShares> {
  const { batchSize, threads, steps, spacing, signal } = options
  let first = 0
  let last = 0
  let train = 0
  let feed = 0
  let views = 0
  let wait = 0
  await trainNetwork({
    spec,
    source: {
      kind: 'phantoms',
      seed: 1,
      detector: PAPER_DETECTOR,
      viewsPerPhantom: 48,
      phantoms: 1000,
      spacing
    },
    // As pre-training sets it, but with a small pool at the start, which is not what is measured.
    batch: {
      batchSize,
      sigmaPixels: 4,
      seed: 1,
      poolSize: 3000,
      firstViews: 16,
      freshViews: 2,
      augment: 1
    },
    steps: steps + 1,
    threads,
    optimiser: RECIPES.raypose.optimiser,
    learningRate: 1e-3,
    warmUp: 10,
    seed: 1,
    signal,
    onStep: s => {
      last = performance.now()
      if (first === 0) first = last
      else {
        train += s.trainSeconds
        feed += s.feedSeconds
        views += s.viewSeconds
        wait += s.waitSeconds
      }
      onStep(Math.min(1, (s.step - 1) / steps))
    }
  })
  const seconds = (last - first) / 1000
  return {
    steps,
    imagesPerSecond: (steps * batchSize) / seconds,
    trainShare: train / seconds,
    feedShare: feed / seconds,
    viewShare: views / seconds,
    waitShare: wait / seconds
  }
}
