import {
  backProject,
  type Camera,
  createWasmRenderer,
  DEGREE,
  type Detection,
  type Detector,
  fitShapePrior,
  fittedCentre,
  indexToLps,
  pelvisLandmarkPrior,
  poseFromView,
  type Renderer,
  resampleVolume,
  type Vec3,
  type View,
  type Volume,
  VolumeError
} from '@raypose/core'
import type { Detector as LandmarkDetector } from '@raypose/network'
import type { OnProgress } from '../types.js'

export interface Located {
  /** The C-arm's isocentre: the middle of the pelvis's landmarks, LPS mm. */
  readonly isocenter: Vec3
  /** Sum of the confidences in the best front view: how sure the network is of the place, out of Ω. */
  readonly score: number
}

/** Voxel size for looking: enough for a DRR of 1.6 mm pixels, and quick. */
const LOOK_MM = 2
/** Height between two looks, mm. */
const STEP_MM = 20
/** Below this sum of confidences (of 23) no pelvis is there. */
const LEAST_SCORE = 3

/**
 * Finds the pelvis in a CT: front views at every height, the one where the network is surest, then twice the
 * middle of the landmarks back-projected from a few views around it.
 * @param check called between views; throws to stop
 * @throws VolumeError if there is no bone, or no height where the network sees a pelvis
 */
export async function locatePelvis(
  volume: Volume,
  network: LandmarkDetector,
  detector: Detector,
  onProgress?: OnProgress,
  check: () => void = () => {}
): Promise<Located> {
  const coarse = volume.spacing.some(s => s < LOOK_MM / 1.5)
    ? resampleVolume(volume, { spacing: LOOK_MM })
    : volume
  const renderer = createWasmRenderer(coarse)
  try {
    const candidates = candidateCentres(coarse)
    let best: Located | null = null
    for (const [i, centre] of candidates.entries()) {
      check()
      onProgress?.({ stage: 'Looking for the pelvis', fraction: i / candidates.length })
      const [found] = await look(renderer, network, detector, centre, [front(0, 0)])
      const score = found.reduce((s, d) => s + d.confidence, 0)
      if (!best || score > best.score) best = { isocenter: centre, score }
    }
    if (!best || best.score < LEAST_SCORE)
      throw new VolumeError(
        `No pelvis was found in the CT: the network is sure of ${(best?.score ?? 0).toFixed(1)} of its landmarks at best`,
        'Give a CT of a pelvis, or its centre with --isocenter x,y,z (LPS mm).'
      )
    let isocenter = best.isocenter
    for (let round = 0; round < 3; round++) {
      const views = [-35, -17, 0, 17, 35].flatMap(g => [-25, 0, 25].map(z => front(g * DEGREE, z)))
      const found = await look(renderer, network, detector, isocenter, views)
      const cameras = views.map(v => cameraAt(detector, v, isocenter))
      const points = backProject(found, cameras)
      const fit = fitShapePrior(
        pelvisLandmarkPrior(),
        points.map(p => p.point),
        points.map(p => Math.max(0.05, p.support || 0))
      )
      if (!fit) break
      isocenter = fittedCentre(fit)
    }
    return { isocenter, score: best.score }
  } finally {
    renderer.dispose()
  }
}

const front = (gamma: number, z: number): View => ({ alpha: 0, beta: 0, gamma, translation: [0, 0, z] })

export const cameraAt = (detector: Detector, view: View, isocenter: Vec3): Camera => ({
  detector,
  cameraFromLps: poseFromView(view, isocenter)
})

async function look(
  renderer: Renderer,
  network: LandmarkDetector,
  detector: Detector,
  centre: Vec3,
  views: readonly View[]
): Promise<Detection[][]> {
  return network.detect(views.map(v => renderer.render(cameraAt(detector, v, centre)).data))
}

/** A centre for each height: the centroid of bone there, a little in front of it, since the pelvis is a ring open to the front. */
function candidateCentres(v: Volume): Vec3[] {
  const [ni, nj, nk] = v.size
  const up = [0, 1, 2].reduce((b, a) => (Math.abs(v.direction[6 + a]) > Math.abs(v.direction[6 + b]) ? a : b))
  const layers = v.size[up]
  const sum = new Float64Array(layers * 4)
  const index = [0, 0, 0]
  for (let k = 0; k < nk; k++)
    for (let j = 0; j < nj; j++)
      for (let i = 0; i < ni; i++) {
        if (v.data[(k * nj + j) * ni + i] < 250) continue
        index[0] = i
        index[1] = j
        index[2] = k
        const o = index[up] * 4
        sum[o] += i
        sum[o + 1] += j
        sum[o + 2] += k
        sum[o + 3]++
      }
  const step = STEP_MM / v.spacing[up]
  const reach = Math.round(30 / v.spacing[up])
  const centres: Vec3[] = []
  for (let at = step / 2; at < layers; at += step) {
    const s = [0, 0, 0, 0]
    for (let l = Math.max(0, Math.round(at) - reach); l <= Math.min(layers - 1, Math.round(at) + reach); l++)
      for (let c = 0; c < 4; c++) s[c] += sum[l * 4 + c]
    if (s[3] < 200) continue
    const middle: [number, number, number] = [s[0] / s[3], s[1] / s[3], s[2] / s[3]]
    middle[up] = at
    const p = indexToLps(v, middle)
    centres.push([p[0], p[1] - 20, p[2]])
  }
  if (centres.length === 0)
    throw new VolumeError(
      'The CT holds no bone: nothing above 250 HU',
      'Check that the values are Hounsfield units and the volume is a CT.'
    )
  return centres
}
