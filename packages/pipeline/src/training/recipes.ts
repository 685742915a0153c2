import { gridViews, TRAINING_GRID } from '@raypose/core'
import type { Optimiser, StepHyper } from '@raypose/network'

/** How a network is trained, where the options do not say otherwise. */
export interface Recipe {
  readonly architecture: 'compact' | 'cpm'
  /** Width factor of the convolutional pose machine. */
  readonly width: number
  readonly batchSize: number
  readonly optimiser: Optimiser
  readonly learningRate: number
  readonly warmUp: number
  readonly schedule: 'cosine' | 'constant'
  /** Standard deviation of the target Gaussians on the detector, mm. */
  readonly sigmaMm: number
  readonly averageDecay?: number
  readonly hyper?: Omit<Partial<StepHyper>, 'lr' | 'averageDecay'>
  /** Times that the training goes through the grid of views; null for continuous random views, randomised. */
  readonly epochs: number | null
}

export type RecipeName = 'raypose' | 'paper'

export const RECIPES: Readonly<Record<RecipeName, Recipe>> = {
  raypose: {
    architecture: 'compact',
    width: 0.25,
    batchSize: 8,
    optimiser: 'muon',
    learningRate: 2e-3,
    warmUp: 100,
    schedule: 'cosine',
    sigmaMm: 7,
    epochs: null
  },
  /**
   * Paper section 2 with what its references leave to it (Bier et al. 2018): a convolutional pose machine of six stages, Adam at
   * 1e-5 throughout, one image a step, four epochs; squared differences from Gaussians of 2.15 map pixels of 8 · 0.616 mm; images
   * as rendered; the last weights, not their average.
   */
  paper: {
    architecture: 'cpm',
    width: 1,
    batchSize: 1,
    optimiser: 'adam',
    learningRate: 1e-5,
    warmUp: 0,
    schedule: 'constant',
    sigmaMm: 10.6,
    averageDecay: 0,
    hyper: { weightDecay: 0, clipNorm: Number.POSITIVE_INFINITY },
    epochs: 4
  }
}

/** Steps of continuous training where nothing is said. */
export const DEFAULT_STEPS = 20_000

/** Steps that show every view of the grid of so many patients `epochs` times. */
export const epochSteps = (patients: number, epochs: number, batchSize: number): number =>
  Math.ceil((patients * gridViews(TRAINING_GRID).length * epochs) / batchSize)
