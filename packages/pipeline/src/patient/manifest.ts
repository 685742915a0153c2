import { join } from 'node:path'
import { BundleError } from '@raypose/core'
import { z } from 'zod'
import { sha256 } from '../files/hash.js'

/** Of the folder's layout and of the manifest; a change that older programs cannot read raises it. */
export const PATIENT_FORMAT = 1

const vec3 = z.tuple([z.number(), z.number(), z.number()])
const vec2 = z.tuple([z.number(), z.number()])
const fileEntry = z.object({ sha256: z.string(), bytes: z.number() })

export const landmarkSchema = z.object({
  name: z.string(),
  /** m′, LPS mm. */
  point: vec3,
  /** `rays`: from back-projection; `prior`: the rays did not agree, so the shape prior placed it; `surface`: an extra point of this patient's bone. */
  source: z.enum(['rays', 'prior', 'surface']),
  /** Why the prior placed it, or why it has no weight. */
  reason: z.string().optional(),
  /** Whether it lies within the scan; one beyond it cannot be learnt from DRRs. */
  inside: z.boolean().default(true),
  rays: z.number(),
  pairs: z.number(),
  /** Share of the rays that pass within τ of the point. */
  support: z.number().nullable().default(null),
  spreadMm: z.number().nullable(),
  surfaceDistanceMm: z.number().nullable(),
  priorResidualMm: z.number().nullable(),
  /** Median error of N′ on the validation views, mm at the isocentre. */
  validationMm: z.number().nullable(),
  /** Factor on its weight when a pose is computed; 0: not used. */
  weight: z.number()
})

const viewWeightsSchema = z.object({
  alpha: z.array(z.number()),
  gamma: z.array(z.number()),
  weights: z.array(z.array(z.number()))
})

/** A validation view that N′ did badly in. */
const worstViewSchema = z.object({
  cameraFromLps: z.array(z.number()).length(16),
  alphaDeg: z.number(),
  betaDeg: z.number(),
  gammaDeg: z.number(),
  meanMm: z.number(),
  /** u, v of each landmark as N′ found it; null where it was not confident. */
  found: z.array(vec2.nullable())
})

export const manifestSchema = z.object({
  format: z.literal('raypose-patient'),
  formatVersion: z.literal(PATIENT_FORMAT),
  version: z.string(),
  created: z.string(),
  /** Of the network that the patient was prepared with; before there were others, it was the pelvis's. */
  anatomy: z.string().default('pelvis'),
  isocenter: vec3,
  /** Rotation from the CT file's coordinates to LPS, row-major: not the identity where the file was wrong about its patient. */
  lpsFromCt: z.array(z.number()).length(9).default([1, 0, 0, 0, 1, 0, 0, 0, 1]),
  detector: z.object({ sdd: z.number(), pixel: vec2, size: vec2, principalPoint: vec2 }),
  landmarks: z.array(landmarkSchema),
  /** What was made of the CT and why, a sentence each. */
  notes: z.array(z.string()).default([]),
  /** Weights of the landmarks by where the C-arm stands (core: `weightsForView`); absent: the same everywhere. */
  viewWeights: viewWeightsSchema.optional(),
  /** Where everything came from and with which options. */
  provenance: z.record(z.string(), z.unknown()),
  /** Accuracy of N and of N′ on the validation views. */
  validation: z.record(z.string(), z.unknown()),
  /** Training loss as [step, loss]. */
  curve: z.array(z.tuple([z.number(), z.number()])),
  /** Mean error on the validation views during retraining as [step, mm]. */
  validationCurve: z.array(z.tuple([z.number(), z.number()])).default([]),
  worstViews: z.array(worstViewSchema).default([]),
  /** Hips that the CT shows; the femurs beyond their heads may lie elsewhere in an X-ray. */
  hips: z
    .array(z.object({ side: z.enum(['left', 'right']), centre: vec3, radius: z.number(), neck: vec3 }))
    .default([]),
  /** `bones`: labels of the bones; absent from patients prepared before there were any. */
  files: z.object({ network: fileEntry, volume: fileEntry, bones: fileEntry.optional() }),
  /** SHA-256 of the manifest's JSON without this key. */
  integrity: z.string()
})

export type PatientManifest = z.infer<typeof manifestSchema>
export type PatientLandmark = z.infer<typeof landmarkSchema>
/** As it may be written: what has a default may be left out. */
export type PatientLandmarkInput = z.input<typeof landmarkSchema>

export const AGAIN = 'Prepare the patient again with "raypose prepare".'

/** The hash that a manifest must carry. */
export function manifestIntegrity(manifest: object): string {
  const { integrity: _, ...rest } = manifest as { integrity?: unknown }
  return sha256(JSON.stringify(rest))
}

/**
 * Reads a manifest.
 * @param folder for messages
 * @throws BundleError if it is none, of another version, or was edited
 */
export function parseManifest(folder: string, text: string): PatientManifest {
  const file = join(folder, 'manifest.json')
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new BundleError(`${file} is not JSON`, AGAIN, { cause })
  }
  const { format, formatVersion, integrity } = (json ?? {}) as Record<string, unknown>
  if (format === 'raypose-patient' && formatVersion !== PATIENT_FORMAT)
    throw new BundleError(
      `${folder} is a patient of format ${String(formatVersion)}; this program reads format ${PATIENT_FORMAT}`,
      'Prepare the patient again, or use the version of Raypose that wrote it.'
    )
  const parsed = manifestSchema.safeParse(json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new BundleError(
      `${file} is not a patient's manifest: ${issue.path.join('.') || 'it'} ${issue.message}`,
      AGAIN
    )
  }
  if (manifestIntegrity(json as object) !== integrity)
    throw new BundleError(`${file} was changed since it was written`, AGAIN)
  return parsed.data
}
