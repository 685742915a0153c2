import type { Detector } from '../geometry/camera.js'
import {
  centroid,
  type Mat3,
  mulMat3,
  mulMat3Vec3,
  solveSpd,
  sub,
  transpose3,
  type Vec3
} from '../geometry/linear.js'
import { expSO3, viewRotation } from '../geometry/rotation.js'
import { CAMERA_AXES_AT_ZERO } from '../geometry/view.js'
import type { Detection } from './back-projection.js'
import { type DetectionNoise, detectionSigma } from './detection-noise.js'
import type { ShapePrior } from './shape-prior.js'

export interface ShapePoseOptions {
  /** How far one landmark strays from where the modes have it, standard deviation along each axis, mm; one for all or one each. */
  readonly scatterMm: number | readonly number[]
  /** What a confidence says of an error. */
  readonly noise: DetectionNoise
  /** Degrees of freedom of Student's t for the detections' errors: outliers count less; infinite: Gaussian. */
  readonly degreesOfFreedom: number
  /** Distance from the source to the landmarks' middle: mean and standard deviation, mm. */
  readonly distanceMm: readonly [mean: number, sigma: number]
  /** Orbits (γ, radians) from which the pose is sought. */
  readonly orbits: readonly number[]
}

/** One landmark given all detections of a view. */
export interface PosteriorLandmark {
  /** Pixels; outside the image where the landmark is. */
  readonly u: number
  readonly v: number
  /** Standard deviation along an axis of the image (root mean square of both), mm at the mean distance. */
  readonly sigmaMm: number
  /** Distance of the detection from where the landmark is by all together, mm at the mean distance; NaN: not found. */
  readonly residualMm: number
}

/** Detections below this confidence do not help to find a start. */
const START_CONFIDENCE = 0.2
/** Step below which the fit has settled, mm. */
const SETTLED_MM = 1e-5

/** A detection as a ray, and its noise. */
export interface Seen {
  readonly landmark: number
  readonly x: number
  readonly y: number
  readonly sigma: number
  readonly confident: boolean
}

export interface Problem {
  readonly detector: Detector
  readonly centre: Vec3
  readonly arms: readonly Vec3[]
  readonly modes: ShapePrior['modes']
  readonly scatter: readonly number[]
  readonly seen: readonly Seen[]
  readonly nu: number
  readonly distance: readonly [number, number]
}

/** Rotation and place of the landmarks' mean centre in the camera, mode weights. */
export interface State {
  readonly r: Mat3
  readonly t: Vec3
  readonly b: Float64Array
  readonly cost: number
}

export function problemOf(
  prior: ShapePrior,
  detections: readonly Detection[],
  detector: Detector,
  o: ShapePoseOptions
): Problem {
  const centre = centroid(prior.mean)
  const { principalPoint, pixel, sdd } = detector
  return {
    detector,
    centre,
    arms: prior.mean.map(p => sub(p, centre)),
    modes: prior.modes,
    scatter: prior.mean.map((_, i) => (typeof o.scatterMm === 'number' ? o.scatterMm : o.scatterMm[i])),
    seen: detections.flatMap((d, landmark) =>
      Number.isFinite(d.u) && Number.isFinite(d.v)
        ? [
            {
              landmark,
              x: ((d.u - principalPoint[0]) * pixel[0]) / sdd,
              y: ((d.v - principalPoint[1]) * pixel[1]) / sdd,
              sigma: detectionSigma(o.noise, d.confidence),
              confident: d.confidence >= START_CONFIDENCE
            }
          ]
        : []
    ),
    nu: o.degreesOfFreedom,
    distance: o.distanceMm
  }
}

/** The mean shape, seen from an orbit, where most of the detections want it. */
export function startAt(p: Problem, gamma: number): State {
  const r = mulMat3(CAMERA_AXES_AT_ZERO, transpose3(viewRotation(0, 0, gamma)))
  const z = p.distance[0]
  const found = p.seen.filter(s => s.confident)
  const along = (axis: 0 | 1) =>
    median(
      found.map(s => {
        const a = mulMat3Vec3(r, p.arms[s.landmark])
        return (axis === 0 ? s.x : s.y) * (z + a[2]) - a[axis]
      })
    )
  return { r, t: [along(0), along(1), z], b: new Float64Array(p.modes.length), cost: Number.NaN }
}

/** Where landmark `i` is in the camera, mm. */
function inCamera(p: Problem, { r, t, b }: State, i: number): Vec3 {
  let [x, y, z] = p.arms[i]
  for (let k = 0; k < b.length; k++) {
    const m = p.modes[k][i]
    x += b[k] * m[0]
    y += b[k] * m[1]
    z += b[k] * m[2]
  }
  const a = mulMat3Vec3(r, [x, y, z])
  return [a[0] + t[0], a[1] + t[1], a[2] + t[2]]
}

/** Inverse of `σ²·I + s²·J·Jᵀ` with J = (I | −x, −y): xx, xy, yy. */
function information(x: number, y: number, noise: number, scatter: number): Vec3 {
  const s = scatter * scatter
  const xx = noise * noise + s * (1 + x * x)
  const yy = noise * noise + s * (1 + y * y)
  const xy = s * x * y
  const det = xx * yy - xy * xy
  return [yy / det, -xy / det, xx / det]
}

const loss = (d2: number, nu: number) => (Number.isFinite(nu) ? (nu + 2) * Math.log1p(d2 / nu) : d2)
const robustWeight = (d2: number, nu: number) => (Number.isFinite(nu) ? (nu + 2) / (nu + d2) : 1)

/**
 * Residuals are mm at the mean distance, whatever the depth: were their scale to change with it, a fit would gain by moving nearer. So are
 * the covariances, for the same reason.
 */
function residual(p: Problem, state: State, s: Seen, widened: number) {
  const q = inCamera(p, state, s.landmark)
  const info = information(s.x, s.y, s.sigma * widened, p.scatter[s.landmark] * widened)
  const ex = p.distance[0] * (s.x - q[0] / q[2])
  const ey = p.distance[0] * (s.y - q[1] / q[2])
  const d2 = info[0] * ex * ex + 2 * info[1] * ex * ey + info[2] * ey * ey
  return { q, ex, ey, info, d2 }
}

export function costOf(p: Problem, state: State, widened: number): number {
  let cost = ((state.t[2] - p.distance[0]) / p.distance[1]) ** 2
  for (const w of state.b) cost += w * w
  for (const s of p.seen) {
    const { q, d2 } = residual(p, state, s, widened)
    if (!(q[2] > 0)) return Number.POSITIVE_INFINITY
    cost += loss(d2, p.nu)
  }
  return cost / 2
}

/** Derivatives of a landmark's place in the image, mm at the mean distance, by (rotation, translation, weights): two rows. */
function jacobian(p: Problem, { r, t, b }: State, i: number, q: Vec3): [Float64Array, Float64Array] {
  const [x, y] = [q[0] / q[2], q[1] / q[2]]
  const scale = p.distance[0] / q[2]
  const n = 6 + b.length
  const [jx, jy] = [new Float64Array(n), new Float64Array(n)]
  const put = (c: number, d: Vec3) => {
    jx[c] = scale * (d[0] - x * d[2])
    jy[c] = scale * (d[1] - y * d[2])
  }
  const arm = sub(q, t)
  put(0, [0, -arm[2], arm[1]])
  put(1, [arm[2], 0, -arm[0]])
  put(2, [-arm[1], arm[0], 0])
  put(3, [1, 0, 0])
  put(4, [0, 1, 0])
  put(5, [0, 0, 1])
  for (let k = 0; k < b.length; k++) put(6 + k, mulMat3Vec3(r, p.modes[k][i]))
  return [jx, jy]
}

/** Normal equations of pose and weights: prior and detections. */
function linearise(p: Problem, state: State, widened: number) {
  const n = 6 + state.b.length
  const normal = new Float64Array(n * n)
  const gradient = new Float64Array(n)
  for (let k = 6; k < n; k++) {
    normal[k * n + k] = 1
    gradient[k] = state.b[k - 6]
  }
  normal[5 * n + 5] = 1 / p.distance[1] ** 2
  gradient[5] = (state.t[2] - p.distance[0]) / p.distance[1] ** 2
  for (const s of p.seen) {
    const { q, ex, ey, info, d2 } = residual(p, state, s, widened)
    const [jx, jy] = jacobian(p, state, s.landmark, q)
    const w = robustWeight(d2, p.nu)
    const [xx, xy, yy] = [w * info[0], w * info[1], w * info[2]]
    for (let a = 0; a < n; a++) {
      const fx = xx * jx[a] + xy * jy[a]
      const fy = xy * jx[a] + yy * jy[a]
      gradient[a] -= fx * ex + fy * ey
      for (let c = 0; c <= a; c++) normal[a * n + c] += fx * jx[c] + fy * jy[c]
    }
  }
  for (let a = 0; a < n; a++) for (let c = a + 1; c < n; c++) normal[a * n + c] = normal[c * n + a]
  return { normal, gradient }
}

/** Damped Gauss–Newton steps. @param widened factor on all standard deviations of the detections */
export function advance(
  p: Problem,
  from: State,
  widened: number,
  steps: number
): { state: State; moved: number } {
  let state: State = { ...from, cost: costOf(p, from, widened) }
  let lambda = 1e-4
  let moved = Number.POSITIVE_INFINITY
  const n = 6 + from.b.length
  for (let step = 0; step < steps && moved > SETTLED_MM; step++) {
    const { normal, gradient } = linearise(p, state, widened)
    moved = 0
    for (let attempt = 0; attempt < 8; attempt++) {
      const a = normal.slice()
      for (let k = 0; k < n; k++) a[k * n + k] *= 1 + lambda
      const d = solveSpd(
        a,
        gradient.map(g => -g),
        n
      )
      if (d) {
        const next = moveBy(state, d)
        const cost = costOf(p, next, widened)
        if (cost < state.cost) {
          // One radian moves a landmark by about 100 mm, one standard deviation by a few.
          moved = 100 * Math.hypot(d[0], d[1], d[2]) + Math.hypot(...d.subarray(3))
          state = { ...next, cost }
          lambda = Math.max(lambda / 5, 1e-9)
          break
        }
      }
      lambda *= 10
    }
  }
  return { state, moved }
}

const moveBy = ({ r, t, b }: State, d: Float64Array): State => ({
  r: mulMat3(expSO3([d[0], d[1], d[2]]), r),
  t: [t[0] + d[3], t[1] + d[4], t[2] + d[5]],
  b: b.map((w, k) => w + d[6 + k]),
  cost: Number.NaN
})

/**
 * With y = Hθ + d, θ pose and weights, d ~ N(0, S) the landmark's own scatter, and a detection y + n, n ~ N(0, N):
 * E y = Hθ̂ + K·(detection − Hθ̂), K = S·(S + N)⁻¹, and Cov y = (I − K)·S + (I − K)·H·A⁻¹·Hᵀ·(I − K)ᵀ. The noise of an outlier is as large
 * as its robust weight says.
 */
export function posterior(p: Problem, state: State): PosteriorLandmark[] {
  const { normal } = linearise(p, state, 1)
  const n = 6 + state.b.length
  const { sdd, pixel, principalPoint } = p.detector
  return p.arms.map((_, i) => {
    const q = inCamera(p, state, i)
    const [x, y] = [q[0] / q[2], q[1] / q[2]]
    const s2 = p.scatter[i] ** 2
    const own: Sym2 = [s2 * (1 + x * x), s2 * x * y, s2 * (1 + y * y)]
    const [jx, jy] = jacobian(p, state, i, q)
    const [ax, ay] = [solveSpd(normal, jx, n), solveSpd(normal, jy, n)]
    const dotOf = (a: Float64Array | null, j: Float64Array) =>
      a ? a.reduce((sum, v, k) => sum + v * j[k], 0) : Number.POSITIVE_INFINITY
    const others: Sym2 = [dotOf(ax, jx), dotOf(ax, jy), dotOf(ay, jy)]
    const s = p.seen.find(d => d.landmark === i)
    let [dx, dy, residualMm] = [0, 0, Number.NaN]
    // I − K, which is N·(S + N)⁻¹; the identity without a detection.
    let keep: readonly [number, number, number, number] = [1, 0, 0, 1]
    if (s) {
      const { ex, ey, d2 } = residual(p, state, s, 1)
      const noise = s.sigma / Math.sqrt(robustWeight(d2, p.nu))
      const info = information(s.x, s.y, noise, p.scatter[i])
      const n2 = noise * noise
      keep = [n2 * info[0], n2 * info[1], n2 * info[1], n2 * info[2]]
      dx = ex - (keep[0] * ex + keep[1] * ey)
      dy = ey - (keep[2] * ex + keep[3] * ey)
      residualMm = Math.hypot(ex - dx, ey - dy)
    }
    const through = (m: Sym2): number => {
      const top = [keep[0] * m[0] + keep[1] * m[1], keep[0] * m[1] + keep[1] * m[2]]
      const bottom = [keep[2] * m[0] + keep[3] * m[1], keep[2] * m[1] + keep[3] * m[2]]
      return top[0] * keep[0] + top[1] * keep[1] + (bottom[0] * keep[2] + bottom[1] * keep[3])
    }
    const left = keep[0] * own[0] + keep[1] * own[1] + keep[2] * own[1] + keep[3] * own[2]
    return {
      u: principalPoint[0] + ((x + dx / p.distance[0]) * sdd) / pixel[0],
      v: principalPoint[1] + ((y + dy / p.distance[0]) * sdd) / pixel[1],
      sigmaMm: Math.sqrt((left + through(others)) / 2),
      residualMm
    }
  })
}

/** A symmetric 2×2 matrix: xx, xy, yy. */
type Sym2 = readonly [number, number, number]

function median(values: readonly number[]): number {
  const v = Float64Array.from(values).sort()
  const m = v.length >> 1
  return v.length % 2 ? v[m] : (v[m - 1] + v[m]) / 2
}
