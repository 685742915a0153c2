import { join } from 'node:path'
import {
  applyRigid,
  distance,
  EmptyXrayError,
  FileFormatError,
  geometryToJson,
  type Vec3,
  XrayError
} from '@raypose/core'
import type { CalibratedXray } from '@raypose/formats'
import {
  createRegistrar,
  ensureWritableFolder,
  type OnProgress,
  openPatient,
  type RegistrarOptions,
  readXraySequence,
  type TrackedFrame,
  turnedNote,
  VERSION,
  writeFileAtomic,
  writeJsonAtomic,
  type XraySequence
} from '@raypose/pipeline'
import { drawOverlay } from '../report/overlay.js'
import { removeEarlier } from './earlier-files.js'
import { readingOf } from './picture-reading.js'
import type { RegisterWork } from './register-work.js'
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
  /** Rotation from the CT file's coordinates to the patient's, 3×3 row-major. */
  readonly lpsFromCt: readonly number[]
  readonly notes: readonly string[]
  readonly frames: readonly FrameJson[]
  /** Why the work ended before the last frame; null where it did not. */
  readonly stopped: string | null
  /** Of the frames that were followed; null where none was. */
  readonly framesPerSecond: number | null
  readonly inputs: {
    readonly xray: { readonly file: string; readonly sha256: string }
    readonly patient: { readonly sha256: string }
  }
}

const FILES = { track: 'track.json', first: 'overlay-first.png', last: 'overlay-last.png' } as const

/**
 * Follows a patient through the frames of a fluoroscopy run; writes `track.json` and overlays of the first and the last pose. Where the
 * work ends early, it writes what there is, and says why.
 * @throws XrayError where no frame shows anything, or that is not there; FileFormatError where none can be read
 */
export async function trackToFolder(w: TrackWork): Promise<TrackJson> {
  const sequence = await readXraySequence(w.xray, w.geometry, w.reading)
  const first = w.from ?? 0
  if (first >= sequence.frames)
    throw new XrayError(
      `${w.xray} has ${sequence.frames} frame(s), not a frame ${first}`,
      'Count frames from 0, with --from.'
    )
  const end = Math.min(sequence.frames, first + (w.count ?? sequence.frames))
  const begin = await firstReadable(sequence, first, end)
  await ensureWritableFolder(w.out)
  await removeEarlier(w.out, Object.values(FILES), FILES.track, 'raypose-track')
  w.onProgress?.({ stage: 'Opening the patient', fraction: 0 })
  const patient = await openPatient(w.patient)
  const registrar = await createRegistrar(patient, { threads: w.threads })
  const frames: FrameJson[] = [...begin.lost]
  const shown: TrackedFrame[] = []
  try {
    const tracker = registrar.track({ reading: readingOf(begin.xray, w), signal: w.signal })
    let last: Vec3 | null = null
    for (let index = begin.index; index < end; index++) {
      w.onProgress?.({
        stage: 'Following',
        fraction: (index - first) / (end - first),
        detail: `frame ${index}`
      })
      // Lets a Ctrl-C in: nothing else here waits for the outside.
      await new Promise(done => setImmediate(done))
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
        const xray = index === begin.index ? begin.xray : await sequence.frame(index)
        return await tracker.next(xray.image, xray.detector)
      } catch (error) {
        // Between pulses a frame may hold nothing, and one may be damaged: the others are as good as before.
        if (error instanceof XrayError || error instanceof FileFormatError) return error.message
        throw error
      }
    }
    return await write(null)
  } catch (error) {
    // What went wrong is what the user has to know, whether or not the rest can still be written.
    const reason = error instanceof Error ? error.message : String(error)
    if (frames.length > begin.lost.length) await write(reason).catch(() => {})
    throw error
  } finally {
    await registrar.dispose()
  }

  async function write(stopped: string | null): Promise<TrackJson> {
    for (const [k, { detector, cameraFromLps, xray }] of shown.entries()) {
      const camera = { detector, cameraFromLps: cameraFromLps! }
      const png = drawOverlay({
        xray,
        drr: registrar.renderer.render(camera),
        landmarks: { projected: projectAll(camera, patient.landmarks) }
      })
      await writeFileAtomic(join(w.out, k === 0 ? FILES.first : FILES.last), png)
    }
    const quick = frames.filter(f => f.how === 'followed')
    const json: TrackJson = {
      format: 'raypose-track',
      version: VERSION,
      geometry: shown[0] ? geometryToJson(shown[0].detector, shown[0].cameraFromLps!) : null,
      lpsFromCt: Array.from(patient.lpsFromCt),
      notes: [turnedNote(patient.lpsFromCt)].filter(n => n !== null),
      frames,
      stopped,
      framesPerSecond: quick.length > 0 ? quick.length / quick.reduce((s, f) => s + f.seconds, 0) : null,
      inputs: {
        xray: { file: sequence.file, sha256: sequence.sha256 },
        patient: { sha256: patient.sha256 }
      }
    }
    await writeJsonAtomic(join(w.out, FILES.track), json)
    return json
  }
}

/**
 * The first frame that shows something; those before it are lost.
 * @throws what is wrong with the first frame, where there is none
 */
async function firstReadable(
  sequence: XraySequence,
  first: number,
  end: number
): Promise<{ index: number; xray: CalibratedXray; lost: FrameJson[] }> {
  const errors: Error[] = []
  for (let index = first; index < end; index++)
    try {
      const xray = await sequence.frame(index)
      return { index, xray, lost: errors.map((e, k) => lostFrame(first + k, e.message)) }
    } catch (error) {
      // Anything else, as a geometry that is missing, is wrong with the file.
      if (!(error instanceof EmptyXrayError || error instanceof FileFormatError)) throw error
      errors.push(error)
    }
  throw errors[0]
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
