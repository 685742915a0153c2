import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Anatomy, type Detector, ModelError, PAPER_DETECTOR } from '@raypose/core'
import {
  compactSpec,
  cpmSpec,
  loadWeights,
  type Network,
  type NetworkSpec,
  type Optimiser,
  saveWeights,
  transferParameters
} from '@raypose/network'
import { networkAnatomy } from './files/anatomy.js'
import { writeFileAtomic } from './files/atomic.js'
import { sha256 } from './files/hash.js'
import {
  gridPopulation,
  gridSourceConfig,
  mixedSource,
  mixedValidation,
  openPopulation,
  type Population,
  populationJson
} from './training/mixed-population.js'
import { DEFAULT_STEPS, epochSteps, RECIPES, type RecipeName } from './training/recipes.js'
import { openRunFolder } from './training/run-folder.js'
import { stepSummary } from './training/step-log.js'
import { type TrainingStep, trainNetwork } from './training/train-network.js'
import type { Accuracy, ValidationOutcome, ValidationSet } from './training/validation.js'
import { VERSION } from './version.js'

export type { Population, PopulationPart } from './training/mixed-population.js'

export interface PretrainOptions {
  /** Folder for the run: config, log, checkpoint, weights. A run that was cut short goes on from there. */
  readonly out: string
  /**
   * Number of procedural patients, or a folder of annotated CTs (see {@link PopulationMember}), whose last ones validate; or several
   * of these, mixed by weight.
   */
  readonly population: Population
  readonly seed: number
  /** `paper`: as the paper trained, for comparison. What follows departs from the recipe where it is given. */
  readonly recipe?: RecipeName
  /** Training steps; each takes `batchSize` images. */
  readonly steps?: number
  readonly batchSize?: number
  readonly threads?: number
  /** Execution provider: 'cpu' (the default) or 'webgpu'. */
  readonly provider?: string
  /** By default `muon`, which learns soonest from random weights, and `adam` where a network goes on from an earlier one, and for the paper's recipe. */
  readonly optimiser?: Optimiser
  readonly learningRate?: number
  /** Standard deviation of the target Gaussians on the detector, mm. */
  readonly sigmaMm?: number
  /** How strongly images are varied: 0 not at all, 1 (the default) fully. */
  readonly augment?: number
  /** Share of the images under adverse conditions (few photons, metal, a collimated field), 0.25 by default; with any, the others have photon noise. */
  readonly adverse?: number
  readonly architecture?: 'compact' | 'cpm'
  /** Width factor of the convolutional pose machine. */
  readonly width?: number
  /** Residual blocks of the compact network at 1/16 and 1/8 of the image. */
  readonly residuals?: readonly [number, number]
  readonly validateEvery?: number
  readonly checkpointEvery?: number
  /** Seconds between checkpoints, whatever steps there were; 120 by default. */
  readonly checkpointSeconds?: number
  /** Ends the training after so many validations without a better one; the best weights are then kept. */
  readonly patience?: number
  /** An earlier network to start from, instead of random weights: of the same kind, no deeper, with the same landmarks or of another anatomy, whose landmarks
   * are then learnt from nothing, but with its features. */
  readonly initial?: Network
  /** Ends the training (learning rate annealed) after this time even if steps are left; earlier parts of the run count. */
  readonly maxSeconds?: number
  readonly signal?: AbortSignal
  readonly onStep?: (s: TrainingStep) => void
  readonly onValidation?: (
    step: number,
    accuracy: Accuracy,
    details: ValidationDetails
  ) => void | Promise<void>
}

/** A validation with the images it was made on. */
export interface ValidationDetails {
  readonly outcome: ValidationOutcome
  readonly set: ValidationSet
  readonly landmarkNames: readonly string[]
  /** Columns and rows of the images. */
  readonly size: readonly [number, number]
}

export interface PretrainResult {
  readonly weights: string
  readonly step: number
  readonly images: number
  readonly seconds: number
  readonly loss: number
  /** On the validation views; of the weights that were kept. */
  readonly accuracy?: Accuracy
  /** Whether patience ended the training. */
  readonly stoppedEarly: boolean
}

/** Phase 1 (paper section 2): the network N, trained once and for all on the X-rays of many patients. */
export async function pretrain(options: PretrainOptions): Promise<PretrainResult> {
  const recipe = RECIPES[options.recipe ?? 'raypose']
  const o = {
    threads: 2,
    validateEvery: 500,
    checkpointEvery: 250,
    augment: 1,
    adverse: 0.25,
    ...recipe,
    // Muon's steps, of one size in every direction, lose what given weights know (docs/training.md).
    ...(options.initial ? { optimiser: 'adam' as const } : {}),
    ...defined(options)
  }
  const detector: Detector = PAPER_DETECTOR
  const population = await openPopulation(o.population)
  const { landmarkNames, anatomy } = population
  const grid = recipe.epochs === null ? null : gridPopulation(population, o.seed, detector)
  const steps =
    o.steps ?? (grid ? epochSteps(grid.patients.length, recipe.epochs!, o.batchSize) : DEFAULT_STEPS)
  const spec = specOf(o, landmarkNames.length, detector)
  const initial = o.initial && startFrom(o.initial, spec, anatomy, o.seed)
  const config = {
    version: VERSION,
    recipe: options.recipe ?? 'raypose',
    spec,
    landmarkNames,
    ...(o.initial ? { initial: sha256(floatBytes(o.initial.parameters)) } : {}),
    population: populationJson(population),
    seed: o.seed,
    steps,
    batchSize: o.batchSize,
    optimiser: o.optimiser,
    learningRate: o.learningRate,
    sigmaMm: o.sigmaMm,
    ...(o.augment === 1 ? {} : { augment: o.augment }),
    ...(grid ? {} : { adverse: o.adverse }),
    ...(o.patience === undefined ? {} : { patience: o.patience })
  }
  const run = await openRunFolder(o.out, spec, config)
  // Random views of the next part of a run are others than those of the first; a grid goes on where it was.
  const seed = grid ? o.seed : o.seed + run.step
  const set = grid ? await grid.validation() : await mixedValidation(population, detector)
  const summary = stepSummary(Math.max(1, Math.min(50, Math.round(steps / 200))), o.batchSize)
  const pack = (parameters: Float32Array, provenance: object) =>
    saveWeights({
      spec,
      parameters,
      landmarkNames,
      anatomy: { name: anatomy.name, mirror: anatomy.mirror, prior: anatomy.prior },
      pixelMm: [detector.pixel[0], detector.pixel[1]],
      provenance: { ...config, ...provenance }
    })
  const bestFile = join(o.out, 'best.rpw')
  const result = await trainNetwork({
    spec,
    source: grid
      ? gridSourceConfig(grid.patients, seed, detector, run.step * o.batchSize)
      : mixedSource(population, seed, detector),
    batch: {
      batchSize: o.batchSize,
      sigmaPixels: o.sigmaMm / detector.pixel[0],
      seed: seed + 1,
      ...(grid
        ? { poolSize: 0, firstViews: 0, freshViews: 0, augment: 0 }
        : {
            poolSize: 3000,
            firstViews: 96,
            freshViews: 2,
            augment: o.augment,
            adverse: o.adverse,
            photonNoise: o.adverse > 0,
            mirror: anatomy.mirror ?? undefined
          })
    },
    steps,
    threads: o.threads,
    provider: o.provider,
    optimiser: o.optimiser,
    learningRate: o.learningRate,
    warmUp: o.warmUp,
    schedule: o.schedule,
    averageDecay: o.averageDecay,
    hyper: o.hyper,
    seed: o.seed,
    parameters: initial,
    checkpoint: run.checkpoint ?? undefined,
    validation: set,
    validateEvery: o.validateEvery,
    checkpointEvery: o.checkpointEvery,
    checkpointSeconds: o.checkpointSeconds ?? 120,
    patience: o.patience,
    maxSeconds: o.maxSeconds,
    signal: o.signal,
    onStep: s => {
      o.onStep?.(s)
      const entry = summary(s)
      if (entry) void run.log(entry)
    },
    onBest:
      o.patience === undefined
        ? undefined
        : (step, accuracy, parameters) =>
            writeFileAtomic(
              bestFile,
              pack(parameters, { step, images: step * o.batchSize, validation: accuracy })
            ),
    onValidation: async (step, accuracy, outcome) => {
      await run.log({
        step,
        validation: accuracy,
        ...(outcome.groups.length > 0 ? { groups: outcome.groups } : {})
      })
      await o.onValidation?.(step, accuracy, {
        outcome,
        set,
        landmarkNames,
        size: [detector.size[0], detector.size[1]]
      })
    },
    onRollBack: (from, to, rate) => run.log({ rolledBack: { from, to, rate } }),
    onCheckpoint: (_, bytes) => run.saveCheckpoint(bytes)
  })
  const weights = join(o.out, 'network.rpw')
  const images = result.step * o.batchSize
  const best =
    o.patience !== undefined && result.best && result.best.step < result.step
      ? await readFile(bestFile).catch(() => null)
      : null
  await writeFileAtomic(
    weights,
    best ?? pack(result.parameters, { images, loss: result.loss, validation: result.accuracy })
  )
  return {
    weights,
    step: result.step,
    images,
    seconds: result.seconds,
    loss: result.loss,
    accuracy: best ? (loadWeights(best).provenance.validation as Accuracy) : result.accuracy,
    stoppedEarly: result.stoppedEarly
  }
}

function specOf(
  o: { architecture: 'compact' | 'cpm'; width: number; residuals?: readonly [number, number] },
  landmarks: number,
  { size: [imageWidth, imageHeight] }: Detector
): NetworkSpec {
  const { residuals, width } = o
  return o.architecture === 'compact'
    ? compactSpec(landmarks, { imageWidth, imageHeight, ...(residuals ? { residuals } : {}) })
    : cpmSpec(landmarks, { imageWidth, imageHeight, width })
}

function startFrom(initial: Network, spec: NetworkSpec, anatomy: Anatomy, seed: number): Float32Array {
  // Another anatomy has other landmarks, but its X-rays are seen with the same eyes.
  if (networkAnatomy(initial).name !== anatomy.name)
    return transferParameters(initial, spec, seed, { landmarks: 'new' })
  if (initial.landmarkNames.join() !== anatomy.landmarkNames.join())
    throw new ModelError(
      'The network to start from knows other landmarks than the population has',
      'Give a network of the same landmarks in the same order, or none.'
    )
  return transferParameters(initial, spec, seed)
}

/** Options without those that are given as undefined, which would undo defaults. */
const defined = <T extends object>(options: T): T =>
  Object.fromEntries(Object.entries(options).filter(([, v]) => v !== undefined)) as T

const floatBytes = (x: Float32Array) => new Uint8Array(x.buffer, x.byteOffset, x.byteLength)
