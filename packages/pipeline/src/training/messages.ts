import type { Detector, PreparedVolume, Vec3, ViewGrid } from '@raypose/core'
import type { NetworkSpec, StepHyper } from '@raypose/network'
import type { BatchOptions } from './batches.js'
import type { PopulationMember } from './population.js'
import type { Accuracy } from './validation.js'
import type { Range } from './view-source.js'

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

/** Images to validate on, with where the landmarks are (NaN: not in the image). */
export interface ValidationSet {
  readonly images: readonly Float32Array[]
  readonly points: readonly Float32Array[]
  /** Millimetres at the isocentre per pixel. */
  readonly mmPerPixel: number
}

export interface FeederData {
  readonly source: SourceConfig
  readonly batch: BatchOptions
}

export interface TrainerData {
  readonly spec: NetworkSpec
  readonly batchSize: number
  readonly threads: number
  readonly parameters?: Float32Array
  readonly seed: number
}

export type TrainerRequest =
  | { kind: 'step'; images: Float32Array<ArrayBuffer>; targets: Float32Array<ArrayBuffer>; hyper: StepHyper }
  | { kind: 'validate'; set: ValidationSet }
  | { kind: 'checkpoint' }
  | { kind: 'restore'; bytes: Uint8Array }
  | { kind: 'parameters' }

export type TrainerReply =
  | {
      kind: 'step'
      status: 'ok' | 'diverged'
      step: number
      loss: number
      gradientNorm: number
      seconds: number
    }
  | { kind: 'validate'; accuracy: Accuracy }
  | { kind: 'checkpoint'; bytes: Uint8Array }
  | { kind: 'restore'; step: number }
  | { kind: 'parameters'; parameters: Float32Array }
