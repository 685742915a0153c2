import { join } from 'node:path'
import { applyRigid, distance, geometryToJson, type Vec3, XrayError } from '@raypose/core'
import {
  createRegistrar,
  type OnProgress,
  openPatient,
  type RegistrarOptions,
  readXraySequence,
  type TrackedFrame,
  VERSION,
  writeFileAtomic,
  writeJsonAtomic
} from '@raypose/pipeline'
import { drawOverlay } from '../report/overlay.js'
import { type RegisterWork, readingOf } from './register.js'
import { projectAll } from './registration-overlay.js'

export interface TrackWork
  extends Pick<RegistrarOptions, 'threads'>,
    Pick<RegisterWork, 'patient' | 'orientation' | 'tube' | 'reading' | 'out'> {
  readonly xray: string
  readonly geometry?: string
  /** Frames to follow: the first, and how many; default all. */
  readonly from?: number
  readonly count?: number
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/** A frame in `track.json`. */
export interface FrameJson {
  /** In the file, from 0. */
  readonly frame: number
  readonly how: TrackedFrame['how']
  readonly status: 'accepted' | 'doubtful' | 'rejected'
  readonly reasons: readonly string[]
  readonly probabilityTreAbove2mm: number | null
  readonly probabilityTreAbove10mm: number | null
  readonly expectedTreMm: number | null
  readonly cameraFromLps: readonly number[] | null
  /** How far the patient moved since the last frame with a pose: of the pelvis's centre in camera axes, mm. */
  readonly movedMm: number | null
  readonly seconds: number
}

export interface TrackJson {
  readonly format: 'raypose-track'
  readonly version: string
  readonly geometry: ReturnType<typeof geometryToJson> | null
  readonly frames: readonly FrameJson[]
  /** Of the frames that were followed; null where none was. */
  readonly framesPerSecond: number | null
  readonly inputs: {
    readonly xray: { readonly file: string; readonly sha256: string }
    readonly patient: { readonly sha256: string }
  }
}

/** Follows a patient through the frames of a fluoroscopy run; writes `track.json` and overlays of the first and the last pose. */
export async function trackToFolder(w: TrackWork): Promise<TrackJson> {
  const sequence = await readXraySequence(w.xray, w.geometry, w.reading)
  w.onProgress?.({ stage: 'Opening the patient', fraction: 0 })
  const patient = await openPatient(w.patient)
  const registrar = await createRegistrar(patient, { threads: w.threads })
  try {
    const first = w.from ?? 0
    const end = Math.min(sequence.frames, first + (w.count ?? sequence.frames))
    const start = await sequence.frame(first)
    const tracker = registrar.track({ reading: readingOf(start, w), signal: w.signal })
    const frames: FrameJson[] = []
    const shown: TrackedFrame[] = []
    let last: Vec3 | null = null
    for (let index = first; index < end; index++) {
      w.onProgress?.({
        stage: 'Following',
        fraction: (index - first) / (end - first),
        detail: `frame ${index}`
      })
      const found = await followed(index)
      if (typeof found === 'string') {
        frames.push(lostFrame(index, found))
        continue
      }
      const place: Vec3 | null = found.cameraFromLps && applyRigid(found.cameraFromLps, patient.isocenter)
      frames.push(frameJson(index, found, last && place ? distance(last, place) : null))
      if (place) {
        last = place
        shown[shown.length > 0 ? 1 : 0] = found
      }
    }
    async function followed(index: number): Promise<TrackedFrame | string> {
      try {
        const xray = index === first ? start : await sequence.frame(index)
        return await tracker.next(xray.image, xray.detector)
      } catch (error) {
        // Between pulses a frame may hold nothing; the first must show something.
        if (error instanceof XrayError && index > first) return error.message
        throw error
      }
    }
    for (const [k, { detector, cameraFromLps, xray }] of shown.entries()) {
      const camera = { detector, cameraFromLps: cameraFromLps! }
      const png = drawOverlay({
        xray,
        drr: registrar.renderer.render(camera),
        landmarks: { projected: projectAll(camera, patient.landmarks) }
      })
      await writeFileAtomic(join(w.out, k === 0 ? 'overlay-first.png' : 'overlay-last.png'), png)
    }
    const quick = frames.filter(f => f.how === 'followed')
    const json: TrackJson = {
      format: 'raypose-track',
      version: VERSION,
      geometry: shown[0] ? geometryToJson(shown[0].detector, shown[0].cameraFromLps!) : null,
      frames,
      framesPerSecond: quick.length > 0 ? quick.length / quick.reduce((s, f) => s + f.seconds, 0) : null,
      inputs: {
        xray: { file: sequence.file, sha256: sequence.sha256 },
        patient: { sha256: patient.sha256 }
      }
    }
    await writeJsonAtomic(join(w.out, 'track.json'), json)
    return json
  } finally {
    await registrar.dispose()
  }
}

const lostFrame = (frame: number, reason: string): FrameJson => ({
  frame,
  how: 'lost',
  status: 'rejected',
  reasons: [reason],
  probabilityTreAbove2mm: null,
  probabilityTreAbove10mm: null,
  expectedTreMm: null,
  cameraFromLps: null,
  movedMm: null,
  seconds: 0
})

const frameJson = (frame: number, f: TrackedFrame, movedMm: number | null): FrameJson => ({
  frame,
  how: f.how,
  status: f.assessment?.status ?? 'rejected',
  reasons: f.assessment?.reasons ?? ['The landmarks give no pose.'],
  probabilityTreAbove2mm: f.assessment?.probabilityTreAbove2mm ?? null,
  probabilityTreAbove10mm: f.assessment?.probabilityTreAbove10mm ?? null,
  expectedTreMm: f.assessment?.expectedTreMm ?? null,
  cameraFromLps: f.cameraFromLps && [...f.cameraFromLps],
  movedMm,
  seconds: f.seconds
})
