import type { Detector, PreparedVolume, Vec3, View, ViewGrid } from '@raypose/core'
import type { NetworkSpec, Optimiser, StepHyper } from '@raypose/network'
import type { BatchOptions } from './batches.js'
import type { GridPatient } from './grid-source.js'
import type { PopulationMember } from './population.js'
import type { ValidationOutcome, ValidationSet } from './validation.js'
import type { Range } from './view-source.js'
import type { PlainError } from './worker-errors.js'

/** Where a feeder takes its views from: plain data, so that it can cross to a worker. */
export type SourceConfig =
  | {
      readonly kind: 'phantoms'
      readonly seed: number
      readonly detector: Detector
      readonly range?: ViewGrid
      readonly distances?: Range
      readonly viewsPerPhantom: number
      readonly phantoms: number
      readonly spacing: number
    }
  | {
      readonly kind: 'patient'
      readonly seed: number
      readonly detector: Detector
      readonly range: ViewGrid
      /** Poses to draw from instead of the whole range. */
      readonly views?: readonly View[]
      readonly bone: PreparedVolume
      readonly soft: PreparedVolume
      readonly landmarks: readonly (Vec3 | null)[]
      readonly isocenter: Vec3
    }
  | {
      readonly kind: 'population'
      readonly seed: number
      readonly detector: Detector
      readonly range: ViewGrid
      readonly distances?: Range
      readonly members: readonly PopulationMember[]
      readonly viewsPerPatient: number
    }
  | {
      readonly kind: 'grid'
      readonly seed: number
      readonly detector: Detector
      readonly grid: ViewGrid
      readonly patients: readonly GridPatient[]
      /** Views that an earlier part of the training has had. */
      readonly start: number
    }
  | {
      readonly kind: 'mixture'
      readonly seed: number
      readonly parts: readonly { readonly weight: number; readonly source: SourceConfig }[]
    }

export interface FeederData {
  readonly source: SourceConfig
  readonly batch: BatchOptions
}

export type FeederReply =
  | {
      readonly kind: 'batch'
      readonly images: Float32Array<ArrayBuffer>
      readonly targets: Float32Array<ArrayBuffer>
      /** What the batch took, and how much of it went into views: rendering, and making or reading patients. */
      readonly seconds: number
      readonly viewSeconds: number
    }
  | { readonly kind: 'failed'; readonly error: PlainError }

export interface TrainerData {
  readonly spec: NetworkSpec
  readonly batchSize: number
  readonly optimiser: Optimiser
  readonly threads: number
  readonly provider?: string
  readonly parameters?: Float32Array
  readonly seed: number
}

export type TrainerRequest =
  | { kind: 'step'; images: Float32Array<ArrayBuffer>; targets: Float32Array<ArrayBuffer>; hyper: StepHyper }
  | { kind: 'validate'; set: ValidationSet }
  | { kind: 'checkpoint'; note: TrainingNote }
  | { kind: 'restore'; bytes: Uint8Array }
  | { kind: 'parameters' }

/** What a checkpoint says of the training beside the state of the optimiser. */
export interface TrainingNote {
  /** Time of training so far, every part of it. */
  readonly seconds: number
  /** Moving average of the loss; null before the first step. */
  readonly loss: number | null
  /** What the learning rate is multiplied with since steps had to be taken back. */
  readonly rate: number
  /** The best validation so far and how many have followed it. */
  readonly best: { readonly step: number; readonly meanMm: number; readonly since: number } | null
}

export type TrainerReply =
  | { kind: 'ready' }
  | { kind: 'failed'; error: PlainError }
  | {
      kind: 'step'
      status: 'ok' | 'diverged'
      step: number
      loss: number
      gradientNorm: number
      seconds: number
    }
  | { kind: 'validate'; outcome: ValidationOutcome }
  | { kind: 'checkpoint'; bytes: Uint8Array }
  | { kind: 'restore'; step: number; note: Partial<TrainingNote> }
  | { kind: 'parameters'; parameters: Float32Array }
