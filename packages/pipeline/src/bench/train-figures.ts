import type { FigureTarget } from './figures.js'

/** What `bench train` measures, medians of one run; the figures of two threads are null on one core. */
export interface TrainFigures {
  /** Images a second of the training step (forward, backward, optimiser) on one thread and on two, nothing else running. */
  readonly imagesPerSecond1: number
  readonly imagesPerSecond2: number | null
  /** The step's FLOP/s (multiply-adds of its products and convolutions only) against those of a 1024³ product. */
  readonly gemmRatio1: number
  readonly gemmRatio2: number | null
  /** One image of the spec's size to landmarks, ms. */
  readonly inferenceMs1: number
  readonly inferenceMs2: number | null
  /** Share of the time in which a real training waits for its next batch. */
  readonly renderShare: number
}

export type TrainFigure = keyof TrainFigures

export const TRAIN_TARGETS: readonly FigureTarget<TrainFigure>[] = [
  { figure: 'gemmRatio1', least: 0.7 },
  { figure: 'gemmRatio2', least: 0.6 },
  { figure: 'inferenceMs2', most: 15 }
]
