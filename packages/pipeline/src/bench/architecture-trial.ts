import { PAPER_DETECTOR } from '@raypose/core'
import { createDetector, type NetworkSpec, networkWork, type Optimiser } from '@raypose/network'
import { trainNetwork } from '../training/train-network.js'
import type { ValidationSet } from '../training/validation.js'
import { accuracyOf } from '../training/validation.js'
import { phantomValidation } from '../training/validation-views.js'
import { TRAINING_DISTANCES } from '../training/view-source.js'
import { measureInference } from './train-speed.js'

export interface TrialOptions {
  /** Training images; the same number and the same views for every architecture. */
  readonly images: number
  readonly batchSize: number
  readonly optimiser: Optimiser
  readonly learningRate: number
  readonly threads: number
  readonly seed: number
  /** Voxel size of the phantoms, mm; default 1.5, as in pre-training. */
  readonly spacing?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (fraction: number, loss: number) => void
}

/** What an architecture comes to after a training; errors in mm at the isocentre. */
export interface TrialResult {
  readonly parameters: number
  readonly forwardGflop: number
  readonly trainingGflop: number
  /** One image, one thread. */
  readonly inferenceMs: number
  readonly images: number
  readonly trainingSeconds: number
  readonly loss: number
  /** On phantoms that no training sees. */
  readonly visible: number
  readonly meanMm: number
  readonly medianMm: number
  readonly recall: number
}

/** Voxel size of the phantoms of pre-training, mm. */
const SPACING = 1.5

/** Views of eight held-out phantoms that all trials are measured on. */
export const trialValidation = (): ValidationSet => phantomValidation(PAPER_DETECTOR, 8, 12, SPACING)

/**
 * Trains one architecture on phantoms and measures it: a row of a table that compares several. Views depend on the
 * seed alone, not on the architecture.
 * @throws CancelledError; ModelError when training diverges
 */
export async function trialArchitecture(
  spec: NetworkSpec,
  validation: ValidationSet,
  o: TrialOptions
): Promise<TrialResult> {
  const steps = Math.ceil(o.images / o.batchSize)
  const { parameters, loss, seconds } = await trainNetwork({
    spec,
    source: {
      kind: 'phantoms',
      seed: o.seed,
      detector: PAPER_DETECTOR,
      distances: TRAINING_DISTANCES,
      viewsPerPhantom: 48,
      phantoms: 100_000,
      spacing: o.spacing ?? SPACING
    },
    batch: {
      batchSize: o.batchSize,
      sigmaPixels: 7 / PAPER_DETECTOR.pixel[0],
      seed: o.seed + 1,
      poolSize: 3000,
      firstViews: Math.min(96, o.images),
      freshViews: 2,
      augment: 1
    },
    steps,
    threads: o.threads,
    optimiser: o.optimiser,
    learningRate: o.learningRate,
    warmUp: Math.min(100, steps / 10),
    // The average's memory must be short against a short training.
    averageDecay: Math.min(0.998, 1 - 20 / steps),
    seed: o.seed,
    signal: o.signal,
    onStep: s => o.onProgress?.(s.step / steps, s.loss)
  })
  const detector = await createDetector({ spec, parameters }, { threads: o.threads, batchSize: 4 })
  const found = await detector.detect(validation.images)
  await detector.release()
  const size = [spec.imageWidth, spec.imageHeight] as const
  const { visible, meanMm, medianMm, recall } = accuracyOf(
    found,
    validation.points,
    size,
    validation.mmPerPixel
  )
  const [inferenceMs] = await measureInference(spec, [1], 25, () => {})
  const work = networkWork(spec)
  return {
    parameters: work.parameters,
    forwardGflop: work.forwardFlop / 1e9,
    trainingGflop: work.trainingFlop / 1e9,
    inferenceMs,
    images: steps * o.batchSize,
    trainingSeconds: seconds,
    loss,
    visible,
    meanMm,
    medianMm,
    recall
  }
}
