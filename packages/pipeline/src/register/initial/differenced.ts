import {
  type Camera,
  type Detection,
  type Image,
  type LandmarkPose,
  PoseError,
  project,
  type Vec3
} from '@raypose/core'
import { CONFIDENT } from './evidence.js'
import { type Look, networkFor, type Observer, poseFrom } from './look.js'

/** Times that the network's own errors are looked up: the second time from nearly the right view. */
const DRR_ROUNDS = 2
/** A correction further than this is no error of the same kind any more, mm on a detector 1200 mm from the source. */
const MOST = 16

/** Pictures of a DRR for the network to look at; their detections are averaged. */
export type Likeness = (drr: Image, round: number) => readonly Float32Array[]

/**
 * Takes from the detections what the network gets wrong at this view: it looks at a DRR of the pose found, where every landmark's place is known, and
 * its errors there are subtracted. Errors of a network that has learnt one patient are mostly the same function of the view for X-ray and
 * DRR (as are those of M′), so that what is left is their difference. It costs one DRR a round, and an inference for each picture of it.
 * @param look in its eye's frame; what it says of confidence is kept
 * @param likeness makes a DRR as much like the X-ray as can be
 * @returns the look with corrected detections (eye pixels) and their pose; as it was where no better pose comes of it
 */
export async function differenced(
  observer: Observer,
  look: Look,
  likeness: Likeness,
  rounds = DRR_ROUNDS
): Promise<Look> {
  const { eye } = look
  const network = networkFor(observer, look)
  const most = (MOST * eye.detector.sdd) / 1200 / eye.detector.pixel[0]
  let { pose } = look
  let detections = look.detections
  for (let round = 0; round < rounds && pose; round++) {
    const camera = { detector: eye.detector, cameraFromLps: pose.cameraFromLps }
    let mark = performance.now()
    const pictures = likeness(observer.renderer.render(camera), round)
    observer.spent.verify += performance.now() - mark
    mark = performance.now()
    const drawn = averaged(await network.detect(pictures))
    observer.spent.detect += performance.now() - mark
    mark = performance.now()
    const corrected = correctedBy(look.detections, drawn, camera, observer.landmarks, most)
    const next = poseAgain(observer, corrected, look, pose, round < rounds - 1)
    observer.spent.pose += performance.now() - mark
    if (!next) break
    pose = next
    detections = corrected
  }
  return { ...look, pose, detections }
}

/** Of each landmark the mean of the detections that are clear; the first where none is. */
export function averaged(draws: readonly (readonly Detection[])[]): Detection[] {
  return draws[0].map((first, k) => {
    const clear = draws.map(d => d[k]).filter(d => d.confidence >= CONFIDENT)
    if (clear.length === 0) return first
    const mean = (of: (d: Detection) => number) => clear.reduce((s, d) => s + of(d), 0) / clear.length
    return { ...first, u: mean(d => d.u), v: mean(d => d.v), confidence: mean(d => d.confidence) }
  })
}

/**
 * Detections on a picture, less the errors of those on a DRR of `camera`, where the landmarks lie at their projections. Where the DRR shows
 * one less clearly than {@link CONFIDENT}, or wrong by more than `most` pixels, there is nothing to learn from it.
 */
export function correctedBy(
  detections: readonly Detection[],
  drawn: readonly Detection[],
  camera: Camera,
  landmarks: readonly Vec3[],
  most: number
): Detection[] {
  return detections.map((d, k) => {
    if (d.confidence < CONFIDENT || drawn[k].confidence < CONFIDENT) return d
    const p = project(camera, landmarks[k])
    const [du, dv] = [p.u - drawn[k].u, p.v - drawn[k].v]
    return Math.hypot(du, dv) > most ? d : { ...d, u: d.u + du, v: d.v + dv }
  })
}

/** The last time all poses are looked for again, as hypotheses to register from. */
function poseAgain(
  observer: Observer,
  detections: readonly Detection[],
  { eye }: Look,
  { cameraFromLps }: LandmarkPose,
  near: boolean
): LandmarkPose | null {
  try {
    return poseFrom(observer, detections, eye, [cameraFromLps], observer.weightsFor(cameraFromLps), near)
  } catch (error) {
    if (error instanceof PoseError) return null
    throw error
  }
}
