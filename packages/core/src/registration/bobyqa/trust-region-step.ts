import { dotProduct, type Quadratic } from './interpolation-set.js'

export interface TrustRegionStep {
  /** From the best point; exactly on a bound where it ends there. */
  readonly step: Float64Array
  /** Gradient of the model at the end of the step. */
  readonly gradient: Float64Array
  /**
   * Least curvature met along unconstrained search directions; 0 where the step reached the trust region's boundary,
   * −1 where every search ended at a bound.
   */
  readonly curvature: number
}

/** What the two phases of the search share. */
interface Search {
  readonly n: number
  readonly hessian: Float64Array
  readonly low: Float64Array
  readonly high: Float64Array
  readonly step: Float64Array
  readonly gradient: Float64Array
  /** −1 or 1 for a variable fixed at its lower or upper bound. */
  readonly fixed: Int8Array
  /** Squared radius left to the free variables. */
  radius2: number
  /** Reduction of the model so far. */
  reduction: number
  iterations: number
  curvature: number
}

/**
 * Approximate minimiser of the model within a ball and the bounds (Powell 2009, section 3): conjugate gradients,
 * restarted with one variable fewer whenever a bound is met; on the ball's surface, then, rotations in
 * the plane of the step and the gradient.
 * @param low,high bounds relative to the best point (low ≤ 0 ≤ high)
 */
export function trustRegionStep(
  { gradient, hessian }: Quadratic,
  low: Float64Array,
  high: Float64Array,
  radius: number
): TrustRegionStep {
  const n = gradient.length
  const search: Search = {
    n,
    hessian,
    low,
    high,
    step: new Float64Array(n),
    gradient: gradient.slice(),
    fixed: new Int8Array(n),
    radius2: radius * radius,
    reduction: 0,
    iterations: 0,
    curvature: -1
  }
  for (let i = 0; i < n; i++)
    if (low[i] >= 0 && gradient[i] >= 0) search.fixed[i] = -1
    else if (low[i] < 0 && high[i] <= 0 && gradient[i] <= 0) search.fixed[i] = 1
  if (conjugateGradients(search)) {
    search.curvature = 0
    followBoundary(search)
  }
  const { step, fixed } = search
  for (let i = 0; i < n; i++) {
    step[i] = Math.max(low[i], Math.min(high[i], step[i]))
    if (fixed[i] < 0) step[i] = low[i]
    if (fixed[i] > 0) step[i] = high[i]
  }
  return { step, gradient: search.gradient, curvature: search.curvature }
}

/** @returns whether the step has reached the ball's surface */
function conjugateGradients(q: Search): boolean {
  const { n, step, gradient, fixed, low, high } = q
  const s = new Float64Array(n)
  const hs = new Float64Array(n)
  let beta = 0
  let free2 = 0
  let lastIteration = 0
  for (;;) {
    for (let i = 0; i < n; i++) s[i] = fixed[i] ? 0 : (beta === 0 ? 0 : beta * s[i]) - gradient[i]
    const s2 = dotProduct(s, s)
    if (s2 === 0) return false
    if (beta === 0) {
      free2 = s2
      lastIteration = q.iterations + n - countFixed(fixed)
    }
    if (free2 * q.radius2 <= 1e-4 * q.reduction * q.reduction) return false
    multiply(q.hessian, s, hs)
    let rest = q.radius2
    let ds = 0
    for (let i = 0; i < n; i++)
      if (!fixed[i]) {
        rest -= step[i] * step[i]
        ds += s[i] * step[i]
      }
    if (rest <= 0) return true
    const shs = dotProduct(s, hs)
    const root = Math.sqrt(s2 * rest + ds * ds)
    const toBoundary = ds < 0 ? (root - ds) / s2 : rest / (root + ds)
    let length = shs > 0 ? Math.min(toBoundary, free2 / shs) : toBoundary
    let hit = -1
    for (let i = 0; i < n; i++)
      if (s[i] !== 0) {
        const t = ((s[i] > 0 ? high[i] : low[i]) - step[i]) / s[i]
        if (t < length) {
          length = t
          hit = i
        }
      }
    let decrease = 0
    const before = free2
    if (length > 0) {
      q.iterations++
      const curvature = shs / s2
      if (hit < 0 && curvature > 0)
        q.curvature = q.curvature === -1 ? curvature : Math.min(q.curvature, curvature)
      free2 = 0
      for (let i = 0; i < n; i++) {
        gradient[i] += length * hs[i]
        if (!fixed[i]) free2 += gradient[i] * gradient[i]
        step[i] += length * s[i]
      }
      decrease = Math.max(length * (before - 0.5 * length * shs), 0)
      q.reduction += decrease
    }
    if (hit >= 0) {
      fixed[hit] = s[hit] < 0 ? -1 : 1
      q.radius2 -= step[hit] * step[hit]
      if (q.radius2 <= 0) return true
      beta = 0
      continue
    }
    if (length >= toBoundary) return true
    if (q.iterations === lastIteration || decrease <= 0.01 * q.reduction) return false
    beta = free2 / before
    // A gradient of exactly zero ends the search as a restart would.
    if (beta === 0) return false
  }
}

/** Moves along the ball's surface while that pays. */
function followBoundary(q: Search): void {
  const { n, step, gradient, fixed } = q
  const s = new Float64Array(n)
  const hs = new Float64Array(n)
  const hd = new Float64Array(n)
  // Each pass fixes one variable more, or ends.
  while (countFixed(fixed) < n - 1) {
    const reduced = step.map((d, i) => (fixed[i] ? 0 : d))
    multiply(q.hessian, reduced, hd)
    const d2 = dotProduct(reduced, reduced)
    for (;;) {
      const gd = dotProduct(reduced, gradient)
      let g2 = 0
      for (let i = 0; i < n; i++) if (!fixed[i]) g2 += gradient[i] * gradient[i]
      q.iterations++
      const area2 = g2 * d2 - gd * gd
      if (area2 <= 1e-4 * q.reduction * q.reduction) return
      const area = Math.sqrt(area2)
      for (let i = 0; i < n; i++) s[i] = fixed[i] ? 0 : (gd * step[i] - d2 * gradient[i]) / area
      const limit = largestAngle(q, s)
      if (limit === null) break
      multiply(q.hessian, s, hs)
      const arc = bestAngle(
        limit.tangent,
        gd,
        -area,
        dotProduct(s, hs),
        dotProduct(reduced, hs),
        dotProduct(reduced, hd)
      )
      if (!arc) return
      const t2 = arc.tangent * arc.tangent
      const cos = (1 - t2) / (1 + t2)
      const sin = (2 * arc.tangent) / (1 + t2)
      for (let i = 0; i < n; i++) {
        gradient[i] += (cos - 1) * hd[i] + sin * hs[i]
        hd[i] = cos * hd[i] + sin * hs[i]
        if (!fixed[i]) step[i] = reduced[i] = cos * step[i] + sin * s[i]
      }
      q.reduction += arc.decrease
      if (limit.variable >= 0 && arc.atLimit) {
        fixed[limit.variable] = limit.side
        break
      }
      if (arc.decrease <= 0.01 * q.reduction) return
    }
  }
}

/**
 * The tangent of half the largest angle by which the step may turn towards `s` within the bounds, and the variable that
 * limits it. Null where a free variable has reached its bound already: it is fixed there instead.
 */
function largestAngle(
  { n, step, fixed, low, high }: Search,
  s: Float64Array
): { tangent: number; variable: number; side: -1 | 1 } | null {
  let tangent = 1
  let variable = -1
  let side: -1 | 1 = 1
  for (let i = 0; i < n; i++) {
    if (fixed[i]) continue
    const below = step[i] - low[i]
    const above = high[i] - step[i]
    if (below <= 0 || above <= 0) {
      fixed[i] = below <= 0 ? -1 : 1
      return null
    }
    const amplitude2 = step[i] * step[i] + s[i] * s[i]
    const beyondLow = amplitude2 - low[i] * low[i]
    if (beyondLow > 0) {
      const t = Math.sqrt(beyondLow) - s[i]
      if (tangent * t > below) {
        tangent = below / t
        variable = i
        side = -1
      }
    }
    const beyondHigh = amplitude2 - high[i] * high[i]
    if (beyondHigh > 0) {
      const t = Math.sqrt(beyondHigh) + s[i]
      if (tangent * t > above) {
        tangent = above / t
        variable = i
        side = 1
      }
    }
  }
  return { tangent, variable, side }
}

/** The half-angle's tangent in (0, limit] with the greatest reduction, by sampling and one parabola; null if none reduces. */
function bestAngle(
  limit: number,
  gd: number,
  gs: number,
  shs: number,
  dhs: number,
  dhd: number
): { tangent: number; decrease: number; atLimit: boolean } | null {
  const decreaseAt = (t: number) => {
    const sin = (2 * t) / (1 + t * t)
    return sin * (t * gd - gs - 0.5 * sin * (shs + t * (t * dhd - 2 * dhs)))
  }
  const samples = Math.floor(17 * limit + 3.1)
  let best = 0
  let most = 0
  const values = [0]
  for (let i = 1; i <= samples; i++) {
    values.push(decreaseAt((limit * i) / samples))
    if (values[i] > most) {
      most = values[i]
      best = i
    }
  }
  if (best === 0) return null
  let position = best
  if (best < samples) {
    const [previous, next] = [values[best - 1], values[best + 1]]
    position += (0.5 * (next - previous)) / (2 * most - previous - next)
  }
  const tangent = (limit * position) / samples
  const decrease = decreaseAt(tangent)
  return decrease > 0 ? { tangent, decrease, atLimit: best === samples } : null
}

function multiply(a: Float64Array, x: Float64Array, out: Float64Array): void {
  const n = x.length
  for (let r = 0; r < n; r++) {
    let s = 0
    for (let c = 0; c < n; c++) s += a[r * n + c] * x[c]
    out[r] = s
  }
}

function countFixed(fixed: Int8Array): number {
  let k = 0
  for (const f of fixed) if (f) k++
  return k
}
