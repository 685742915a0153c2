import {
  type Camera,
  CancelledError,
  createRandom,
  evaluationViews,
  fulfils,
  heightRange,
  type Image,
  linearise,
  onDetector,
  poseErrors,
  poseFromView,
  project,
  RayposeError,
  simulateReading,
  successCriteria,
  summarise,
  surfaceTargets,
  type Vec3,
  type View,
  type Volume,
  XRAY_PRESETS,
  type XrayPreset
} from '@raypose/core'
import { withoutExtras } from '../patient/bundle.js'
import type { Registrar } from '../register/registrar.js'
import type { EvaluatedView, Evaluation, OnProgress, Registration } from '../types.js'
import { VERSION } from '../version.js'
import { summariseInitial, summariseTimings } from './initial-summary.js'
import { createPatientDrrs, FEMUR_POSITIONS, type PatientDrrs } from './patient-drrs.js'

export interface EvaluateOptions {
  /** 81: the paper's grid; 27: a third of it that meets every level of every axis; any other number: random views of its range. */
  readonly views: number
  readonly preset?: XrayPreset
  readonly seed?: number
  /** Reference landmarks M, LPS mm, where they are known; else points on the bone's surface. Never M′. */
  readonly targets?: readonly Vec3[]
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
  /** After each view: for pictures. `registration` is null where it failed. */
  readonly onView?: (
    view: EvaluatedView,
    registration: Registration | null,
    xray: Image
  ) => void | Promise<void>
}

/** Points on the bone's surface used as targets where no reference landmarks are given. */
const SURFACE_TARGETS = 200
/** Box around the landmarks in which surface targets are drawn, mm beyond them. */
const TARGET_MARGIN = 10

/**
 * Registers X-rays of known pose and measures both poses (paper section 3). The X-rays come from the float64 reference renderer with
 * noise, not from the renderer that registration uses.
 */
export async function evaluatePatient(registrar: Registrar, options: EvaluateOptions): Promise<Evaluation> {
  const { patient } = registrar
  const { preset = 'paper', seed = 1 } = options
  const started = performance.now()
  const { landmarks } = withoutExtras(patient)
  const targets = options.targets ?? defaultTargets(patient.volume, landmarks, seed)
  const views = evaluationViews(
    heightRange(landmarks, patient.isocenter),
    options.views,
    createRandom(seed + 4242)
  )
  const { femursDeg } = XRAY_PRESETS[preset]
  const drrs = createPatientDrrs({
    volume: patient.volume,
    points: landmarks,
    views: views.length,
    femursDeg,
    random: createRandom(seed + 9797)
  })
  const rows: EvaluatedView[] = []
  for (const [index, view] of views.entries()) {
    if (options.signal?.aborted) throw new CancelledError('The evaluation was stopped', 'Run it again.')
    const best = rows.at(-1)?.final?.projectionDistance
    options.onProgress?.({
      stage: `Registering ${views.length} views`,
      fraction: index / views.length,
      detail: best === undefined ? undefined : `last ${best.toFixed(2)} mm`
    })
    const { row, registration, xray } = await evaluateView(
      registrar,
      drrs,
      view,
      index,
      targets,
      preset,
      seed
    )
    rows.push(row)
    await options.onView?.(row, registration, xray)
  }
  drrs.dispose()
  const initial = rows.flatMap(r => (r.initial ? [r.initial] : []))
  const final = rows.flatMap(r => (r.final ? [r.final] : []))
  const success = successCriteria(patient.detector)[0]
  return {
    format: 'raypose-evaluation',
    version: VERSION,
    patientSha256: patient.sha256,
    conditions: {
      preset,
      renderer: `reference (float64, exact through the trilinear volume)${femursDeg > 0 ? `, femurs in ${FEMUR_POSITIONS} positions up to ${femursDeg}° about each axis from the CT's` : ''}`,
      seed,
      targets: options.targets
        ? `${targets.length} reference landmarks`
        : `${targets.length} points on the bone surface`,
      views: viewsName(options.views)
    },
    detector: patient.detector,
    views: rows,
    initial: initial.length > 0 ? summarise(initial, patient.detector) : null,
    final: final.length > 0 ? summarise(final, patient.detector) : null,
    init: summariseInitial(rows, patient.detector),
    timings: summariseTimings(rows),
    successes: final.filter(e => fulfils(e, success)).length,
    seconds: (performance.now() - started) / 1000
  }
}

async function evaluateView(
  registrar: Registrar,
  drrs: PatientDrrs,
  view: View,
  index: number,
  targets: readonly Vec3[],
  preset: XrayPreset,
  seed: number
): Promise<{ row: EvaluatedView; registration: Registration | null; xray: Image }> {
  const { patient } = registrar
  const truth = poseFromView(view, patient.isocenter)
  const camera: Camera = { detector: patient.detector, cameraFromLps: truth }
  const reading = simulateReading(
    await drrs.drr(index, camera),
    patient.detector.pixel[0],
    XRAY_PRESETS[preset],
    createRandom(seed * 1009 + index)
  )
  const xray = linearise(reading, { kind: 'intensity' })
  const visibleLandmarks = patient.landmarks.filter(p => {
    const { u, v } = project(camera, p)
    return onDetector(patient.detector, u, v)
  }).length
  const base = { index, view, truth, visibleLandmarks }
  try {
    const r = await registrar.register(xray, patient.detector)
    return {
      row: {
        ...base,
        initialPose: r.initialPose,
        finalPose: r.finalPose,
        initial: poseErrors(patient.detector, r.initialPose, truth, targets),
        final: poseErrors(patient.detector, r.finalPose, truth, targets),
        similarity: { before: r.similarity.before, after: r.similarity.after },
        timings: r.timings
      },
      registration: r,
      xray
    }
  } catch (error) {
    if (!(error instanceof RayposeError) || error instanceof CancelledError) throw error
    const row = {
      ...base,
      initialPose: null,
      finalPose: null,
      initial: null,
      final: null,
      similarity: null,
      timings: null,
      failure: error.message
    }
    return { row, registration: null, xray }
  }
}

const viewsName = (count: number): string =>
  count === 81
    ? "the paper's 81 views"
    : count === 27
      ? "27 of the paper's 81 views, a Latin square"
      : `${count} random views of the paper's range`

function defaultTargets(volume: Volume, landmarks: readonly Vec3[], seed: number): Vec3[] {
  const low = [0, 1, 2].map(k => Math.min(...landmarks.map(p => p[k])) - TARGET_MARGIN)
  const high = [0, 1, 2].map(k => Math.max(...landmarks.map(p => p[k])) + TARGET_MARGIN)
  return surfaceTargets(volume, SURFACE_TARGETS, seed, {
    within: { min: low as unknown as Vec3, max: high as unknown as Vec3 },
    minBorderPixels: 20
  })
}
