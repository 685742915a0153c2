import { join } from 'node:path'
import {
  CancelledError,
  type Detector,
  findHipJoints,
  labelBones,
  type Mat3,
  prepareWasmVolume,
  type Vec3,
  type Volume
} from '@raypose/core'
import { createDetector, type Network } from '@raypose/network'
import { networkAnatomy } from '../files/anatomy.js'
import { withoutFilling } from '../files/filling.js'
import { sha256 } from '../files/hash.js'
import { type PatientBones, type PatientManifest, writePatient } from '../patient/bundle.js'
import { extraLandmarks } from './extra-landmarks.js'
import { assertCt, hashVolume, takeIn } from './intake.js'
import { patientLandmarks } from './landmarks.js'
import { locateAnatomy } from './locate.js'
import { type PrepareOptions, prepareDefaults } from './options.js'
import { patientNetwork, retrain } from './retrain.js'
import { openWork } from './work.js'

/**
 * Phase 2 of the paper: from a CT, alone, to a patient folder that X-rays can be registered with.
 * @param volume the CT, HU
 * @param network N of phase 1
 * @throws VolumeError for a CT that is none, has no bone, or does not show the anatomy; PoseError if too few landmarks agree; ModelError for a network that
 * does not say what it finds
 * @throws CancelledError when `signal` aborts (what was done is kept); StorageError when the folder cannot be written
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
  assertCt(volume)
  const detector = trainedDetector(network)
  const anatomy = networkAnatomy(network)
  const ctHash = hashVolume(volume)
  const networkHash = sha256(new Uint8Array(network.parameters.buffer))
  const settings = { ...o, out: undefined }
  const work = await openWork(join(o.out, '.preparing'), { ct: ctHash, network: networkHash, ...settings })

  // Files have been cleared when they were read; a volume from elsewhere has not.
  const { volume: scan, note: filling } = withoutFilling(volume)
  const general = await createDetector(network, { threads: o.threads })
  try {
    const located =
      work.located ??
      (await locateAnatomy(scan, general, detector, anatomy, {
        isocenter: o.isocenter,
        onProgress: progress,
        check
      }))
    await work.saveLocated(located)
    check()
    lap('locate')
    const { isocenter } = located
    const { volume: ct, notes } = takeIn(scan, located, anatomy.name)
    const prepared = prepareWasmVolume(ct)
    const own =
      work.landmarks?.slice(0, network.spec.landmarks) ??
      (await patientLandmarks(ct, prepared, general, detector, anatomy, isocenter, o, progress, check))
    const bones = anatomy.name === 'pelvis' ? bonesOf(ct, own) : null
    const landmarks = work.landmarks ?? [
      ...own,
      ...extraLandmarks(ct, prepared, own, detector, isocenter, o, bones?.labels)
    ]
    await work.saveLandmarks(landmarks)
    check()
    lap('landmarks')
    const trained = await retrain(
      ct,
      landmarks,
      network,
      general,
      detector,
      isocenter,
      o,
      work,
      progress,
      options.signal
    )
    lap('retraining')
    progress({ stage: 'Writing the patient', fraction: 0 })
    const beyond = landmarks.filter(l => !l.inside)
    const manifest = await writePatient(o.out, {
      anatomy: anatomy.name,
      isocenter: [isocenter[0], isocenter[1], isocenter[2]],
      lpsFromCt: [...(located.lpsFromCt as Mat3)],
      detector: {
        sdd: detector.sdd,
        pixel: [...detector.pixel],
        size: [...detector.size],
        principalPoint: [...detector.principalPoint]
      },
      landmarks: trained.landmarks,
      ...(trained.viewWeights
        ? {
            viewWeights: {
              alpha: [...trained.viewWeights.alpha],
              gamma: [...trained.viewWeights.gamma],
              weights: trained.viewWeights.weights.map(w => [...w])
            }
          }
        : {}),
      notes: [
        ...notes,
        ...(filling ? [filling] : []),
        ...(beyond.length > 0
          ? [
              `The scan ends within the ${anatomy.name}: ${beyond.map(l => l.name).join(', ')} ${beyond.length === 1 ? 'lies' : 'lie'} beyond it and ${beyond.length === 1 ? 'is' : 'are'} not used.`
            ]
          : []),
        ...(trained.cutShort && trained.step < FEW_STEPS * o.steps
          ? [
              `Time ended the retraining after ${trained.step} of ${o.steps} steps: on a machine with less other work, or with --minutes ${Math.ceil((o.maxSeconds / 60) * (o.steps / Math.max(1, trained.step)))}, poses would be more exact.`
            ]
          : [])
      ],
      provenance: {
        ct: { sha256: ctHash, ...options.source },
        networkSha256: networkHash,
        located,
        options: settings,
        steps: trained.step,
        seconds: {
          ...times,
          retrainingInAll: trained.record.seconds,
          total: (performance.now() - started) / 1000
        }
      },
      validation: { before: trained.before, after: trained.after },
      curve: trained.record.curve,
      validationCurve: trained.record.validationCurve,
      worstViews: trained.worstViews,
      network: {
        ...patientNetwork(network, landmarks, o.seed),
        parameters: trained.parameters,
        provenance: { ...network.provenance, patientOf: ctHash, retrainingSteps: trained.step }
      },
      volume: ct,
      bones
    })
    await work.remove()
    return manifest
  } finally {
    await general.release()
  }
}

/** Share of the steps below which a retraining that time ended is worth a word: poses suffer (docs/preparation.md). */
const FEW_STEPS = 0.4

/** Voxel size of the labels of bones, mm: femurs are told from the pelvis by more. */
const LABEL_MM = 3

/** Pelvis and femurs told apart; null where the CT shows no hip. */
function bonesOf(ct: Volume, landmarks: readonly { readonly point: Vec3 }[]): PatientBones | null {
  const joints = findHipJoints(
    ct,
    landmarks.map(l => l.point)
  )
  return joints.length > 0 ? { labels: labelBones(ct, joints, LABEL_MM), joints } : null
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
