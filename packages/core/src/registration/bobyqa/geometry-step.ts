import { dotProduct, type InterpolationSet, lagrangeFunction, stiffness } from './interpolation-set.js'

/** Two candidate steps from the best point that keep the interpolation well posed when a point moves there. */
export interface GeometrySteps {
  /** Along a line through the best point and another point. */
  readonly line: Float64Array
  /** Along the Lagrange function's own (projected) gradient; null where that vanishes. */
  readonly cauchy: Float64Array | null
  /** The squared value of the Lagrange function at the end of `cauchy`. */
  readonly cauchySquare: number
}

const clamp = (x: number, low: number, high: number) => Math.max(low, Math.min(high, x))

/**
 * Where to move point `index` so that its Lagrange function is large, within a ball and the bounds (Powell 2009,
 * section 4, ALTMOV).
 * @param best index of the best point
 * @param low,high bounds relative to the best point
 */
export function geometrySteps(
  set: InterpolationSet,
  best: number,
  index: number,
  low: Float64Array,
  high: Float64Array,
  radius: number
): GeometrySteps {
  const { gradient, hessian } = lagrangeFunction(set, index)
  const line = lineStep(set, best, index, gradient, low, high, radius)
  const down = cauchyStep(gradient, hessian, low, high, radius, 1)
  const up = cauchyStep(gradient, hessian, low, high, radius, -1)
  const cauchy = !down || (up && up.square >= down.square) ? up : down
  return { line, cauchy: cauchy?.step ?? null, cauchySquare: cauchy?.square ?? 0 }
}

/** The step along one of the lines through the best point for which the predicted denominator is largest. */
function lineStep(
  set: InterpolationSet,
  best: number,
  index: number,
  gradient: Float64Array,
  low: Float64Array,
  high: Float64Array,
  radius: number
): Float64Array {
  const half = 0.5 * stiffness(set, index)
  let largest = -1
  let chosen = new Float64Array(set.n)
  for (let k = 0; k < set.count; k++) {
    if (k === best) continue
    const y = set.steps[k]
    const y2 = dotProduct(y, y)
    const slope = dotProduct(gradient, y)
    const range = lineRange(y, Math.sqrt(y2), low, high, radius)
    // Along the line the function is t·(slope − t·bend); it is 0 at t = 0, and 0 or 1 at the other point (t = 1).
    const bend = k === index ? slope - 1 : slope
    const at = (t: number) => t * (slope - t * bend)
    let t = range.least.t
    let bound = range.least.bound
    if (Math.abs(at(range.most.t)) > Math.abs(at(t))) {
      t = range.most.t
      bound = range.most.bound
    }
    const vertex = slope / (2 * bend)
    if (vertex > range.least.t && vertex < range.most.t && Math.abs(at(vertex)) > Math.abs(at(t))) {
      t = vertex
      bound = -1
    }
    const value = at(t) ** 2
    const denominator = value * (value + half * (t * (1 - t) * y2) ** 2)
    if (denominator > largest) {
      largest = denominator
      chosen = y.map((x, i) => clamp(t * x, low[i], high[i]))
      if (bound >= 0) chosen[bound] = t * y[bound] < 0 ? low[bound] : high[bound]
    }
  }
  return chosen
}

interface LineEnd {
  t: number
  /** The variable whose bound ends the line there; −1 for the ball's surface. */
  bound: number
}

/** How far one may go along ±y. In the direction of the point itself the bounds never take less than min(1, ball). */
function lineRange(
  y: Float64Array,
  length: number,
  low: Float64Array,
  high: Float64Array,
  radius: number
): { least: LineEnd; most: LineEnd } {
  const most: LineEnd = { t: radius / length, bound: -1 }
  const least: LineEnd = { t: -radius / length, bound: -1 }
  const sure = Math.min(1, most.t)
  for (let i = 0; i < y.length; i++) {
    if (y[i] === 0) continue
    const forward = (y[i] > 0 ? high[i] : low[i]) / y[i]
    const backward = (y[i] > 0 ? low[i] : high[i]) / y[i]
    if (backward > least.t) {
      least.t = backward
      least.bound = i
    }
    if (forward < most.t) {
      most.t = Math.max(sure, forward)
      most.bound = i
    }
  }
  return { least, most }
}

/**
 * The constrained Cauchy step of sign · function: down its gradient, variables being fixed at bounds as these are met.
 * @returns null where no free component of the gradient is left
 */
function cauchyStep(
  gradientUp: Float64Array,
  hessian: Float64Array,
  low: Float64Array,
  high: Float64Array,
  radius: number,
  sign: 1 | -1
): { step: Float64Array; square: number } | null {
  const n = gradientUp.length
  const g = gradientUp.map(x => sign * x)
  const step = new Float64Array(n)
  const free = Array.from(g, (x, i) => Math.min(-low[i], x) > 0 || Math.max(-high[i], x) < 0)
  let free2 = g.reduce((s, x, i) => (free[i] ? s + x * x : s), 0)
  if (free2 === 0) return null
  let fixed2 = 0
  let length = 0
  for (;;) {
    const rest = radius * radius - fixed2
    if (rest <= 0) break
    length = Math.sqrt(rest / free2)
    const before = fixed2
    free2 = 0
    for (let i = 0; i < n; i++) {
      if (!free[i]) continue
      const t = -length * g[i]
      if (t <= low[i] || t >= high[i]) {
        step[i] = t <= low[i] ? low[i] : high[i]
        free[i] = false
        fixed2 += step[i] * step[i]
      } else free2 += g[i] * g[i]
    }
    if (fixed2 === before || free2 === 0) break
  }
  for (let i = 0; i < n; i++) if (free[i]) step[i] = clamp(-length * g[i], low[i], high[i])
  const slope = dotProduct(g, step)
  let curvature = 0
  for (let a = 0; a < n; a++)
    for (let b = 0; b < n; b++) curvature += sign * hessian[a * n + b] * step[a] * step[b]
  // A shorter step is better where the function turns round before the end and is larger there in size.
  if (curvature > -slope && curvature < -(1 + Math.SQRT2) * slope) {
    const shorter = -slope / curvature
    return {
      step: step.map((x, i) => clamp(shorter * x, low[i], high[i])),
      square: (0.5 * slope * shorter) ** 2
    }
  }
  return { step, square: (slope + 0.5 * curvature) ** 2 }
}
