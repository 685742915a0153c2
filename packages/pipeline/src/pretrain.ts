import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  createRandom,
  type Detector,
  ModelError,
  mirrorPermutation,
  PAPER_DETECTOR,
  PELVIS_LANDMARKS,
  TRAINING_GRID
} from '@raypose/core'
import { compactSpec, cpmSpec, type Network, type NetworkSpec, saveWeights } from '@raypose/network'
import { writeFileAtomic, writeJsonAtomic } from './files/atomic.js'
import { sha256 } from './files/hash.js'
import type { SourceConfig, ValidationSet } from './training/messages.js'
import { loadMember, type PopulationMember, readPopulation } from './training/population.js'
import { type TrainingStep, trainNetwork } from './training/train-network.js'
import type { Accuracy } from './training/validation.js'
import { phantomValidation, validationViews } from './training/validation-views.js'
import { TRAINING_DISTANCES, TRAINING_RANGE } from './training/view-source.js'
import { VERSION } from './version.js'

export interface PretrainOptions {
  /** Folder for the run: config, log, checkpoint, weights. A run that was cut short goes on from there. */
  readonly out: string
  /** Number of procedural patients, or a folder of annotated CTs (see {@link PopulationMember}); the last of these validates. */
  readonly population: number | string
  readonly seed: number
  /** Training steps; each takes `batchSize` images. */
  readonly steps: number
  readonly batchSize?: number
  readonly threads?: number
  readonly learningRate?: number
  /** Standard deviation of the target Gaussians on the detector, mm. */
  readonly sigmaMm?: number
  readonly architecture?: 'compact' | 'cpm'
  /** Width factor of the convolutional pose machine. */
  readonly width?: number
  readonly validateEvery?: number
  readonly checkpointEvery?: number
  /** Weights of an earlier network of the same kind and landmarks to start from, instead of random ones. */
  readonly initial?: Network
  /** Ends the training (learning rate annealed) after this time even if steps are left. */
  readonly maxSeconds?: number
  readonly signal?: AbortSignal
  readonly onStep?: (s: TrainingStep) => void
  readonly onValidation?: (step: number, accuracy: Accuracy) => void
}

const PELVIS_NAMES = PELVIS_LANDMARKS.landmarks.map(l => `${l.name} ${l.side}`)

export interface PretrainResult {
  readonly weights: string
  readonly step: number
  readonly images: number
  readonly seconds: number
  readonly loss: number
  readonly accuracy?: Accuracy
}

/** Phase 1 (paper section 2): the network N, trained once and for all on the X-rays of many patients. */
export async function pretrain(options: PretrainOptions): Promise<PretrainResult> {
  const o = {
    batchSize: 8,
    threads: 2,
    learningRate: 2e-3,
    sigmaMm: 7,
    architecture: 'compact' as const,
    width: 0.25,
    validateEvery: 500,
    checkpointEvery: 250,
    ...options
  }
  const detector: Detector = PAPER_DETECTOR
  const members = typeof o.population === 'string' ? await readPopulation(o.population) : null
  const landmarkNames = members?.[0].landmarkNames ?? PELVIS_NAMES
  const landmarks = landmarkNames.length
  const [imageWidth, imageHeight] = detector.size
  const spec: NetworkSpec =
    o.architecture === 'compact'
      ? compactSpec(landmarks, { imageWidth, imageHeight })
      : cpmSpec(landmarks, { imageWidth, imageHeight, width: o.width })
  if (o.initial && JSON.stringify(o.initial.spec) !== JSON.stringify(spec))
    throw new ModelError(
      'The network to start from is of another kind than the one to train',
      'Give a network of the same architecture, size and landmarks, or none.'
    )
  const config = {
    version: VERSION,
    spec,
    ...(o.initial ? { initial: sha256(floatBytes(o.initial.parameters)) } : {}),
    population: members ? members.map(m => m.name) : o.population,
    seed: o.seed,
    steps: o.steps,
    batchSize: o.batchSize,
    learningRate: o.learningRate,
    sigmaMm: o.sigmaMm
  }
  await mkdir(o.out, { recursive: true })
  const checkpoint = await resumable(o.out, config)
  const log = (entry: object) => appendFile(join(o.out, 'log.ndjson'), `${JSON.stringify(entry)}\n`)
  const result = await trainNetwork({
    spec,
    source: sourceOf(o.population, members, o.seed + (checkpoint?.step ?? 0), detector),
    batch: {
      batchSize: o.batchSize,
      sigmaPixels: o.sigmaMm / detector.pixel[0],
      seed: o.seed + 1 + (checkpoint?.step ?? 0),
      poolSize: 3000,
      firstViews: 96,
      freshViews: 2,
      augment: 1,
      mirror: mirrorPartners(landmarkNames)
    },
    steps: o.steps,
    threads: o.threads,
    learningRate: o.learningRate,
    warmUp: 100,
    seed: o.seed,
    parameters: o.initial?.parameters,
    checkpoint: checkpoint?.bytes,
    validation: await validationOf(members, detector),
    validateEvery: o.validateEvery,
    checkpointEvery: o.checkpointEvery,
    maxSeconds: o.maxSeconds,
    signal: o.signal,
    onStep: s => {
      o.onStep?.(s)
      if (s.step % 50 === 0) void log({ ...s, time: new Date().toISOString() })
    },
    onValidation: async (step, accuracy) => {
      o.onValidation?.(step, accuracy)
      await log({ step, validation: accuracy })
    },
    onCheckpoint: (_, bytes) => writeFileAtomic(join(o.out, 'checkpoint.bin'), bytes)
  })
  const weights = join(o.out, 'network.rpw')
  const images = result.step * o.batchSize
  await writeFileAtomic(
    weights,
    saveWeights({
      spec,
      parameters: result.parameters,
      landmarkNames,
      pixelMm: [detector.pixel[0], detector.pixel[1]],
      provenance: { ...config, images, loss: result.loss, validation: result.accuracy }
    })
  )
  return {
    weights,
    step: result.step,
    images,
    seconds: result.seconds,
    loss: result.loss,
    accuracy: result.accuracy
  }
}

/** The checkpoint of an interrupted run with the same settings; other settings in the same folder are refused. */
async function resumable(out: string, config: object): Promise<{ bytes: Uint8Array; step: number } | null> {
  const file = join(out, 'config.json')
  const before = await readFile(file, 'utf8').catch(() => null)
  if (before === null) {
    await writeJsonAtomic(file, config)
    return null
  }
  if (JSON.stringify(JSON.parse(before)) !== JSON.stringify(JSON.parse(JSON.stringify(config))))
    throw new ModelError(
      `${out} holds a training run with other settings`,
      'Give another --out folder, or the settings in its config.json.'
    )
  const bytes = await readFile(join(out, 'checkpoint.bin')).catch(() => null)
  if (bytes === null) return null
  const lines = (await readFile(join(out, 'log.ndjson'), 'utf8').catch(() => '')).trim().split('\n')
  const step = Math.max(
    0,
    ...lines.map(l => {
      try {
        return (JSON.parse(l) as { step?: number }).step ?? 0
      } catch {
        return 0
      }
    })
  )
  return { bytes, step }
}

/** Partners under a mirror, where the landmarks are the pelvis's; another set says nothing of its symmetry. */
const mirrorPartners = (names: readonly string[]): number[] | undefined =>
  names.join() === PELVIS_NAMES.join() ? mirrorPermutation(PELVIS_LANDMARKS) : undefined

const floatBytes = (x: Float32Array) => new Uint8Array(x.buffer, x.byteOffset, x.byteLength)

/** Voxel size of training phantoms, mm: close to what 1.6 mm pixels resolve at the isocentre. */
const PHANTOM_MM = 1.5

function sourceOf(
  population: number | string,
  members: readonly PopulationMember[] | null,
  seed: number,
  detector: Detector
): SourceConfig {
  if (members)
    return {
      kind: 'population',
      seed,
      detector,
      range: TRAINING_RANGE,
      distances: TRAINING_DISTANCES,
      members: members.slice(0, -1),
      viewsPerPatient: 96
    }
  return {
    kind: 'phantoms',
    seed,
    detector,
    distances: TRAINING_DISTANCES,
    viewsPerPhantom: 48,
    phantoms: population as number,
    spacing: PHANTOM_MM
  }
}

/** Views that training never sees: of phantoms of their own, or of the population's last patient (the paper's 12 + 1). */
async function validationOf(
  members: readonly PopulationMember[] | null,
  detector: Detector
): Promise<ValidationSet> {
  if (!members) return phantomValidation(detector, 6, 10, PHANTOM_MM)
  const patient = await loadMember(members[members.length - 1])
  const set = validationViews([patient], detector, 60, TRAINING_GRID, createRandom(7))
  patient.bone.dispose()
  patient.soft.dispose()
  return set
}
