import {
  type Anatomy,
  backProject,
  type Camera,
  createWasmRenderer,
  DEGREE,
  type Detection,
  type Detector,
  distance,
  fitShapePrior,
  fittedCentre,
  IDENTITY3,
  type Mat3,
  mulMat3,
  mulMat3Vec3,
  poseFromView,
  priorRadius,
  type Renderer,
  resampleVolume,
  type ShapeFit,
  type ShapePrior,
  type Vec3,
  type View,
  type Volume,
  VolumeError
} from '@raypose/core'
import type { Detector as LandmarkDetector } from '@raypose/network'
import type { OnProgress } from '../types.js'
import { boneCentres } from './bone-centres.js'
import { HALF_TURN, ORIENTATIONS, turnVolume } from './orientation.js'

export interface Located {
  /** Rotation from the CT file's coordinates to LPS; the identity where the file is right. */
  readonly lpsFromCt: Mat3
  /** The C-arm's isocentre: the middle of the landmarks, LPS mm. */
  readonly isocenter: Vec3
  /** Landmarks that back-project to where the anatomy has them, of all, and their median distance from there, mm. */
  readonly agreeing: number
  readonly landmarks: number
  readonly residualMm: number
  /** Whether the anatomy was seen at all: a given isocentre is taken without that. */
  readonly verified: boolean
  /** Ways of lying that were tried. */
  readonly orientationsTried: number
}

/** Voxel size for looking: enough for a DRR of 1.6 mm pixels, and quick. */
const LOOK_MM = 2.5
/** Height between two looks, mm: the network is trained for ±40 mm. Orientations that are unlikely are looked at more coarsely. */
const STEP_MM = 25
const COARSE_STEP_MM = 40
/** A place where the network is surest is worth a closer look from this sum of confidences on; so many are looked at. */
const LEAST_SCORE = 2
const CLOSER_LOOKS = 3
/** Nearer than this, two heights are the same place, mm. */
const APART_MM = 60
/** Sideways steps about the middle of the bone, which an arm or a table moves, mm. */
const SIDEWAYS = [0, -45, 45]
/** A landmark agrees when it lies this near to the fitted prior, mm (of an anatomy as large as a pelvis), and this share of its rays meets there. */
const AGREE_MM = 15
const AGREE_SUPPORT = 0.4
/** Least share of landmarks that agree, and how many times those of the mirror image: measured, a pelvis has 19 to 23 of 23 (three times its mirror image), all else at most 7. */
const LEAST_AGREEING = 9 / 23
const OVER_MIRROR = 1.5
/** Rounds of moving to the middle of the landmarks, and the move that ends them, mm. */
const ROUNDS = 5
const SETTLED_MM = 4

const fan = (heights: readonly number[]): View[] =>
  [-35, -17, 0, 17, 35].flatMap(gamma =>
    heights.map(z => ({ alpha: 0, beta: 0, gamma: gamma * DEGREE, translation: [0, 0, z] as Vec3 }))
  )
/** A first impression, and the views of a closer look. */
const FEW_VIEWS = fan([0])
const VIEWS = fan([-25, 0, 25])
/** Share of landmarks that must agree at first for a closer look: of a pelvis, a third of what one that is cut in half shows. */
const AT_FIRST = 5 / 23
/** A shape that rotates, moves and bends fits any few points. */
const FEWEST = 4
/** Root mean square distance of a pelvis's landmarks from their centre, mm. */
const PELVIS_RADIUS_MM = 87

const FRONT: View = { alpha: 0, beta: 0, gamma: 0, translation: [0, 0, 0] }

export interface LocateOptions {
  /** Middle of the anatomy in the CT's coordinates, mm: only the way of lying is looked for there. */
  readonly isocenter?: Vec3
  readonly onProgress?: OnProgress
  /** Called between views; throws to stop. */
  readonly check?: () => void
}

/** What tells the anatomy from everything else. */
interface Target {
  readonly prior: ShapePrior
  /** Front and back exchanged: what landmarks look like whose sides were named from behind. */
  readonly mirrored: ShapePrior
  readonly agreeMm: number
  /** Landmarks that must agree for a closer look, and in the end. */
  readonly atFirst: number
  readonly least: number
}

/** Size of an anatomy against a pelvis, at most 1: tolerances shrink with it, or a small one would be seen everywhere. */
export const anatomyScale = (prior: ShapePrior): number => Math.min(1, priorRadius(prior) / PELVIS_RADIUS_MM)

function targetOf({ prior, landmarkNames }: Anatomy): Target {
  const flip = (p: Vec3): Vec3 => [p[0], -p[1], p[2]]
  const share = (s: number) => Math.max(FEWEST, Math.round(s * landmarkNames.length))
  return {
    prior,
    mirrored: { mean: prior.mean.map(flip), modes: prior.modes.map(m => m.map(flip)) },
    agreeMm: AGREE_MM * anatomyScale(prior),
    atFirst: share(AT_FIRST),
    least: share(LEAST_AGREEING)
  }
}

/**
 * Finds an anatomy in a CT of any extent and the way its patient lies: front views at every height, the heights where the network is
 * surest, and there landmarks back-projected from 15 views. Points of the anatomy lie to each other as the shape prior has them; the
 * mirror image of the prior fits instead where the views came from the back. The file's own orientation is tried first, others by
 * quarter turns only if it does not show the anatomy.
 *
 * @throws VolumeError without bone, or where no orientation shows the anatomy
 */
export async function locateAnatomy(
  volume: Volume,
  network: LandmarkDetector,
  detector: Detector,
  anatomy: Anatomy,
  options: LocateOptions = {}
): Promise<Located> {
  const { isocenter, onProgress, check = () => {} } = options
  const target = targetOf(anatomy)
  const coarse = volume.spacing.some(s => s < LOOK_MM / 1.5)
    ? resampleVolume(volume, { spacing: volume.spacing.map(s => Math.max(s, LOOK_MM)) as unknown as Vec3 })
    : volume
  let best: Sighting | null = null
  let score = 0
  for (const [n, orientation] of ORIENTATIONS.entries()) {
    const report = (fraction: number) => {
      check()
      onProgress?.({
        stage: `Looking for the ${anatomy.name}`,
        fraction: (n + fraction) / ORIENTATIONS.length,
        ...(n > 0 ? { detail: `orientation ${n + 1} of ${ORIENTATIONS.length}` } : {})
      })
    }
    const scene = openScene(turnVolume(coarse, orientation), network, detector, report)
    try {
      const places = isocenter
        ? [{ centre: mulMat3Vec3(orientation, isocenter), score: Number.POSITIVE_INFINITY }]
        : await promisingPlaces(scene, n === 0 ? STEP_MM : COARSE_STEP_MM)
      for (const place of places) {
        if (!isocenter) score = Math.max(score, place.score)
        let seen = await approach(scene, target, place.centre)
        let turn = orientation
        if (seen && seen.mirrored > seen.agreeing) {
          // Seen from the back: look again from the front.
          turn = mulMat3(HALF_TURN, orientation)
          const other = openScene(turnVolume(coarse, turn), network, detector, report)
          seen = await approach(other, target, mulMat3Vec3(HALF_TURN, seen.centre)).finally(other.dispose)
        }
        if (!seen) continue
        if (isIt(seen, target))
          return {
            lpsFromCt: turn,
            isocenter: isocenter ? mulMat3Vec3(turn, isocenter) : seen.centre,
            agreeing: seen.agreeing,
            landmarks: seen.fit.residuals.length,
            residualMm: seen.residualMm,
            verified: true,
            orientationsTried: n + 1
          }
        if (!best || seen.agreeing > best.agreeing) best = seen
      }
    } finally {
      scene.dispose()
    }
  }
  if (isocenter)
    return {
      lpsFromCt: IDENTITY3,
      isocenter,
      agreeing: best?.agreeing ?? 0,
      landmarks: network.spec.landmarks,
      residualMm: best?.residualMm ?? Number.NaN,
      verified: false,
      orientationsTried: ORIENTATIONS.length
    }
  throw new VolumeError(
    `No ${anatomy.name} was found in the CT: whichever way it is turned, at most ${best?.agreeing ?? 0} of ${network.spec.landmarks} landmarks lie to each other as those of a ${anatomy.name} (at least ${target.least} should; summed confidence ${score.toFixed(1)} at best)`,
    `Give a CT that shows the ${anatomy.name}, in Hounsfield units; if it does, give its middle with --isocenter x,y,z (mm in the coordinates of the CT).`
  )
}

/** A volume to look at, one way up. */
interface Scene {
  readonly volume: Volume
  readonly look: (centre: Vec3, views: readonly View[]) => Promise<Detection[][]>
  readonly camera: (view: View, centre: Vec3) => Camera
  readonly report: (fraction: number) => void
  readonly dispose: () => void
}

function openScene(
  volume: Volume,
  network: LandmarkDetector,
  detector: Detector,
  report: (fraction: number) => void
): Scene {
  const renderer: Renderer = createWasmRenderer(volume, { quality: 'fast' })
  const camera = (view: View, centre: Vec3) => cameraAt(detector, view, centre)
  return {
    volume,
    camera,
    look: (centre, views) => network.detect(views.map(v => renderer.render(camera(v, centre)).data)),
    report,
    dispose: () => renderer.dispose()
  }
}

export const cameraAt = (detector: Detector, view: View, isocenter: Vec3): Camera => ({
  detector,
  cameraFromLps: poseFromView(view, isocenter)
})

interface Place {
  readonly centre: Vec3
  /** Sum of the confidences in a front view. */
  readonly score: number
}

/** The heights where the network is surest, best first, each moved sideways to where it is surest. */
async function promisingPlaces(scene: Scene, step: number): Promise<Place[]> {
  const look = async (centre: Vec3): Promise<Place> => {
    const [found] = await scene.look(centre, [FRONT])
    return { centre, score: found.reduce((s, d) => s + d.confidence, 0) }
  }
  const centres = boneCentres(scene.volume, step)
  const places: Place[] = []
  for (const [i, centre] of centres.entries()) {
    scene.report((0.7 * i) / centres.length)
    places.push(await look(centre))
  }
  places.sort((a, b) => b.score - a.score)
  const chosen: Place[] = []
  for (const p of places)
    if (
      p.score >= LEAST_SCORE &&
      chosen.length < CLOSER_LOOKS &&
      chosen.every(c => Math.abs(c.centre[2] - p.centre[2]) > APART_MM)
    )
      chosen.push(p)
  const moved: Place[] = []
  for (const p of chosen) {
    scene.report(0.75)
    let best = p
    for (const x of SIDEWAYS.slice(1)) {
      const other = await look([p.centre[0] + x, p.centre[1], p.centre[2]])
      if (other.score > best.score) best = other
    }
    moved.push(best)
  }
  return moved.sort((a, b) => b.score - a.score)
}

interface Sighting {
  readonly centre: Vec3
  readonly fit: ShapeFit
  /** Landmarks that agree with the prior and with its mirror image. */
  readonly agreeing: number
  readonly mirrored: number
  readonly residualMm: number
}

const isIt = (s: Sighting, { least }: Target): boolean =>
  s.agreeing >= least && s.agreeing >= OVER_MIRROR * s.mirrored

/** Moves to the middle of the landmarks as long as more of them agree. Null where too few do from the start. */
async function approach(scene: Scene, target: Target, start: Vec3): Promise<Sighting | null> {
  let best = await sight(scene, target, start, FEW_VIEWS)
  if (!best || strength(best) < target.atFirst) return best
  for (let round = 0; round < ROUNDS; round++) {
    scene.report(0.8 + (0.2 * round) / ROUNDS)
    const from: Vec3 = best.centre
    const seen = await sight(scene, target, from, VIEWS)
    if (!seen || (round > 0 && strength(seen) < strength(best))) break
    best = seen
    if (distance(seen.centre, from) < SETTLED_MM) break
  }
  return best
}

const strength = (s: Sighting): number => Math.max(s.agreeing, s.mirrored)

/** What a look from these views comes to. Null with fewer points than a shape can be fitted to. */
async function sight(
  scene: Scene,
  target: Target,
  centre: Vec3,
  views: readonly View[]
): Promise<Sighting | null> {
  const found = await scene.look(centre, views)
  const points = backProject(
    found,
    views.map(v => scene.camera(v, centre)),
    { method: 'robust' }
  )
  const [fit, mirror] = [target.prior, target.mirrored].map(prior =>
    fitShapePrior(
      prior,
      points.map(p => p.point),
      points.map(p => Math.max(0.05, p.support || 0))
    )
  )
  if (!fit || !mirror) return null
  const agreed = (f: ShapeFit) =>
    f.residuals.filter((r, i) => r <= target.agreeMm && points[i].support >= AGREE_SUPPORT)
  const [agreeing, mirrored] = [agreed(fit), agreed(mirror)]
  return {
    centre: fittedCentre(mirrored.length > agreeing.length ? mirror : fit),
    fit,
    agreeing: agreeing.length,
    mirrored: mirrored.length,
    residualMm: [...agreeing].sort((a, b) => a - b)[agreeing.length >> 1] ?? Number.NaN
  }
}
