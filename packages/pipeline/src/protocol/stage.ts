import { join } from 'node:path'
import {
  ArgumentError,
  type Camera,
  createRandom,
  DEGREE,
  type Detector,
  gridViews,
  heightRange,
  type Image,
  linearise,
  onDetector,
  poseFromView,
  project,
  simulateReading,
  surfaceTargets,
  type Vec3,
  type View,
  type Volume,
  XRAY_PRESETS,
  type XraySettings
} from '@raypose/core'
import { createPatientDrrs } from '../evaluate/patient-drrs.js'
import { readCt } from '../files/read-ct.js'
import { openPatient, type Patient, withoutExtras } from '../patient/bundle.js'
import { ctFingerprint, type PatientSource } from './patients.js'
import type { Protocol } from './schema.js'
import { randomFor } from './seeds.js'

/** One patient with its X-rays of known pose. Everything here comes from the CT and M alone, whatever the preparation was. */
export interface Stage {
  readonly name: string
  readonly source: PatientSource
  readonly volume: Volume
  /** The prepared patient, where there is one. */
  readonly patient: Patient | null
  readonly detector: Detector
  readonly isocenter: Vec3
  readonly sourceToIsocenter: number
  readonly views: readonly View[]
  /** What errors are measured at, LPS mm: M, or points of the bone's surface. */
  readonly targets: readonly Vec3[]
  readonly targetKind: 'landmarks' | 'surface'
  readonly seed: number
  camera(view: number): Camera
  /** Of the CT that X-rays are made from: see {@link ctFingerprint}. */
  readonly ctSha256: string
  /** The X-ray as line integrals; the same every time. */
  xray(view: number): Promise<Image>
  /** Targets that its picture shows. */
  visibleTargets(view: number): number
  dispose(): void
}

/** Where surface targets lie: so far around the landmarks, mm. */
const TARGET_MARGIN = 10
/** Surface targets are left out on contours of fewer pixels: specks. */
const LEAST_BORDER = 20

export interface StageOptions {
  /** Folder that DRRs are kept in; default: none is. */
  readonly drrs?: string
}

/**
 * Opens a patient for evaluation.
 * @throws FileNotFoundError, FileFormatError, BundleError as the readers; ArgumentError where nothing says where the anatomy is
 */
export async function openStage(
  source: PatientSource,
  protocol: Protocol,
  options: StageOptions = {}
): Promise<Stage> {
  const patient = source.bundle === null ? null : await openPatient(source.bundle)
  const volume = source.ct === null ? patient?.volume : (await readCt(source.ct)).volume
  if (!volume)
    throw new ArgumentError(`The patient ${source.name} has neither a CT nor a preparation`, 'Give one.')
  const known = source.landmarks?.filter(p => p !== null) ?? null
  const places = known ?? (patient && withoutExtras(patient).landmarks)
  const isocenter = source.isocenter ?? patient?.isocenter
  if (!places || !isocenter)
    throw new ArgumentError(
      `Nothing says where the anatomy is in the CT of ${source.name}`,
      `Put its reference landmarks beside it, as ${source.name}.landmarks.json, or prepare the patient.`
    )
  const { sddMm, pixelMm, size, sourceToIsocenterMm } = protocol.geometry
  const detector: Detector = {
    sdd: sddMm,
    pixel: pixelMm,
    size,
    principalPoint: [(size[0] - 1) / 2, (size[1] - 1) / 2]
  }
  const settings: XraySettings = { ...XRAY_PRESETS[protocol.xray.preset], ...protocol.xray.settings }
  const views = protocolViews(protocol, heightRange(places, isocenter))
  const targets = known ?? targetsOnSurface(volume, places, protocol)
  const ctSha256 = await ctFingerprint(source.ct ?? join(source.bundle ?? '', 'ct.nrrd'))
  const folder = options.drrs === undefined ? null : join(options.drrs, source.name)
  const drrs = createPatientDrrs({
    volume,
    points: source.landmarks ?? places,
    views: views.length,
    femursDeg: protocol.anatomy === 'pelvis' ? settings.femursDeg : 0,
    random: randomFor(protocol.seed, 'femurs', source.name, 0),
    folder,
    ctSha256
  })
  const camera = (view: number): Camera => ({
    detector,
    cameraFromLps: poseFromView(views[view], isocenter, sourceToIsocenterMm)
  })
  return {
    name: source.name,
    source,
    volume,
    patient,
    detector,
    isocenter,
    sourceToIsocenter: sourceToIsocenterMm,
    views,
    targets,
    targetKind: known ? 'landmarks' : 'surface',
    seed: protocol.seed,
    camera,
    ctSha256,
    async xray(view) {
      const random = randomFor(protocol.seed, 'xray', source.name, view)
      const reading = simulateReading(
        await drrs.drr(view, camera(view)),
        detector.pixel[0],
        settings,
        random,
        detector.sdd
      )
      return linearise(reading, { kind: 'intensity' })
    },
    visibleTargets: view =>
      targets.filter(p => {
        const { u, v, depth } = project(camera(view), p)
        return depth > 0 && onDetector(detector, u, v)
      }).length,
    dispose: () => drrs.dispose()
  }
}

/** The views of a protocol for a patient whose landmarks reach from `lowest` to `highest` over the isocentre. */
export function protocolViews(
  { views: v, seed }: Pick<Protocol, 'views' | 'seed'>,
  height: { readonly from: number; readonly to: number }
): View[] {
  const angle = ({ from, to, count }: typeof v.alphaDeg) => ({ from: from * DEGREE, to: to * DEGREE, count })
  const at = (end: number | 'lowest' | 'highest') =>
    end === 'lowest' ? height.from : end === 'highest' ? height.to : end
  const all = gridViews({
    alpha: angle(v.alphaDeg),
    beta: angle(v.betaDeg),
    gamma: angle(v.gammaDeg),
    x: v.xMm,
    y: v.yMm,
    z: { ...v.zMm, from: at(v.zMm.from), to: at(v.zMm.to) }
  })
  if (v.sample === undefined || v.sample >= all.length) return all
  return createRandom(seed)
    .shuffle(all.map((_, i) => i))
    .slice(0, v.sample)
    .sort((a, b) => a - b)
    .map(i => all[i])
}

function targetsOnSurface(volume: Volume, around: readonly Vec3[], protocol: Protocol): Vec3[] {
  const low = [0, 1, 2].map(k => Math.min(...around.map(p => p[k])) - TARGET_MARGIN)
  const high = [0, 1, 2].map(k => Math.max(...around.map(p => p[k])) + TARGET_MARGIN)
  return surfaceTargets(volume, protocol.surfaceTargets, protocol.seed, {
    within: { min: low as unknown as Vec3, max: high as unknown as Vec3 },
    minBorderPixels: LEAST_BORDER
  })
}
