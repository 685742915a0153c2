import {
  BACK_PROJECTION_GRID,
  type BackProjectionOptions,
  type BoneWindow,
  PAPER_BONE_WINDOW,
  TRAINING_GRID,
  type Vec3,
  type ViewGrid
} from '@raypose/core'
import type { OnProgress } from '../types.js'

/** How much time goes into a patient. */
export interface Profile {
  /** Retraining steps of 8 images, and the time after which it ends all the same. */
  readonly steps: number
  readonly maxSeconds: number
  readonly learningRate: number
}

export const PROFILES = {
  /** For when the patient is already on the table. */
  quick: { steps: 600, maxSeconds: 150, learningRate: 1e-3 },
  /** The paper's, offline. */
  full: { steps: 2400, maxSeconds: 540, learningRate: 1e-3 }
} as const satisfies Record<string, Profile>

export type ProfileName = keyof typeof PROFILES

export interface PrepareOptions {
  /** Folder for the patient; preparation that was cut short goes on from there. */
  readonly out: string
  readonly profile?: ProfileName
  /** Overrides of the profile. */
  readonly steps?: number
  readonly maxSeconds?: number
  readonly learningRate?: number
  /** LPS mm; found by the network if absent. */
  readonly isocenter?: Vec3
  /** Phase 2a: the K views; the paper's 90. */
  readonly views?: ViewGrid
  /** Phase 2a/2b: τ, median or robust, thresholds. */
  readonly backProjection?: Partial<BackProjectionOptions>
  /** Phase 2b: HU of bone; the paper's [200, 500]. */
  readonly boneWindow?: BoneWindow
  /** Phase 2c: range of the training poses, widened by a sixth so that its rim is trained too. */
  readonly range?: ViewGrid
  /** Whether that range is widened to views centred anywhere along the height of the pelvis (default true; the paper: false). */
  readonly coverHeight?: boolean
  /** Standard deviation of the targets in retraining, mm on the detector. */
  readonly sigmaMm?: number
  /** A point further than this from where the shape prior has it is placed by the prior instead, mm. */
  readonly priorGateMm?: number
  readonly seed?: number
  readonly threads?: number
  /** What the CT was read from, for the record. */
  readonly source?: Readonly<Record<string, unknown>>
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

export function prepareDefaults(o: PrepareOptions) {
  const profile: Profile = PROFILES[o.profile ?? 'quick']
  return {
    out: o.out,
    profile: o.profile ?? ('quick' as ProfileName),
    steps: o.steps ?? profile.steps,
    maxSeconds: o.maxSeconds ?? profile.maxSeconds,
    learningRate: o.learningRate ?? profile.learningRate,
    isocenter: o.isocenter,
    views: o.views ?? BACK_PROJECTION_GRID,
    backProjection: o.backProjection ?? {},
    boneWindow: o.boneWindow ?? PAPER_BONE_WINDOW,
    range: o.range ?? TRAINING_GRID,
    coverHeight: o.coverHeight ?? true,
    sigmaMm: o.sigmaMm ?? 4,
    priorGateMm: o.priorGateMm ?? 20,
    seed: o.seed ?? 1,
    threads: o.threads ?? 2
  }
}

export type PrepareSettings = ReturnType<typeof prepareDefaults>
