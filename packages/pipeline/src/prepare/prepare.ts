import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CancelledError,
  createRandom,
  createWasmRenderer,
  cropToBox,
  type Detector,
  heightRange,
  prepareWasmVolume,
  type Vec3,
  VIEW_AXES,
  type ViewGrid,
  type Volume
} from '@raypose/core'
import { createDetector, type Network } from '@raypose/network'
import { writeFileAtomic, writeJsonAtomic } from '../files/atomic.js'
import { sha256 } from '../files/hash.js'
import { type PatientLandmark, type PatientManifest, writePatient } from '../patient/bundle.js'
import { patientLayers } from '../patient/layers.js'
import { trainNetwork } from '../training/train-network.js'
import { type Accuracy, accuracyOf } from '../training/validation.js'
import { validationViews } from '../training/validation-views.js'
import { patientLandmarks } from './landmarks.js'
import { locatePelvis } from './locate.js'
import { type PrepareOptions, prepareDefaults } from './options.js'

/** What is kept of the CT: everything that a C-arm's rays to the pelvis meet, mm to each side of the isocentre. */
const KEEP: Vec3 = [240, 190, 230]

/** Views to learn from: so many before the first step, so many new ones each step, the last {@link POOL} of them kept. */
const FIRST_VIEWS = 160
const FRESH_VIEWS = 2
const POOL = 1200
/** Views held out to validate N′: a tenth of those it learns from (paper section 2), within reason. */
const validationCount = (steps: number) =>
  Math.round(Math.min(120, Math.max(16, 0.1 * (FIRST_VIEWS + FRESH_VIEWS * steps))))

/**
 * Phase 2 of the paper: from a CT, alone, to a patient folder that X-rays can be registered with.
 * @param volume the CT, HU
 * @param network N of phase 1
 * @throws VolumeError, PoseError as the steps; CancelledError when `signal` aborts (what was done is kept)
 */
export async function preparePatient(
  volume: Volume,
  network: Network,
  options: PrepareOptions
): Promise<PatientManifest> {
  const o = prepareDefaults(options)
  const progress = options.onProgress ?? (() => {})
  const check = () => {
    if (options.signal?.aborted)
      throw new CancelledError(
        'Preparation was stopped',
        'Run the same command again to go on where it stopped.'
      )
  }
  const started = performance.now()
  const times: Record<string, number> = {}
  let mark = started
  const lap = (name: string) => {
    times[name] = (performance.now() - mark) / 1000
    mark = performance.now()
  }
  const detector = trainedDetector(network)
  const work = join(o.out, '.preparing')
  const ctHash = hashVolume(volume)
  const stage = await openWork(work, {
    ct: ctHash,
    network: sha256(new Uint8Array(network.parameters.buffer)),
    ...o,
    out: undefined
  })

  const general = await createDetector(network, { threads: o.threads })
  try {
    let isocenter = o.isocenter ?? (stage.landmarks?.isocenter as Vec3 | undefined)
    let score: number | undefined = stage.landmarks?.score
    if (!isocenter) ({ isocenter, score } = await locatePelvis(volume, general, detector, progress, check))
    check()
    lap('locate')
    const ct = cropAround(volume, isocenter)
    const landmarks =
      stage.landmarks?.landmarks ??
      (await patientLandmarks(ct, prepareWasmVolume(ct), general, detector, isocenter, o, progress, check))
    await writeJsonAtomic(join(work, 'landmarks.json'), { isocenter, score, landmarks })
    check()
    lap('landmarks')

    const { bone, soft } = patientLayers(ct)
    const range = o.coverHeight ? coveringHeight(o.range, landmarks, isocenter) : o.range
    const shown = {
      bone: createWasmRenderer(bone),
      soft: createWasmRenderer(soft),
      landmarks: landmarks.map(l => l.point),
      isocenter
    }
    const validation = validationViews(
      [shown],
      detector,
      validationCount(o.steps),
      range,
      createRandom(o.seed + 77)
    )
    shown.bone.dispose()
    shown.soft.dispose()
    const before = accuracyOf(
      await general.detect(validation.images),
      validation.points,
      detector.size,
      validation.mmPerPixel
    )
    lap('validation views')
    const curve: [number, number][] = stage.curve
    const trained = await trainNetwork({
      spec: network.spec,
      source: {
        kind: 'patient',
        seed: o.seed,
        detector,
        range: widened(range, 7 / 6),
        bone,
        soft,
        landmarks: landmarks.map(l => l.point),
        isocenter
      },
      batch: {
        batchSize: 8,
        sigmaPixels: o.sigmaMm / detector.pixel[0],
        seed: o.seed + 1,
        poolSize: POOL,
        firstViews: FIRST_VIEWS,
        freshViews: FRESH_VIEWS,
        augment: 1
      },
      steps: o.steps,
      maxSeconds: o.maxSeconds,
      threads: o.threads,
      learningRate: o.learningRate,
      warmUp: 30,
      averageDecay: Math.min(0.998, 1 - 20 / o.steps),
      parameters: network.parameters,
      seed: o.seed,
      checkpoint: stage.checkpoint,
      validation,
      checkpointEvery: 200,
      signal: options.signal,
      onStep: s => {
        if (s.step % 10 === 0) curve.push([s.step, s.loss])
        progress({
          stage: 'Retraining for this patient',
          fraction: s.progress,
          detail: `loss ${s.loss.toFixed(3)}`
        })
      },
      onCheckpoint: async (_, bytes) => {
        await writeFileAtomic(join(work, 'checkpoint.bin'), bytes)
        await writeJsonAtomic(join(work, 'curve.json'), curve)
      }
    })
    lap('retraining')
    const after = trained.accuracy!
    progress({ stage: 'Writing the patient', fraction: 0 })
    const manifest = await writePatient(o.out, {
      isocenter: [isocenter[0], isocenter[1], isocenter[2]],
      detector: {
        sdd: detector.sdd,
        pixel: [...detector.pixel],
        size: [...detector.size],
        principalPoint: [...detector.principalPoint]
      },
      landmarks: weighted(landmarks, after),
      provenance: {
        ct: { sha256: ctHash, ...options.source },
        networkSha256: sha256(new Uint8Array(network.parameters.buffer)),
        locateScore: score ?? null,
        options: { ...o, out: undefined },
        steps: trained.step,
        seconds: { ...times, total: (performance.now() - started) / 1000 }
      },
      validation: { before, after },
      curve,
      network: {
        ...network,
        parameters: trained.parameters,
        provenance: { ...network.provenance, patientOf: ctHash, retrainingSteps: trained.step }
      },
      volume: ct
    })
    await rm(work, { recursive: true, force: true })
    return manifest
  } finally {
    await general.release()
  }
}

/** The C-arm that a network was trained for. */
export function trainedDetector(network: Network): Detector {
  const { imageWidth, imageHeight } = network.spec
  return {
    sdd: 1200,
    pixel: [network.pixelMm[0], network.pixelMm[1]],
    size: [imageWidth, imageHeight],
    principalPoint: [(imageWidth - 1) / 2, (imageHeight - 1) / 2]
  }
}

/** The CT around the isocentre as 16-bit HU. */
function cropAround(volume: Volume, c: Vec3): Volume<Int16Array> {
  const box = {
    min: [c[0] - KEEP[0], c[1] - KEEP[1], c[2] - KEEP[2]] as Vec3,
    max: [c[0] + KEEP[0], c[1] + KEEP[1], c[2] + KEEP[2]] as Vec3
  }
  const cropped = cropToBox(volume, box)
  if (cropped.data instanceof Int16Array) return cropped as Volume<Int16Array>
  return {
    ...cropped,
    data: Int16Array.from(cropped.data, x => Math.max(-32768, Math.min(32767, Math.round(x))))
  }
}

/** Landmarks that N′ finds well count more (the paper's own suggestion, section 4): 1/variance with a floor of 1 mm. */
function weighted(landmarks: readonly PatientLandmark[], accuracy: Accuracy): PatientLandmark[] {
  const variance = accuracy.perLandmarkMm.map(e => (Number.isFinite(e) ? 1 + e * e : 25))
  const best = Math.min(...variance)
  return landmarks.map((l, i) => ({
    ...l,
    validationMm: Number.isFinite(accuracy.perLandmarkMm[i]) ? accuracy.perLandmarkMm[i] : null,
    weight: best / variance[i]
  }))
}

/**
 * The range with its z wide enough for views centred anywhere between the lowest and the highest landmark: the paper trains on ±15 mm
 * but evaluates, as surgeons look, from the top to the bottom of the pelvis.
 */
function coveringHeight(range: ViewGrid, landmarks: readonly PatientLandmark[], isocenter: Vec3): ViewGrid {
  const { from, to } = heightRange(
    landmarks.map(l => l.point),
    isocenter
  )
  return { ...range, z: { ...range.z, from: Math.min(range.z.from, from), to: Math.max(range.z.to, to) } }
}

function widened(grid: ViewGrid, factor: number): ViewGrid {
  return Object.fromEntries(
    VIEW_AXES.map(a => {
      const { from, to, count } = grid[a]
      const half = ((to - from) / 2) * factor
      return [a, { from: (from + to) / 2 - half, to: (from + to) / 2 + half, count }]
    })
  ) as unknown as ViewGrid
}

const hashVolume = (v: Volume): string =>
  sha256(
    JSON.stringify([v.size, v.spacing, v.origin, v.direction]) +
      sha256(new Uint8Array(v.data.buffer, v.data.byteOffset, v.data.byteLength))
  )

interface Work {
  readonly landmarks?: { isocenter: number[]; score?: number; landmarks: PatientLandmark[] }
  readonly checkpoint?: Uint8Array
  readonly curve: [number, number][]
}

/** What an interrupted preparation of the same CT with the same settings left; anything else there is removed. */
async function openWork(work: string, config: object): Promise<Work> {
  const text = `${JSON.stringify(config, null, 2)}\n`
  const before = await readFile(join(work, 'config.json'), 'utf8').catch(() => null)
  if (before !== text) {
    await rm(work, { recursive: true, force: true })
    await writeFileAtomic(join(work, 'config.json'), text)
    return { curve: [] }
  }
  const json = async <T>(name: string): Promise<T | undefined> => {
    const t = await readFile(join(work, name), 'utf8').catch(() => null)
    return t === null ? undefined : (JSON.parse(t) as T)
  }
  return {
    landmarks: await json('landmarks.json'),
    checkpoint: (await readFile(join(work, 'checkpoint.bin')).catch(() => null)) ?? undefined,
    curve: (await json<[number, number][]>('curve.json')) ?? []
  }
}
