import {
  cornerness,
  createWasmRenderer,
  DEGREE,
  type Detector,
  PAPER_DETECTOR,
  poseFromView,
  project,
  type Vec3,
  type Volume,
  VolumeError
} from '@raypose/core'
import { type BoneRegion, type BoneRegionOptions, boneRegion, neighboursOf } from './bone-region.js'

export interface PlaceOptions extends BoneRegionOptions {
  readonly count: number
}

/** A point of a bone's surface that can be told from its neighbours. */
export interface PlacedLandmark {
  /** LPS mm. */
  readonly point: Vec3
  /** Share of a ball about it that is not this bone: a half on a flat face, more on a tip or an edge. */
  readonly free: number
  /** How distinct X-rays are where it is projected, as a rank among all surface points: 0 to 1. */
  readonly visibility: number
}

export interface PlacedLandmarks {
  /** The most distinct first, then those far from all before them. */
  readonly landmarks: readonly PlacedLandmark[]
  readonly volumeMm3: number
  /** Candidates on the surface. */
  readonly surfacePoints: number
  /** Least distance of two landmarks, mm. */
  readonly leastDistanceMm: number
}

/** Radius of the ball that tells a tip from a face, mm. */
const BALL_MM = 7
/** A surface this near to the box is where the box cuts, mm. */
const RIM_MM = 3
/** Smoothing of DRRs and half width of the window of the structure tensor, pixels. */
const SMOOTHING = 0.5
const WINDOW = 3
/** Weight of the dullest point against the most distinct one. */
const DULLEST = 0.15
/** Views that a landmark should show in, degrees: the paper's range. */
const VIEWS = [-15, 0, 15].flatMap(alpha => [-40, -20, 0, 20, 40].map(gamma => ({ alpha, gamma })))

/**
 * Places landmarks on a bone that nobody has marked: points of its surface, spread by farthest-point sampling (Gonzalez 1985) that is
 * weighted by how distinct each is — on the bone, by the share of a ball about it that is free (an integral invariant of curvature;
 * Pottmann et al., CAGD 2009), and in X-rays, by the lesser eigenvalue of the structure tensor of DRRs where it is projected (Shi & Tomasi,
 * CVPR 1994), over 15 views.
 * @param volume HU
 * @throws as {@link boneRegion}; VolumeError where the surface has fewer points than wanted
 */
export function placeLandmarks(volume: Volume, o: PlaceOptions): PlacedLandmarks {
  const region = boneRegion(volume, o)
  const points = surfacePoints(region)
  if (points.length < o.count)
    throw new VolumeError(
      `The bone has ${points.length} surface points within the box, fewer than the ${o.count} landmarks wanted`,
      'Give a larger box, or fewer landmarks.'
    )
  const free = freeShares(region, points)
  const places = points.map(n => placeOf(region, n))
  const visibility = ranks(distinctness(volume, places))
  const tips = ranks(free)
  const weight = tips.map((t, i) => DULLEST + ((1 - DULLEST) * (t + visibility[i])) / 2)
  const chosen = spreadByWeight(places, weight, o.count)
  const landmarks = chosen.map(i => ({ point: places[i], free: free[i], visibility: visibility[i] }))
  return {
    landmarks,
    volumeMm3: region.volumeMm3,
    surfacePoints: points.length,
    leastDistanceMm: Math.min(
      ...landmarks.flatMap((a, i) => landmarks.slice(0, i).map(b => gap(a.point, b.point)))
    )
  }
}

const gap = (a: Vec3, b: Vec3): number => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])

function placeOf({ size: [ni, nj], origin, stepMm }: BoneRegion, n: number): Vec3 {
  return [
    origin[0] + (n % ni) * stepMm,
    origin[1] + (Math.floor(n / ni) % nj) * stepMm,
    origin[2] + Math.floor(n / (ni * nj)) * stepMm
  ]
}

/** Voxels of the bone that touch what is no bone, where the box does not cut. */
function surfacePoints({ labels, size, stepMm }: BoneRegion): number[] {
  const each = neighboursOf(size)
  const rim = Math.ceil(RIM_MM / stepMm)
  const [ni, nj, nk] = size
  const found: number[] = []
  for (let n = 0; n < labels.length; n++) {
    if (labels[n] !== 1) continue
    const place = [n % ni, Math.floor(n / ni) % nj, Math.floor(n / (ni * nj))]
    if (place.some((x, k) => x < rim || x >= [ni, nj, nk][k] - rim)) continue
    let bare = false
    let joint = false
    each(n, m => {
      if (labels[m] === 0) bare = true
      if (labels[m] === 2) joint = true
    })
    if (bare && !joint) found.push(n)
  }
  return found
}

function freeShares({ labels, size: [ni, nj, nk], stepMm }: BoneRegion, points: readonly number[]): number[] {
  const reach = Math.floor(BALL_MM / stepMm)
  const ball: [number, number, number][] = []
  for (let k = -reach; k <= reach; k++)
    for (let j = -reach; j <= reach; j++)
      for (let i = -reach; i <= reach; i++) if (Math.hypot(i, j, k) * stepMm <= BALL_MM) ball.push([i, j, k])
  return points.map(n => {
    const [i, j, k] = [n % ni, Math.floor(n / ni) % nj, Math.floor(n / (ni * nj))]
    let free = 0
    for (const [di, dj, dk] of ball) {
      const [x, y, z] = [i + di, j + dj, k + dk]
      const within = x >= 0 && y >= 0 && z >= 0 && x < ni && y < nj && z < nk
      if (!within || labels[(z * nj + y) * ni + x] !== 1) free++
    }
    return free / ball.length
  })
}

/** Mean over the views of the rank of the lesser eigenvalue of the structure tensor at the projection. */
function distinctness(volume: Volume, places: readonly Vec3[]): number[] {
  const centre = [0, 1, 2].map(k => places.reduce((s, p) => s + p[k] / places.length, 0)) as unknown as Vec3
  const detector: Detector = PAPER_DETECTOR
  const renderer = createWasmRenderer(volume)
  const sum = new Float64Array(places.length)
  for (const { alpha, gamma } of VIEWS) {
    const camera = {
      detector,
      cameraFromLps: poseFromView(
        { alpha: alpha * DEGREE, beta: 0, gamma: gamma * DEGREE, translation: [0, 0, 0] },
        centre
      )
    }
    const corner = cornerness(renderer.render(camera), { windowRadius: WINDOW, sigma: SMOOTHING })
    const [w, h] = detector.size
    const values = places.map(p => {
      const { u, v } = project(camera, p)
      const [x, y] = [Math.round(u), Math.round(v)]
      return x >= 0 && y >= 0 && x < w && y < h ? corner(x, y) : 0
    })
    ranks(values).forEach((r, i) => {
      sum[i] += r / VIEWS.length
    })
  }
  renderer.dispose()
  return Array.from(sum)
}

/** Of each value its place in the order of all, 0 to 1. */
function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b])
  const out = new Array<number>(values.length)
  order.forEach((i, place) => {
    out[i] = place / Math.max(1, values.length - 1)
  })
  return out
}

function spreadByWeight(places: readonly Vec3[], weight: readonly number[], count: number): number[] {
  const nearest = new Float64Array(places.length).fill(Number.POSITIVE_INFINITY)
  let next = weight.indexOf(weight.reduce((a, b) => Math.max(a, b), 0))
  const chosen = [next]
  while (chosen.length < count) {
    let best = -1
    for (let i = 0; i < places.length; i++) {
      nearest[i] = Math.min(nearest[i], gap(places[i], places[chosen[chosen.length - 1]]))
      const score = nearest[i] * weight[i]
      if (score > best) {
        best = score
        next = i
      }
    }
    chosen.push(next)
  }
  return chosen
}
