import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BundleError, type Detector, type Vec3, type Volume } from '@raypose/core'
import { readNrrd, writeNrrd } from '@raypose/formats'
import { loadWeights, type Network, saveWeights } from '@raypose/network'
import { z } from 'zod'
import { writeFileAtomic, writeJsonAtomic } from '../files/atomic.js'
import { sha256 } from '../files/hash.js'
import { VERSION } from '../version.js'

/** Of the folder's layout and of the manifest; a change that older programs cannot read raises it. */
export const PATIENT_FORMAT = 1

const vec3 = z.tuple([z.number(), z.number(), z.number()])
const vec2 = z.tuple([z.number(), z.number()])
const fileEntry = z.object({ sha256: z.string(), bytes: z.number() })

const landmarkSchema = z.object({
  name: z.string(),
  /** m′, LPS mm. */
  point: vec3,
  /** `rays`: from back-projection; `prior`: the rays did not agree, so the shape prior placed it. */
  source: z.enum(['rays', 'prior']),
  reason: z.string().optional(),
  rays: z.number(),
  pairs: z.number(),
  spreadMm: z.number().nullable(),
  surfaceDistanceMm: z.number().nullable(),
  priorResidualMm: z.number().nullable(),
  /** Median error of N′ on the validation views, mm at the isocentre. */
  validationMm: z.number().nullable(),
  /** Factor on its weight when a pose is computed. */
  weight: z.number()
})

const manifestSchema = z.object({
  format: z.literal('raypose-patient'),
  formatVersion: z.literal(PATIENT_FORMAT),
  version: z.string(),
  created: z.string(),
  isocenter: vec3,
  detector: z.object({ sdd: z.number(), pixel: vec2, size: vec2, principalPoint: vec2 }),
  landmarks: z.array(landmarkSchema),
  /** Where everything came from and with which options. */
  provenance: z.record(z.string(), z.unknown()),
  /** Accuracy of N and of N′ on the validation views. */
  validation: z.record(z.string(), z.unknown()),
  /** Training loss as [step, loss]. */
  curve: z.array(z.tuple([z.number(), z.number()])),
  files: z.object({ network: fileEntry, volume: fileEntry })
})

export type PatientManifest = z.infer<typeof manifestSchema>
export type PatientLandmark = z.infer<typeof landmarkSchema>

const NAMES = { manifest: 'manifest.json', network: 'network.rpw', volume: 'ct.nrrd' } as const

/** A prepared patient in memory. */
export interface Patient {
  readonly manifest: PatientManifest
  readonly detector: Detector
  readonly isocenter: Vec3
  /** M′, LPS mm. */
  readonly landmarks: readonly Vec3[]
  readonly weights: readonly number[]
  readonly network: Network
  /** The CT around the pelvis, HU. */
  readonly volume: Volume<Int16Array>
  /** Hash of the manifest, which holds those of the files. */
  readonly sha256: string
}

/** Writes a patient folder; the manifest comes last, so a folder that has one is whole. */
export async function writePatient(
  folder: string,
  parts: Omit<PatientManifest, 'format' | 'formatVersion' | 'version' | 'created' | 'files'> & {
    network: Network
    volume: Volume<Int16Array>
  }
): Promise<PatientManifest> {
  const { network, volume, ...rest } = parts
  const networkBytes = saveWeights(network)
  const volumeBytes = writeNrrd(volume, { gzip: false })
  await writeFileAtomic(join(folder, NAMES.network), networkBytes)
  await writeFileAtomic(join(folder, NAMES.volume), volumeBytes)
  const entry = (b: Uint8Array) => ({ sha256: sha256(b), bytes: b.byteLength })
  const manifest: PatientManifest = {
    format: 'raypose-patient',
    formatVersion: PATIENT_FORMAT,
    version: VERSION,
    created: new Date().toISOString(),
    ...rest,
    files: { network: entry(networkBytes), volume: entry(volumeBytes) }
  }
  await writeJsonAtomic(join(folder, NAMES.manifest), manifest)
  return manifest
}

const AGAIN = 'Prepare the patient again with "raypose prepare".'

/**
 * Opens a patient folder.
 * @throws BundleError if it is none, is incomplete, of another version, or has a byte changed
 */
export async function openPatient(folder: string): Promise<Patient> {
  const text = await readFile(join(folder, NAMES.manifest), 'utf8').catch(() => null)
  if (text === null)
    throw new BundleError(
      `${folder} is not a prepared patient: it has no ${NAMES.manifest}`,
      `Give the folder that "raypose prepare --out" wrote.`
    )
  const manifest = parseManifest(folder, text)
  const bytes = async (key: 'network' | 'volume'): Promise<Uint8Array> => {
    const path = join(folder, NAMES[key])
    const b = await readFile(path).catch(() => null)
    if (b === null) throw new BundleError(`${path} is missing`, AGAIN)
    const { sha256: expected, bytes: length } = manifest.files[key]
    if (b.byteLength !== length)
      throw new BundleError(
        `${path} has ${b.byteLength} bytes, not ${length}: it is cut short or altered`,
        AGAIN
      )
    if (sha256(b) !== expected) throw new BundleError(`${path} was changed since it was written`, AGAIN)
    return b
  }
  const [networkBytes, volumeBytes] = await Promise.all([bytes('network'), bytes('volume')])
  const { volume } = readNrrd(volumeBytes, NAMES.volume)
  if (!(volume.data instanceof Int16Array))
    throw new BundleError(`${NAMES.volume} does not hold 16-bit HU values`, AGAIN)
  return {
    manifest,
    detector: manifest.detector,
    isocenter: manifest.isocenter,
    landmarks: manifest.landmarks.map(l => l.point),
    weights: manifest.landmarks.map(l => l.weight),
    network: loadWeights(networkBytes),
    volume: volume as Volume<Int16Array>,
    sha256: sha256(text)
  }
}

function parseManifest(folder: string, text: string): PatientManifest {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new BundleError(`${join(folder, NAMES.manifest)} is not JSON`, AGAIN, { cause })
  }
  const version = (json as { formatVersion?: unknown } | null)?.formatVersion
  if ((json as { format?: unknown } | null)?.format === 'raypose-patient' && version !== PATIENT_FORMAT)
    throw new BundleError(
      `${folder} is a patient of format ${String(version)}; this program reads format ${PATIENT_FORMAT}`,
      'Prepare the patient again, or use the version of Raypose that wrote it.'
    )
  const parsed = manifestSchema.safeParse(json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new BundleError(
      `${join(folder, NAMES.manifest)} is not a patient's manifest: ${issue.path.join('.') || 'it'} ${issue.message}`,
      AGAIN
    )
  }
  return parsed.data
}
