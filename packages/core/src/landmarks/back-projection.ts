import { ArgumentError } from '../errors.js'
import { type Camera, type Ray, rayThrough } from '../geometry/camera.js'
import { add, cross, distance, dot, norm, scale, solveSpd, sub, type Vec3 } from '../geometry/linear.js'
import { DEGREE } from '../geometry/rotation.js'

/** Where a landmark was seen in an image: pixels (fractional) and a confidence in [0, 1]. */
export interface Detection {
  readonly u: number
  readonly v: number
  readonly confidence: number
  /** Standard deviation of what the network takes for its place, pixels on an axis; absent where it does not say. */
  readonly spread?: number
}

export interface BackProjectionOptions {
  /** Detections below this confidence are not used. */
  readonly minConfidence: number
  /** τ: two rays that pass further apart than this are no candidate, mm (paper: 6). */
  readonly tauMm: number
  /** Two rays closer to parallel than this are no candidate: their closest points say nothing about depth. Radians. */
  readonly minAngle: number
  /** Least number of rays and of valid pairs for a point. */
  readonly minRays: number
  readonly minPairs: number
  /** A point that a smaller share of its rays passes within τ is dropped: the views do not agree on it. The paper asks for none. */
  readonly minSupport: number
  /**
   * `median`: the paper's, coordinate-wise median of the valid pairs' points. `robust`: the point that minimises the
   * confidence-weighted Cauchy loss of its distances to the rays, sought from the pair's point that most rays agree on
   * (a mode, as the paper's successor clusters: a median may lie between two places that were taken for the landmark).
   */
  readonly method: 'median' | 'robust'
  /** Scale of the Cauchy loss, mm: a ray that far off has half the weight. */
  readonly cauchyMm: number
}

export const BACK_PROJECTION_DEFAULTS: BackProjectionOptions = {
  minConfidence: 0.3,
  tauMm: 6,
  minAngle: 4 * DEGREE,
  minRays: 3,
  minPairs: 3,
  minSupport: 0,
  method: 'median',
  cauchyMm: 4
}

/** p_rays of one landmark and how well the rays agree on it. */
export interface BackProjectedPoint {
  /** LPS mm, or null where the rays do not determine one. */
  readonly point: Vec3 | null
  /** Rays of sufficient confidence. */
  readonly rays: number
  /** Pairs of rays that pass within τ. */
  readonly pairs: number
  /** Median distance of the pairs' points from the point, mm; NaN if there was none. */
  readonly spread: number
  /** Share of the rays that pass the point within τ; NaN if there was none. */
  readonly support: number
  /** Why there is no point. */
  readonly reason?: string
}

/**
 * Phase 2a/2b (paper section 2): one 3D point per landmark from its detections in K views of known geometry.
 *
 * @param detections [K][Ω], the landmarks of each view in the same order
 * @param cameras the K cameras
 * @throws ArgumentError if the numbers of views or landmarks do not agree, or an option is out of range.
 */
export function backProject(
  detections: readonly (readonly Detection[])[],
  cameras: readonly Camera[],
  options: Partial<BackProjectionOptions> = {}
): BackProjectedPoint[] {
  const o = { ...BACK_PROJECTION_DEFAULTS, ...options }
  const count = detections[0]?.length ?? 0
  if (detections.length !== cameras.length || detections.some(d => d.length !== count))
    throw new ArgumentError(
      `${cameras.length} cameras do not fit detections of ${detections.length} views`,
      'Give one camera per view and the same landmarks in every view.'
    )
  if (
    !(o.tauMm > 0 && o.cauchyMm > 0 && o.minAngle > 0 && o.minRays >= 2 && o.minPairs >= 1) ||
    !(o.minSupport >= 0 && o.minSupport <= 1)
  )
    throw new ArgumentError(
      'A back-projection option is out of range',
      'τ, the Cauchy scale and the least angle are positive; at least 2 rays and 1 pair make a point; the least support is a share.'
    )
  return Array.from({ length: count }, (_, k) => {
    const rays: Ray[] = []
    const weights: number[] = []
    detections.forEach((view, i) => {
      const { u, v, confidence } = view[k]
      if (!(confidence >= o.minConfidence && Number.isFinite(u) && Number.isFinite(v))) return
      rays.push(rayThrough(cameras[i], u, v))
      weights.push(confidence)
    })
    return mergeRays(rays, weights, o)
  })
}

/** The point on which most of the rays agree. Weights are used by the robust method only. */
export function mergeRays(
  rays: readonly Ray[],
  weights: readonly number[],
  options: Partial<BackProjectionOptions> = {}
): BackProjectedPoint {
  const o = { ...BACK_PROJECTION_DEFAULTS, ...options }
  const dropped = (pairs: number, reason: string): BackProjectedPoint => ({
    point: null,
    rays: rays.length,
    pairs,
    spread: Number.NaN,
    support: Number.NaN,
    reason
  })
  if (rays.length < o.minRays)
    return dropped(0, `seen in ${rays.length} views, at least ${o.minRays} are needed`)
  const candidates: Vec3[] = []
  for (let i = 0; i < rays.length; i++)
    for (let j = i + 1; j < rays.length; j++) {
      const c = closestPoint(rays[i], rays[j], o.minAngle)
      if (c && c.gap <= o.tauMm) candidates.push(c.point)
    }
  if (candidates.length < o.minPairs)
    return dropped(
      candidates.length,
      `${candidates.length} pairs of ${rays.length} rays pass within ${o.tauMm} mm, at least ${o.minPairs} are needed`
    )
  const centre = medianPoint(candidates)
  const point =
    o.method === 'robust'
      ? robustPoint(
          rays,
          weights,
          agreedPoint(rays, weights, [centre, ...candidates], o.cauchyMm),
          o.cauchyMm
        )
      : centre
  const support = rays.filter(r => distanceToRay(r, point) <= o.tauMm).length / rays.length
  const spread = median(candidates.map(c => distance(c, point)))
  if (support < o.minSupport)
    return {
      ...dropped(
        candidates.length,
        `${Math.round(100 * support)} % of ${rays.length} rays pass within ${o.tauMm} mm of one point, at least ${Math.round(100 * o.minSupport)} % should`
      ),
      spread,
      support
    }
  return { point, rays: rays.length, pairs: candidates.length, spread, support }
}

/** How many of the candidates are tried as a start: enough to meet every cluster that matters. */
const MOST_STARTS = 60

/** The candidate of the least robust loss. */
function agreedPoint(
  rays: readonly Ray[],
  weights: readonly number[],
  candidates: readonly Vec3[],
  c: number
): Vec3 {
  const step = Math.max(1, Math.floor(candidates.length / MOST_STARTS))
  let best = candidates[0]
  let least = Number.POSITIVE_INFINITY
  for (let k = 0; k < candidates.length; k += step) {
    let loss = 0
    for (let i = 0; i < rays.length; i++)
      loss += weights[i] * Math.log1p((distanceToRay(rays[i], candidates[k]) / c) ** 2)
    if (loss < least) {
      least = loss
      best = candidates[k]
    }
  }
  return best
}

/**
 * The point equidistant from two rays and closest to both, and the gap between them there; null if they are
 * within `minAngle` of parallel.
 */
export function closestPoint(a: Ray, b: Ray, minAngle = 0): { point: Vec3; gap: number } | null {
  // |a × b| = sin of the angle, without the cancellation of 1 − (a·b)² for narrow angles.
  const n = cross(a.direction, b.direction)
  const sin2 = dot(n, n)
  if (sin2 === 0 || Math.sqrt(sin2) < Math.sin(minAngle)) return null
  const w = sub(b.origin, a.origin)
  const s = dot(cross(w, b.direction), n) / sin2
  const t = dot(cross(w, a.direction), n) / sin2
  const p = add(a.origin, scale(a.direction, s))
  const q = add(b.origin, scale(b.direction, t))
  return { point: scale(add(p, q), 0.5), gap: distance(p, q) }
}

/** Distance of a point from the line of a ray, mm. */
export const distanceToRay = (r: Ray, p: Vec3): number => norm(cross(sub(p, r.origin), r.direction))

/**
 * Minimises Σ w·c²/2·log(1 + (d/c)²) over the distances d to the rays, by iteratively reweighted least squares.
 * Each step solves Σ w (I − d·dᵀ)(p − origin) = 0.
 */
function robustPoint(rays: readonly Ray[], weights: readonly number[], start: Vec3, c: number): Vec3 {
  let p = start
  for (let step = 0; step < 50; step++) {
    const a = new Float64Array(9)
    const b = new Float64Array(3)
    rays.forEach((r, i) => {
      const w = weights[i] / (1 + (distanceToRay(r, p) / c) ** 2)
      const d = r.direction
      const along = dot(d, r.origin)
      for (let x = 0; x < 3; x++) {
        for (let y = 0; y < 3; y++) a[3 * x + y] += w * ((x === y ? 1 : 0) - d[x] * d[y])
        b[x] += w * (r.origin[x] - d[x] * along)
      }
    })
    const next = solveSpd(a, b, 3)
    if (!next) return p
    const q: Vec3 = [next[0], next[1], next[2]]
    const moved = distance(p, q)
    p = q
    if (moved < 1e-6) break
  }
  return p
}

const medianPoint = (points: readonly Vec3[]): Vec3 => [
  median(points.map(p => p[0])),
  median(points.map(p => p[1])),
  median(points.map(p => p[2]))
]

function median(values: readonly number[]): number {
  const v = Float64Array.from(values).sort()
  const m = v.length >> 1
  return v.length % 2 ? v[m] : (v[m - 1] + v[m]) / 2
}
