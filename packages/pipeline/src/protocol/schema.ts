import {
  MOST_FEMUR_DEGREES,
  type PoseErrors,
  SIMILARITIES,
  type SimilarityByName,
  XRAY_PRESETS,
  type XrayPreset
} from '@raypose/core'
import { z } from 'zod'
import { PREPARE_RECIPES, PROFILES, type PrepareRecipeName, type ProfileName } from '../prepare/options.js'
import { DIFFERENTIABLE } from './differentiable.js'

/** A protocol is data: what is evaluated, on which views, how. Angles in degrees, lengths in mm. */

const number = z.number()
const positive = z.number().positive()
const count = z.number().int().positive()
const name = z.string().regex(/^[\w.+-]+$/, 'is no name: letters, digits, ".", "+", "-" and "_" only')

/** `lowest` and `highest`: of the reference landmarks, as heights over the isocentre. */
const end = z.union([number, z.enum(['lowest', 'highest'])])
const axis = z.strictObject({ from: number, to: number, count })
const heightAxis = z.strictObject({ from: end, to: end, count })
const zero = { from: 0, to: 0, count: 1 }

const views = z.strictObject({
  alphaDeg: axis.default(zero),
  betaDeg: axis.default(zero),
  gammaDeg: axis.default(zero),
  xMm: axis.default(zero),
  yMm: axis.default(zero),
  zMm: heightAxis.default(zero),
  /** Only so many of the grid's views, drawn by the seed; the same for every patient. */
  sample: count.optional()
})

const geometry = z.strictObject({
  sddMm: positive,
  sourceToIsocenterMm: positive,
  pixelMm: z.tuple([positive, positive]),
  size: z.tuple([count, count])
})

const presets = Object.keys(XRAY_PRESETS) as [XrayPreset, ...XrayPreset[]]
const xray = z.strictObject({
  preset: z.enum(presets),
  /** Settings of the simulator that differ from the preset's. */
  settings: z
    .strictObject({
      scatter: number,
      heel: number,
      blurMm: number,
      photons: positive,
      electronicNoise: number,
      exposure: z.enum(['fixed', 'automatic']),
      instruments: z.number().int().min(0),
      /** Femurs turned about each axis by up to this. */
      femursDeg: z.number().min(0).max(MOST_FEMUR_DEGREES),
      collimation: z.enum(['none', 'rectangle', 'circle', 'random'])
    })
    .partial()
    .default({})
})

const start = z.discriminatedUnion('kind', [
  /** Landmarks found by a network, and the pose from them: the method itself. */
  z.strictObject({ kind: z.literal('network') }),
  /** Always the same C-arm position: what one has without any initialisation. */
  z.strictObject({
    kind: z.literal('fixed'),
    alphaDeg: number.default(0),
    betaDeg: number.default(0),
    gammaDeg: number.default(0),
    offsetMm: z.tuple([number, number, number]).default([0, 0, 0])
  }),
  /** The true pose, moved at random by normal draws with these standard deviations. */
  z.strictObject({
    kind: z.literal('perturbed'),
    rotationDeg: z.number().min(0),
    inPlaneMm: z.number().min(0),
    depthMm: z.number().min(0)
  }),
  /** The true pose, moved in a random direction until its TRE is this: as a manual initialisation of that quality. */
  z.strictObject({ kind: z.literal('displaced'), treMm: positive })
])

const similarity = z.enum(Object.keys(SIMILARITIES) as [SimilarityByName, ...SimilarityByName[]])
const level = z.strictObject({
  pixelMm: positive,
  rotationDeg: positive,
  inPlaneMm: positive,
  depthMm: positive,
  supersampling: count.optional(),
  rhoBegin: positive.optional(),
  rhoEnd: positive.optional(),
  maxEvaluations: count.optional(),
  similarity: similarity.optional()
})
/** From the start alone, by one optimiser on a pyramid: what is compared in similarity × optimiser. */
const intensity = z
  .strictObject({
    kind: z.literal('intensity'),
    optimiser: z.enum(['bobyqa', 'cma-es', 'gauss-newton']).default('bobyqa'),
    /** Default: one that suits each level. */
    similarity: similarity.optional(),
    levels: z.array(level).min(1).optional()
  })
  .superRefine(({ optimiser, ...r }, context) => {
    if (optimiser !== 'gauss-newton') return
    const wrong = (path: PropertyKey[]) =>
      context.addIssue({
        code: 'custom',
        path,
        message: `has no derivatives: with "gauss-newton" take one of ${DIFFERENTIABLE.join(', ')}`
      })
    const bad = (s: SimilarityByName | undefined) => s !== undefined && !DIFFERENTIABLE.some(d => d === s)
    if (bad(r.similarity)) wrong(['similarity'])
    r.levels?.forEach((l, i) => {
      if (bad(l.similarity)) wrong(['levels', i, 'similarity'])
    })
  })
const registration = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  /** What `raypose register` does. */
  z.strictObject({ kind: z.literal('default') }),
  intensity
])

/** Parts of the prepared patient that are taken from elsewhere. */
const system = z
  .strictObject({
    /** `patient`: N′; `general`: N. */
    network: z.enum(['patient', 'general']),
    /** `refined`: M′; `reference`: M. */
    landmarks: z.enum(['refined', 'reference']),
    /** `validated`: from the validation error of each landmark; `equal`: none. */
    weights: z.enum(['validated', 'equal']),
    /** Times that the network's own errors are looked up on a DRR and taken from the detections; 0: detections as they are. */
    drrRounds: z.number().int().min(0).max(10)
  })
  .partial()

const method = z.strictObject({
  title: z.string(),
  group: z.enum(['method', 'baseline']).default('method'),
  start,
  registration,
  system: system.default({})
})

const prepare = z
  .strictObject({
    profile: z.enum(Object.keys(PROFILES) as [ProfileName, ...ProfileName[]]),
    recipe: z.enum(Object.keys(PREPARE_RECIPES) as [PrepareRecipeName, ...PrepareRecipeName[]]),
    steps: count,
    maxSeconds: positive,
    learningRate: positive,
    sigmaMm: positive,
    /** null: no limit. */
    priorGateMm: positive.nullable(),
    coverHeight: z.boolean(),
    fillFromPrior: z.boolean(),
    findConfusions: z.boolean(),
    refineDetections: z.boolean(),
    sampling: z.enum(['continuous', 'grid']),
    augment: z.number().min(0).max(1),
    adverse: z.number().min(0).max(1),
    photonNoise: z.boolean(),
    weights: z.boolean(),
    /** HU; null: no upper limit. */
    boneWindow: z.tuple([number, number.nullable()]),
    seed: z.number().int(),
    backProjection: z
      .strictObject({
        method: z.enum(['median', 'robust']),
        tauMm: positive,
        minConfidence: number,
        minSupport: number
      })
      .partial(),
    /** Phase 2a's K views. */
    views: z.strictObject({ alphaDeg: axis, gammaDeg: axis, zMm: axis })
  })
  .partial()

const MEASURE_NAMES = [
  'tre',
  'treInPlane',
  'treDepth',
  'projectionDistance',
  'reprojectionDistance',
  'cameraTranslation',
  'cameraRotationDeg'
] as const satisfies readonly (keyof PoseErrors)[]
const measure = z.enum(MEASURE_NAMES)

/** One of the three thresholds stands in each. */
const criterion = z
  .strictObject({
    title: z.string(),
    measure,
    below: positive.optional(),
    above: positive.optional(),
    belowPercentOfDetectorWidth: positive.optional()
  })
  .refine(
    c => [c.below, c.above, c.belowPercentOfDetectorWidth].filter(x => x !== undefined).length === 1,
    'wants one of "below", "above" and "belowPercentOfDetectorWidth"'
  )

/** A published figure, to stand beside one's own. */
const figure = z.strictObject({
  source: z.string(),
  conditions: z.string().optional(),
  /** Name of the method here that it is held against. */
  method: name,
  stage: z.enum(['initial', 'final']),
  /** `success`: the first criterion; `seconds`: time for one X-ray. */
  what: z.enum([...MEASURE_NAMES, 'success', 'seconds']),
  /** Which views its mean goes over. */
  over: z.enum(['all', 'successes']).default('all'),
  mean: number.optional(),
  std: number.optional(),
  count: z.number().int().optional(),
  of: z.number().int().optional()
})

const captureRange = z.strictObject({
  methods: z.array(name).min(1),
  /** TRE of the start, mm. */
  treMm: z.array(positive).min(1),
  /** Views of each patient. */
  sample: count
})

/** What differs: a JSON merge patch (RFC 7386) of the protocol for each arm. */
const patch = z.record(z.string(), z.unknown())
const ablation = z.strictObject({ title: z.string(), arms: z.record(z.string(), patch) })

export const protocolSchema = z.strictObject({
  format: z.literal('raypose-protocol'),
  name,
  title: z.string(),
  anatomy: z.string(),
  seed: z.number().int(),
  geometry,
  views,
  xray,
  /** Points to measure at where a patient has no reference landmarks: so many on the bone's surface. */
  surfaceTargets: count.default(200),
  criteria: z.array(criterion).min(1),
  prepare: prepare.default({}),
  /** Changes to the CT before a patient is prepared from it, as the thickness of its slices; X-rays keep the original. */
  ct: z.strictObject({ sliceMm: positive }).partial().default({}),
  methods: z.record(name, method).refine(m => Object.keys(m).length > 0, 'wants at least one method'),
  captureRange: captureRange.optional(),
  figures: z.array(figure).default([]),
  /** A patch that goes before that of every arm: fewer views, one method. */
  ablationBase: patch.default({}),
  ablations: z.record(name, ablation).default({})
})

/** As read: every default filled in. */
export type Protocol = z.infer<typeof protocolSchema>
export type Method = Protocol['methods'][string]
export type Start = Method['start']
export type MethodRegistration = Method['registration']
/** A registration by one optimiser and one similarity. */
export type IntensityMethod = Extract<MethodRegistration, { kind: 'intensity' }>
export type ProtocolCriterion = Protocol['criteria'][number]
export type PublishedFigure = Protocol['figures'][number]
export type PrepareOverrides = Protocol['prepare']
export type ProtocolViews = Protocol['views']

export const MEASURE_KEYS: readonly (keyof PoseErrors)[] = MEASURE_NAMES
