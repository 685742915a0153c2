import {
  CancelledError,
  createRandom,
  type Detection,
  type Detector,
  evaluationViews,
  heightRange,
  linearise,
  PAPER_SOURCE_TO_ISOCENTER,
  poseFromView,
  refineDetections,
  simulateReading,
  XRAY_PRESETS,
  type XrayPreset
} from '@raypose/core'
import { createDetector, mirrorDetector, type Network } from '@raypose/network'
import { networkAnatomy } from '../files/anatomy.js'
import { trainedDetector } from '../prepare/prepare.js'
import { loadMember, type PopulationMember } from '../training/population.js'
import { type Accuracy, accuracyOf } from '../training/validation.js'
import { renderTrainingView } from '../training/view-source.js'
import type { OnProgress } from '../types.js'
import { VERSION } from '../version.js'

export interface NetworkEvaluation {
  readonly format: 'raypose-network-evaluation'
  readonly version: string
  readonly conditions: { readonly preset: string; readonly viewsEach: number; readonly seed: number }
  /** Over all views of all patients. */
  readonly overall: RankedAccuracy
  /** The same, where they were asked for, with what may be done at inference. */
  readonly refined?: {
    /** Scores averaged with those of the image in a mirror; absent where the anatomy has no mirror partners. */
    readonly mirror?: RankedAccuracy
    /** A shape and a pose fitted to each view's detections. */
    readonly shape: RankedAccuracy
    readonly both?: RankedAccuracy
  }
  readonly patients: readonly { readonly name: string; readonly accuracy: Accuracy }[]
}

export interface RankedAccuracy extends Accuracy {
  /** Mean error of the 12 most confident visible landmarks of each view, mm at the isocentre. */
  readonly bestTwelveMeanMm: number
  /** Spearman's rank correlation of confidence and error; −1 would be a perfect warning. */
  readonly confidenceRankCorrelation: number
}

/** How well a network finds the landmarks of annotated patients, on simulated X-rays over the paper's evaluation views. */
export async function evaluateNetwork(
  network: Network,
  members: readonly PopulationMember[],
  options: {
    readonly views?: number
    readonly preset?: XrayPreset
    readonly seed?: number
    readonly threads?: number
    /** Whether mirror images and the shape prior are measured too. */
    readonly refine?: boolean
    readonly signal?: AbortSignal
    readonly onProgress?: OnProgress
  } = {}
): Promise<NetworkEvaluation> {
  const { views = 81, preset = 'paper', seed = 1, threads = 2, refine = false } = options
  const detector: Detector = trainedDetector(network)
  const mmPerPixel = (detector.pixel[0] * PAPER_SOURCE_TO_ISOCENTER) / detector.sdd
  const eye = await createDetector(network, { threads })
  const anatomy = refine ? networkAnatomy(network) : null
  const mirrored = anatomy?.mirror ? mirrorDetector(eye, anatomy.mirror) : null
  const all: { found: Detection[][]; mirrored: Detection[][]; points: Float32Array[] } = {
    found: [],
    mirrored: [],
    points: []
  }
  const patients: { name: string; accuracy: Accuracy }[] = []
  try {
    for (const [m, member] of members.entries()) {
      const patient = await loadMember(member)
      const found: Detection[][] = []
      const points: Float32Array[] = []
      const grid = evaluationViews(
        heightRange(patient.landmarks, patient.isocenter),
        views,
        createRandom(seed)
      )
      for (const [i, view] of grid.entries()) {
        if (options.signal?.aborted) throw new CancelledError('The evaluation was stopped', 'Run it again.')
        options.onProgress?.({
          stage: `Evaluating on ${members.length} patients`,
          fraction: (m + i / grid.length) / members.length
        })
        const rendered = renderTrainingView(patient, {
          detector,
          cameraFromLps: poseFromView(view, patient.isocenter)
        })
        const integrals = {
          width: rendered.width,
          height: rendered.height,
          data: rendered.bone.map((b, j) => b + rendered.soft[j])
        }
        const reading = simulateReading(
          integrals,
          detector.pixel[0],
          XRAY_PRESETS[preset],
          createRandom(seed * 1009 + m * 97 + i),
          detector.sdd
        )
        const image = linearise(reading, { kind: 'intensity' }).data
        found.push(...(await eye.detect([image])))
        if (mirrored) all.mirrored.push(...(await mirrored.detect([image])))
        points.push(rendered.points)
      }
      patient.bone.dispose()
      patient.soft.dispose()
      patients.push({ name: member.name, accuracy: accuracyOf(found, points, detector.size, mmPerPixel) })
      all.found.push(...found)
      all.points.push(...points)
    }
  } finally {
    await eye.release()
  }
  const ranked = (found: readonly (readonly Detection[])[]): RankedAccuracy => {
    const pairs = found.map((detections, i) => visiblePairs(detections, all.points[i], detector, mmPerPixel))
    return {
      ...accuracyOf(found, all.points, detector.size, mmPerPixel),
      bestTwelveMeanMm: meanOf(
        pairs.flatMap(p =>
          [...p]
            .sort((a, b) => b.confidence - a.confidence)
            .slice(0, 12)
            .map(x => x.error)
        )
      ),
      confidenceRankCorrelation: rankCorrelation(pairs.flat())
    }
  }
  const fitted = (found: readonly Detection[][]) =>
    ranked(found.map(d => (anatomy ? refineDetections(anatomy.prior, d, detector) : d)))
  return {
    format: 'raypose-network-evaluation',
    version: VERSION,
    conditions: { preset, viewsEach: views, seed },
    overall: ranked(all.found),
    ...(anatomy
      ? {
          refined: {
            ...(mirrored ? { mirror: ranked(all.mirrored), both: fitted(all.mirrored) } : {}),
            shape: fitted(all.found)
          }
        }
      : {}),
    patients
  }
}

interface Pair {
  readonly confidence: number
  readonly error: number
}

function visiblePairs(
  found: readonly Detection[],
  points: Float32Array,
  d: Detector,
  mmPerPixel: number
): Pair[] {
  return found.flatMap(({ u, v, confidence }, k) => {
    const x = points[2 * k]
    const y = points[2 * k + 1]
    const visible = x >= 0 && y >= 0 && x <= d.size[0] - 1 && y <= d.size[1] - 1
    return visible ? [{ confidence, error: Math.hypot(u - x, v - y) * mmPerPixel }] : []
  })
}

const meanOf = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0) / x.length

/** Spearman's rank correlation of confidence and error. */
export function rankCorrelation(pairs: readonly Pair[]): number {
  const ranks = (key: keyof Pair) => {
    const order = pairs.map((_, i) => i).sort((a, b) => pairs[a][key] - pairs[b][key])
    const r = new Float64Array(pairs.length)
    // Equal values share the mean of their ranks.
    for (let i = 0; i < order.length; ) {
      let j = i
      while (j < order.length && pairs[order[j]][key] === pairs[order[i]][key]) j++
      for (let k = i; k < j; k++) r[order[k]] = (i + j - 1) / 2
      i = j
    }
    return r
  }
  const a = ranks('confidence')
  const b = ranks('error')
  const m = (pairs.length - 1) / 2
  let ab = 0
  let aa = 0
  let bb = 0
  for (let i = 0; i < a.length; i++) {
    ab += (a[i] - m) * (b[i] - m)
    aa += (a[i] - m) ** 2
    bb += (b[i] - m) ** 2
  }
  return ab / Math.sqrt(aa * bb)
}
