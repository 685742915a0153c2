import {
  type Camera,
  CancelledError,
  composeRigid,
  createPhantom,
  createRandom,
  DEGREE,
  type Image,
  invertRigid,
  type Mat4,
  type MaterialIntegrals,
  onDetector,
  PAPER_DETECTOR,
  type PoseErrors,
  poseErrors,
  poseFromLandmarks,
  poseFromView,
  project,
  type Random,
  renderMaterials,
  simulateXray,
  statistics,
  successCriteria,
  type Vec3,
  type Volume,
  XRAY_PRESETS
} from '@raypose/core'
import { lineIntegrals } from '../register/line-integrals.js'
import { type RefinedXray, refineViews } from '../register/refine.js'
import { prepareRefinement, type RefinementVolume } from '../register/refinement-volume.js'
import type { DetectedLandmark, OnProgress } from '../types.js'
import { bobyqaVsNlopt } from './bobyqa-nlopt.js'
import type { RegisterFigure, RegisterFigures } from './register-figures.js'

export interface RegisterBenchOptions {
  /** Of the patient, the poses and the noise; default 1. */
  readonly seed?: number
  /** Poses; each is registered under both presets. Default 10. */
  readonly views?: number
  /** Voxel size of the patient, mm; default 1. */
  readonly spacing?: number
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

export interface RegisterBenchRow {
  readonly preset: 'paper' | 'c-arm'
  readonly views: 1 | 2
  readonly initial: PoseErrors
  readonly final: PoseErrors
  readonly seconds: number
  readonly renders: number
}

export interface RegisterBench {
  readonly figures: RegisterFigures
  /** Why a figure is null. */
  readonly reasons: Partial<Record<RegisterFigure, string>>
  readonly rows: readonly RegisterBenchRow[]
}

/** Errors that a network makes, mm on the detector, and how many of its landmarks are elsewhere altogether. */
const DETECTION_MM = 3
const WRONG_SHARE = 0.08
const PRESETS = ['paper', 'c-arm'] as const
const PAIR_DEGREES = 35

interface Scene {
  readonly ct: RefinementVolume
  readonly landmarks: readonly Vec3[]
  readonly isocenter: Vec3
}

/**
 * Fine registration on a procedural patient: X-rays by the simulator from the float64 reference renderer, landmarks as a network would
 * see them (off by 3 mm, some anywhere), starts from those. Two views: pairs 70° apart of known relative pose.
 * @throws CancelledError
 */
export async function benchRegister(options: RegisterBenchOptions = {}): Promise<RegisterBench> {
  const { seed = 1, views = 10, spacing = 1, signal, onProgress } = options
  const stage = (name: string, fraction: number) => {
    if (signal?.aborted) throw new CancelledError()
    onProgress?.({ stage: name, fraction })
  }
  stage('Building a patient', 0)
  const { ct: volume, landmarks, isocenter } = createPhantom({ seed, spacing })
  const random = createRandom(seed + 99)
  const poses = benchPoses(views, isocenter, random)
  const materials = renderXrays(volume as Volume<Int16Array>, poses, stage)
  const ct = prepareRefinement(volume as Volume<Int16Array>)
  const scene: Scene = { ct, landmarks, isocenter }
  const rows: RegisterBenchRow[] = []
  for (const preset of PRESETS)
    poses.forEach((pose, i) => {
      stage(`Registering X-rays, preset ${preset}`, i / poses.length)
      const images = [materials[2 * i], materials[2 * i + 1]].map((m, k) =>
        xray(m, pose[k], preset, seed + 2 * i + k)
      )
      // The first registration of all is also the one that code is compiled in.
      if (rows.length === 0) measure(scene, [pose[0]], [images[0]], preset, createRandom(seed))
      rows.push(
        measure(scene, [pose[0]], [images[0]], preset, random),
        measure(scene, pose, images, preset, random)
      )
    })
  ct.dispose()
  stage('Comparing BOBYQA with NLopt', 0)
  const ratio = await bobyqaVsNlopt()
  return {
    figures: figuresOf(rows, ratio),
    reasons: ratio === null ? { bobyqaVsNloptEvaluations: 'nlopt-js is not installed' } : {},
    rows
  }
}

/** Pairs 2 · 35° apart about the patient's axis. */
function benchPoses(count: number, isocenter: Vec3, random: Random): [Mat4, Mat4][] {
  return Array.from({ length: count }, () => {
    const view = {
      alpha: random.uniform(-10, 10) * DEGREE,
      beta: random.uniform(-15, 15) * DEGREE,
      translation: [random.uniform(-15, 15), random.uniform(-15, 15), random.uniform(-40, 40)] as const
    }
    const middle = random.uniform(-10, 10)
    const at = (degrees: number) => poseFromView({ ...view, gamma: (middle + degrees) * DEGREE }, isocenter)
    return [at(-PAIR_DEGREES), at(PAIR_DEGREES)]
  })
}

function renderXrays(
  volume: Volume<Int16Array>,
  poses: readonly [Mat4, Mat4][],
  stage: (name: string, fraction: number) => void
): MaterialIntegrals[] {
  const cameras = poses.flat().map((cameraFromLps): Camera => ({ detector: PAPER_DETECTOR, cameraFromLps }))
  const out: MaterialIntegrals[] = []
  // A few at a time, so that progress shows and a cancellation is heard.
  for (let i = 0; i < cameras.length; i += 4) {
    stage('Simulating X-rays', i / cameras.length)
    out.push(...renderMaterials(volume, cameras.slice(i, i + 4), { backend: 'reference' }))
  }
  return out
}

function xray(
  materials: MaterialIntegrals,
  cameraFromLps: Mat4,
  preset: (typeof PRESETS)[number],
  seed: number
): Image {
  const camera: Camera = { detector: PAPER_DETECTOR, cameraFromLps }
  const { image, intensity, bright } = simulateXray(materials, camera, XRAY_PRESETS[preset], { seed })
  return lineIntegrals({ image, intensity, bright })
}

function measure(
  { ct, landmarks, isocenter }: Scene,
  truth: readonly Mat4[],
  images: readonly Image[],
  preset: (typeof PRESETS)[number],
  random: Random
): RegisterBenchRow {
  const detections = truth.map(t => detect(landmarks, { detector: PAPER_DETECTOR, cameraFromLps: t }, random))
  const started = performance.now()
  const xrays = images.map((image, i): RefinedXray => {
    const pose = poseFromLandmarks(landmarks, detections[i], PAPER_DETECTOR, { isocenter })
    return {
      image,
      detector: PAPER_DETECTOR,
      hypotheses: pose.hypotheses.map(h => h.cameraFromLps),
      landmarks: detections[i],
      cameraFromFirst: i === 0 ? undefined : composeRigid(truth[i], invertRigid(truth[0]))
    }
  })
  const found = refineViews(ct, xrays, landmarks, isocenter)
  const seconds = (performance.now() - started) / 1000
  return {
    preset,
    views: truth.length === 1 ? 1 : 2,
    initial: poseErrors(PAPER_DETECTOR, xrays[0].hypotheses[0], truth[0], landmarks),
    final: poseErrors(PAPER_DETECTOR, found.cameraFromLps, truth[0], landmarks),
    seconds,
    renders: found.renders
  }
}

/** Landmarks where a network might see them; those outside the image with no confidence. */
function detect(landmarks: readonly Vec3[], camera: Camera, random: Random): DetectedLandmark[] {
  const { pixel, size } = camera.detector
  return landmarks.map((p, i) => {
    const { u, v } = project(camera, p)
    const wrong = random.next() < WRONG_SHARE
    const seen = onDetector(camera.detector, u, v)
    return {
      name: String(i),
      u: wrong
        ? random.uniform(0, size[0] - 1)
        : u + (DETECTION_MM / Math.SQRT2 / pixel[0]) * random.normal(),
      v: wrong
        ? random.uniform(0, size[1] - 1)
        : v + (DETECTION_MM / Math.SQRT2 / pixel[1]) * random.normal(),
      confidence: seen ? 0.9 : 0,
      residualMm: Number.NaN,
      inlier: seen
    }
  })
}

function figuresOf(rows: readonly RegisterBenchRow[], ratio: number | null): RegisterFigures {
  const single = rows.filter(r => r.views === 1)
  const of = (preset: string, views: number) => rows.filter(r => r.preset === preset && r.views === views)
  const [{ thresholdMm }] = successCriteria(PAPER_DETECTOR)
  const seconds = statistics(single.map(r => r.seconds))
  return {
    secondsMedian: seconds.median,
    secondsP95: seconds.p95,
    renders: statistics(single.map(r => r.renders)).median,
    treMedianMm: statistics(of('c-arm', 1).map(r => r.final.tre)).median,
    mpdMeanMm: statistics(of('paper', 1).map(r => r.final.projectionDistance)).mean,
    success: rows.filter(r => r.final.projectionDistance < thresholdMm).length / rows.length,
    twoViewsTreMedianMm: statistics(of('c-arm', 2).map(r => r.final.tre)).median,
    bobyqaVsNloptEvaluations: ratio
  }
}
