import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  BONE_LABELS,
  type BoneLabels,
  BundleError,
  type Detector,
  type HipJoint,
  IDENTITY3,
  type Mat3,
  type Vec3,
  type View,
  type ViewWeights,
  type Volume,
  weightsForView
} from '@raypose/core'
import { readNrrd, writeNrrd } from '@raypose/formats'
import { loadWeights, type Network, saveWeights } from '@raypose/network'
import { writeFileAtomic, writeJsonAtomic } from '../files/atomic.js'
import { sha256 } from '../files/hash.js'
import { VERSION } from '../version.js'
import {
  AGAIN,
  manifestIntegrity,
  PATIENT_FORMAT,
  type PatientLandmarkInput,
  type PatientManifest,
  parseManifest
} from './manifest.js'

export { PATIENT_FORMAT, type PatientLandmark, type PatientManifest } from './manifest.js'

const NAMES = {
  manifest: 'manifest.json',
  network: 'network.rpw',
  volume: 'ct.nrrd',
  bones: 'bones.nrrd'
} as const

/** Bones of a patient told apart. */
export interface PatientBones {
  readonly labels: BoneLabels
  readonly joints: readonly HipJoint[]
}

/** A prepared patient in memory. */
export interface Patient {
  readonly manifest: PatientManifest
  readonly detector: Detector
  readonly isocenter: Vec3
  /** M′, LPS mm. */
  readonly landmarks: readonly Vec3[]
  /** Of each landmark, over all views. */
  readonly weights: readonly number[]
  /** By where the C-arm stands; see {@link landmarkWeights}. */
  readonly viewWeights: ViewWeights | null
  /** From the CT file's coordinates to LPS: `p_lps = lpsFromCt · p_ct`. */
  readonly lpsFromCt: Mat3
  readonly network: Network
  /** The CT around the pelvis, HU. */
  readonly volume: Volume<Int16Array>
  /** Which bone is which: pelvis (and all else that stays) apart from femurs; null where the CT shows no hip, or was prepared before there were labels. */
  readonly bones: PatientBones | null
  /** Hash of the manifest, which holds those of the files. */
  readonly sha256: string
}

/** Weights of a patient's landmarks for a view that is known roughly, as from a first pose; without one, those over all views. */
export function landmarkWeights(patient: Patient, view?: Pick<View, 'alpha' | 'gamma'>): readonly number[] {
  if (!view || !patient.viewWeights) return patient.weights
  // A landmark without weight over all views is not to be used in any.
  return weightsForView(patient.viewWeights, view).map((w, i) => (patient.weights[i] > 0 ? w : 0))
}

/** The patient with the landmarks of its anatomy alone, without the points that only this patient's network knows. */
export function withoutExtras(patient: Patient): Patient {
  const { manifest, viewWeights } = patient
  const own = <T>(list: readonly T[]): T[] =>
    list.filter((_, i) => manifest.landmarks[i].source !== 'surface')
  return {
    ...patient,
    manifest: { ...manifest, landmarks: own(manifest.landmarks) },
    landmarks: own(patient.landmarks),
    weights: own(patient.weights),
    viewWeights: viewWeights && { ...viewWeights, weights: viewWeights.weights.map(own) }
  }
}

/** What {@link writePatient} is given: the manifest less what it adds itself. */
export type PatientParts = Omit<
  PatientManifest,
  | 'format'
  | 'formatVersion'
  | 'version'
  | 'created'
  | 'files'
  | 'integrity'
  | 'anatomy'
  | 'landmarks'
  | 'lpsFromCt'
  | 'notes'
  | 'hips'
  | 'validationCurve'
  | 'worstViews'
> &
  Partial<Pick<PatientManifest, 'anatomy' | 'lpsFromCt' | 'notes' | 'validationCurve' | 'worstViews'>> & {
    readonly landmarks: PatientLandmarkInput[]
    readonly network: Network
    readonly volume: Volume<Int16Array>
    readonly bones?: PatientBones | null
  }

/** Writes a patient folder; the manifest comes last, so a folder that has one is whole. */
export async function writePatient(folder: string, parts: PatientParts): Promise<PatientManifest> {
  const { network, volume, bones = null, ...rest } = parts
  const networkBytes = saveWeights(network)
  const volumeBytes = writeNrrd(volume, { gzip: false })
  await writeFileAtomic(join(folder, NAMES.network), networkBytes)
  await writeFileAtomic(join(folder, NAMES.volume), volumeBytes)
  const bonesBytes = bones && writeNrrd(labelVolume(bones.labels))
  if (bonesBytes) await writeFileAtomic(join(folder, NAMES.bones), bonesBytes)
  const entry = (b: Uint8Array) => ({ sha256: sha256(b), bytes: b.byteLength })
  const manifest = {
    format: 'raypose-patient' as const,
    formatVersion: PATIENT_FORMAT as typeof PATIENT_FORMAT,
    version: VERSION,
    created: new Date().toISOString(),
    ...rest,
    hips: bones?.joints ?? [],
    files: {
      network: entry(networkBytes),
      volume: entry(volumeBytes),
      ...(bonesBytes ? { bones: entry(bonesBytes) } : {})
    }
  }
  // Through JSON, so that what is hashed is what a reader gets.
  const plain = JSON.parse(JSON.stringify(manifest)) as typeof manifest
  await writeJsonAtomic(join(folder, NAMES.manifest), { ...plain, integrity: manifestIntegrity(plain) })
  return parseManifest(folder, await readFile(join(folder, NAMES.manifest), 'utf8'))
}

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
  const bytes = async (key: 'network' | 'volume' | 'bones'): Promise<Uint8Array> => {
    const path = join(folder, NAMES[key])
    const b = await readFile(path).catch(() => null)
    if (b === null) throw new BundleError(`${path} is missing`, AGAIN)
    const { sha256: expected, bytes: length } = manifest.files[key] ?? { sha256: '', bytes: 0 }
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
    viewWeights: manifest.viewWeights ?? null,
    lpsFromCt: manifest.lpsFromCt,
    network: loadWeights(networkBytes),
    volume: volume as Volume<Int16Array>,
    bones: manifest.files.bones
      ? { labels: labelsOf(readNrrd(await bytes('bones'), NAMES.bones).volume), joints: manifest.hips }
      : null,
    sha256: sha256(text)
  }
}

const labelVolume = ({ origin, size, spacing, data }: BoneLabels): Volume<Uint8Array> => ({
  size,
  spacing: [spacing, spacing, spacing],
  origin,
  direction: IDENTITY3,
  data
})

function labelsOf({ size, spacing, origin, data }: Volume): BoneLabels {
  const labels = new Set<number>(Object.values(BONE_LABELS))
  if (!data.every(x => labels.has(x))) throw new BundleError(`${NAMES.bones} does not hold labels`, AGAIN)
  return { size, spacing: spacing[0], origin, data: Uint8Array.from(data) }
}
