import {
  type Camera,
  createRandom,
  createWasmRenderer,
  type Detector,
  MU_WATER,
  type PhantomLayers,
  type PreparedVolume,
  phantomLayers,
  poseFromView,
  project,
  type Random,
  type Renderer,
  randomView,
  type TrainingView,
  type Vec3,
  type View,
  type ViewGrid,
  type Volume
} from '@raypose/core'

/** Something whose X-rays can be rendered as two layers, and whose landmarks are known. */
export interface LayeredPatient {
  readonly bone: Renderer
  readonly soft: Renderer
  /** LPS mm; null where unknown. */
  readonly landmarks: readonly (Vec3 | null)[]
  readonly isocenter: Vec3
}

/** An endless, seeded stream of training views. */
export type ViewSource = () => TrainingView | Promise<TrainingView>

/** Where training views are taken from: wider than any grid of the paper, so that what is asked of the network lies inside. */
export const TRAINING_RANGE: ViewGrid = {
  alpha: { from: -0.7, to: 0.7, count: 1 },
  beta: { from: -0.35, to: 0.35, count: 1 },
  gamma: { from: -0.87, to: 0.87, count: 1 },
  x: { from: -30, to: 30, count: 1 },
  y: { from: -50, to: 50, count: 1 },
  z: { from: -90, to: 95, count: 1 }
}

/** Distances from the source to the C-arm's centre that training draws from, mm: mobile and fixed devices, with room. */
export const TRAINING_DISTANCES: Range = { from: 580, to: 840 }

/** Evenly drawn between two values. */
export interface Range {
  readonly from: number
  readonly to: number
}

/** Renders both layers and projects the landmarks (NaN where unknown or behind the source). */
export function renderTrainingView(patient: LayeredPatient, camera: Camera): TrainingView {
  const [width, height] = camera.detector.size
  const points = new Float32Array(patient.landmarks.length * 2).fill(Number.NaN)
  patient.landmarks.forEach((p, i) => {
    if (!p) return
    const { u, v, depth } = project(camera, p)
    if (depth > 0) points.set([u, v], i * 2)
  })
  return {
    width,
    height,
    bone: patient.bone.render(camera).data,
    soft: patient.soft.render(camera).data,
    points
  }
}

/** Layers of a phantom behind renderers. */
export function phantomPatient(layers: PhantomLayers): LayeredPatient {
  return {
    bone: createWasmRenderer(boneAttenuation(layers.bone), { convert: 'linear' }),
    soft: createWasmRenderer(layers.soft),
    landmarks: layers.landmarks,
    isocenter: layers.isocenter
  }
}

const MU_PER_HU = MU_WATER / 1000

/** Bone density in HU above its surroundings → attenuation, 1/mm, in place: the layer is not used again. */
function boneAttenuation(v: Volume<Float32Array>): Volume<Float32Array> {
  for (let i = 0; i < v.data.length; i++) v.data[i] *= MU_PER_HU
  return v
}

/** Views of the n-th patient: few of the first ones, so that a training begins with several patients and not with one. */
export const viewsOf = (n: number, most: number): number => Math.min(most, n < 3 ? 8 << n : most)

export interface PhantomSourceOptions {
  readonly seed: number
  readonly detector: Detector
  readonly range?: ViewGrid
  /** Distance from the source to the C-arm's centre, mm (default: the paper's 700). */
  readonly distances?: Range
  /** Views of each phantom before the next one is made. */
  readonly viewsPerPhantom: number
  /** How many phantoms there are before they repeat. */
  readonly phantoms: number
  /** Voxel size of the bone layer, mm. */
  readonly spacing: number
}

/** Views of one procedural patient after another. */
export function phantomSource(options: PhantomSourceOptions): ViewSource {
  const random = createRandom(options.seed ^ 0x5eed)
  let opened = 0
  let left = 0
  let patient: LayeredPatient | null = null
  return () => {
    if (!patient || left === 0) {
      patient?.bone.dispose()
      patient?.soft.dispose()
      const index = opened % options.phantoms
      patient = phantomPatient(trainingPhantom(options.seed * 100_003 + index, options.spacing))
      left = viewsOf(opened++, options.viewsPerPhantom)
    }
    left--
    return generalTrainingView(patient, options.detector, options, random)
  }
}

/** A phantom as training wants it: of shapes wider than the atlas, neighbours sometimes missing, the scan sometimes cut short, metal sometimes in it. */
export function trainingPhantom(seed: number, spacing: number): PhantomLayers {
  return phantomLayers({
    seed,
    spacing,
    completeness: 0.88,
    modeLimit: 2.5,
    wide: true,
    cutChance: 0.35,
    bendMm: 1.9,
    hardwareChance: 0.12,
    softSpacing: 4
  })
}

/** A whole phantom with no metal in it, of the atlas's own spread: what the paper's CTs were. */
export const plainPhantom = (seed: number, spacing: number): PhantomLayers =>
  phantomLayers({ seed, spacing, softSpacing: 4 })

/** Views of one patient, whose prepared layers may be shared with other threads. */
export function patientSource(options: {
  readonly seed: number
  readonly detector: Detector
  readonly range: ViewGrid
  /** Poses to draw from instead of the whole range: they come in a shuffled order, each once before any comes again. */
  readonly views?: readonly View[]
  readonly bone: PreparedVolume
  readonly soft: PreparedVolume
  readonly landmarks: readonly (Vec3 | null)[]
  readonly isocenter: Vec3
}): ViewSource {
  const random = createRandom(options.seed ^ 0x5eed)
  const patient: LayeredPatient = {
    bone: createWasmRenderer(options.bone),
    soft: createWasmRenderer(options.soft),
    landmarks: options.landmarks,
    isocenter: options.isocenter
  }
  const { views, detector } = options
  if (!views) return () => generalTrainingView(patient, detector, { range: options.range }, random)
  let queue: View[] = []
  return () => {
    if (queue.length === 0) queue = random.shuffle([...views])
    const view = queue.pop()!
    return renderTrainingView(patient, { detector, cameraFromLps: poseFromView(view, patient.isocenter) })
  }
}

/**
 * A view for training: tilt drawn with a peak at its middle, where clinical views are and where phase 2 asks for
 * detections; the rest evenly.
 */
export function generalTrainingView(
  patient: LayeredPatient,
  detector: Detector,
  { range = TRAINING_RANGE, distances }: { readonly range?: ViewGrid; readonly distances?: Range },
  random: Random
): TrainingView {
  const a = randomView(range, random)
  const b = randomView(range, random)
  const view = { ...a, alpha: (a.alpha + b.alpha) / 2, beta: (a.beta + b.beta) / 2 }
  const distance = distances && random.uniform(distances.from, distances.to)
  return renderTrainingView(patient, {
    detector,
    cameraFromLps: poseFromView(view, patient.isocenter, distance)
  })
}

/** A view drawn evenly from a range around the patient's isocentre. */
export function randomTrainingView(
  patient: LayeredPatient,
  detector: Detector,
  range: ViewGrid,
  random: Random
): TrainingView {
  const view = randomView(range, random)
  return renderTrainingView(patient, { detector, cameraFromLps: poseFromView(view, patient.isocenter) })
}
