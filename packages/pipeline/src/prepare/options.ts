import {
  BACK_PROJECTION_GRID,
  type BackProjectionOptions,
  type BoneWindow,
  DEGREE,
  OPEN_BONE_WINDOW,
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
  /** For when the patient is already on the table: two minutes in all. */
  quick: { steps: 600, maxSeconds: 75, learningRate: 1.5e-3 },
  /** Offline: ten minutes in all. */
  full: { steps: 2400, maxSeconds: 530, learningRate: 1.5e-3 }
} as const satisfies Record<string, Profile>

export type ProfileName = keyof typeof PROFILES

/** How phase 2 goes about it. */
export interface PrepareRecipe {
  /** Phase 2a: the views that landmarks are back-projected from. */
  readonly views: ViewGrid
  readonly backProjection: Partial<BackProjectionOptions>
  /** Whether detections are averaged with those of the mirrored image and put right by a shape and a pose fitted to each view. */
  readonly refineDetections: boolean
  /** Phase 2b: HU of bone. */
  readonly boneWindow: BoneWindow
  /** A point further than this from where the shape prior has it is placed by the prior instead, mm; infinite: never. */
  readonly priorGateMm: number
  /** Whether a landmark without a point is placed by the shape prior, or left out of everything after. */
  readonly fillFromPrior: boolean
  /** Whether landmarks that were taken for each other are looked for. */
  readonly findConfusions: boolean
  /** Distinct points of this patient's bone that N′ learns beside the landmarks. */
  readonly extraLandmarks: number
  /** Phase 2c: poses drawn evenly from the range, or from its grid. */
  readonly sampling: 'continuous' | 'grid'
  readonly range: ViewGrid
  /** Whether that range is widened to views centred anywhere along the height of the pelvis. */
  readonly coverHeight: boolean
  /** Standard deviation of the targets in retraining, mm on the detector. */
  readonly sigmaMm: number
  /** How strongly training images are varied: 0 to 1. */
  readonly augment: number
  /** How far they are moved in their plane, against the same: N has seen more of that than this patient's views need. */
  readonly inPlane: number
  /** Share of them under adverse conditions: few photons, instruments, a collimated field. */
  readonly adverse: number
  /** Whether the others have the noise of photons, strongest where fewest pass. */
  readonly photonNoise: boolean
  /** Whether landmarks get weights from the validation error. */
  readonly weights: boolean
}

/**
 * 90 views as the paper's, but over the height of the pelvis: at ±15 mm the iliac spines are in few of them (docs/preparation.md).
 */
const TALL_GRID: ViewGrid = {
  ...BACK_PROJECTION_GRID,
  gamma: { from: -40 * DEGREE, to: 40 * DEGREE, count: 6 },
  z: { from: -60, to: 60, count: 5 }
}

export const PREPARE_RECIPES = {
  /** The best by the figures of docs/preparation.md. */
  raypose: {
    views: TALL_GRID,
    backProjection: { method: 'robust', minSupport: 0.35 },
    refineDetections: true,
    boneWindow: OPEN_BONE_WINDOW,
    priorGateMm: 20,
    fillFromPrior: true,
    findConfusions: true,
    extraLandmarks: 16,
    sampling: 'continuous',
    range: TRAINING_GRID,
    coverHeight: true,
    sigmaMm: 4,
    augment: 0.35,
    inPlane: 0.4,
    adverse: 0.15,
    photonNoise: true,
    weights: true
  },
  /** The paper in every step: K = 90, τ = 6 mm, median, [200, 500] HU, the 3,456 poses, the heat maps of its reference [1], no weights. */
  paper: {
    views: BACK_PROJECTION_GRID,
    backProjection: { method: 'median', minSupport: 0 },
    refineDetections: false,
    boneWindow: PAPER_BONE_WINDOW,
    priorGateMm: Number.POSITIVE_INFINITY,
    fillFromPrior: false,
    findConfusions: false,
    extraLandmarks: 0,
    sampling: 'grid',
    range: TRAINING_GRID,
    coverHeight: false,
    sigmaMm: 10.6,
    augment: 0,
    inPlane: 0,
    adverse: 0,
    photonNoise: false,
    weights: false
  }
} as const satisfies Record<string, PrepareRecipe>

export type PrepareRecipeName = keyof typeof PREPARE_RECIPES

export interface PrepareOptions extends Partial<PrepareRecipe> {
  /** Folder for the patient; preparation that was cut short goes on from there. */
  readonly out: string
  readonly profile?: ProfileName
  readonly recipe?: PrepareRecipeName
  /** Overrides of the profile. */
  readonly steps?: number
  readonly maxSeconds?: number
  readonly learningRate?: number
  /** In the CT's own coordinates, mm; found by the network if absent. */
  readonly isocenter?: Vec3
  readonly seed?: number
  readonly threads?: number
  /** What the CT was read from, for the record. */
  readonly source?: Readonly<Record<string, unknown>>
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

export function prepareDefaults(o: PrepareOptions) {
  const profile: Profile = PROFILES[o.profile ?? 'quick']
  const name = o.recipe ?? 'raypose'
  const recipe: PrepareRecipe = PREPARE_RECIPES[name]
  return {
    out: o.out,
    profile: o.profile ?? ('quick' as ProfileName),
    recipe: name as PrepareRecipeName,
    steps: o.steps ?? profile.steps,
    maxSeconds: o.maxSeconds ?? profile.maxSeconds,
    learningRate: o.learningRate ?? profile.learningRate,
    isocenter: o.isocenter,
    views: o.views ?? recipe.views,
    backProjection: { ...recipe.backProjection, ...o.backProjection },
    refineDetections: o.refineDetections ?? recipe.refineDetections,
    boneWindow: o.boneWindow ?? recipe.boneWindow,
    priorGateMm: o.priorGateMm ?? recipe.priorGateMm,
    fillFromPrior: o.fillFromPrior ?? recipe.fillFromPrior,
    findConfusions: o.findConfusions ?? recipe.findConfusions,
    extraLandmarks: o.extraLandmarks ?? recipe.extraLandmarks,
    sampling: o.sampling ?? recipe.sampling,
    range: o.range ?? recipe.range,
    coverHeight: o.coverHeight ?? recipe.coverHeight,
    sigmaMm: o.sigmaMm ?? recipe.sigmaMm,
    augment: o.augment ?? recipe.augment,
    inPlane: o.inPlane ?? recipe.inPlane,
    adverse: o.adverse ?? recipe.adverse,
    photonNoise: o.photonNoise ?? recipe.photonNoise,
    weights: o.weights ?? recipe.weights,
    seed: o.seed ?? 1,
    threads: o.threads ?? 2
  }
}

export type PrepareSettings = ReturnType<typeof prepareDefaults>
