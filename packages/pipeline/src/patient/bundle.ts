import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  BundleError,
  type Detector,
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

const NAMES = { manifest: 'manifest.json', network: 'network.rpw', volume: 'ct.nrrd' } as const

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
  /** Hash of the manifest, which holds those of the files. */
  readonly sha256: string
}

/** Weights of a patient's landmarks for a view that is known roughly, as from a first pose; without one, those over all views. */
export function landmarkWeights(patient: Patient, view?: Pick<View, 'alpha' | 'gamma'>): readonly number[] {
  if (!view || !patient.viewWeights) return patient.weights
  // A landmark without weight over all views is not to be used in any.
  return weightsForView(patient.viewWeights, view).map((w, i) => (patient.weights[i] > 0 ? w : 0))
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
  | 'landmarks'
  | 'lpsFromCt'
  | 'notes'
  | 'validationCurve'
  | 'worstViews'
> &
  Partial<Pick<PatientManifest, 'lpsFromCt' | 'notes' | 'validationCurve' | 'worstViews'>> & {
    readonly landmarks: PatientLandmarkInput[]
    readonly network: Network
    readonly volume: Volume<Int16Array>
  }

/** Writes a patient folder; the manifest comes last, so a folder that has one is whole. */
export async function writePatient(folder: string, parts: PatientParts): Promise<PatientManifest> {
  const { network, volume, ...rest } = parts
  const networkBytes = saveWeights(network)
  const volumeBytes = writeNrrd(volume, { gzip: false })
  await writeFileAtomic(join(folder, NAMES.network), networkBytes)
  await writeFileAtomic(join(folder, NAMES.volume), volumeBytes)
  const entry = (b: Uint8Array) => ({ sha256: sha256(b), bytes: b.byteLength })
  const manifest = {
    format: 'raypose-patient' as const,
    formatVersion: PATIENT_FORMAT as typeof PATIENT_FORMAT,
    version: VERSION,
    created: new Date().toISOString(),
    ...rest,
    files: { network: entry(networkBytes), volume: entry(volumeBytes) }
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
    viewWeights: manifest.viewWeights ?? null,
    lpsFromCt: manifest.lpsFromCt,
    network: loadWeights(networkBytes),
    volume: volume as Volume<Int16Array>,
    sha256: sha256(text)
  }
}
