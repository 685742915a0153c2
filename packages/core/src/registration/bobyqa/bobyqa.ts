import { ArgumentError } from '../../errors.js'
import type { BobyqaOptions } from './bobyqa-options.js'
import { geometrySteps } from './geometry-step.js'
import { admissibleStart, axisPoints, diagonalPoints } from './initial-points.js'
import {
  createInterpolationSet,
  dotProduct,
  exchangeTerms,
  type InterpolationSet,
  lagrangeFunction,
  leastFrobeniusQuadratic,
  stiffness
} from './interpolation-set.js'
import { type TrustRegionStep, trustRegionStep } from './trust-region-step.js'

export type { BobyqaOptions }

export interface BobyqaResult {
  readonly x: Float64Array
  readonly value: number
  readonly evaluations: number
  /** Why it stopped: radius reached, evaluations used up, or values too noisy or flat to model any further. */
  readonly reason: 'converged' | 'evaluations' | 'precision'
}

/** A run of BOBYQA: yields batches of points to evaluate, takes their values, returns the best. */
export type Bobyqa = Generator<readonly Float64Array[], BobyqaResult, ArrayLike<number>>

interface State {
  points: Float64Array[]
  values: number[]
  best: number
  set: InterpolationSet
  gradient: Float64Array
  hessian: Float64Array
  /** Bounds relative to the best point. */
  low: Float64Array
  high: Float64Array
}

/** The last evaluation was refused or the points no longer determine a model. */
class Stop {
  constructor(readonly reason: BobyqaResult['reason']) {}
}

/**
 * Powell's BOBYQA (The BOBYQA algorithm for bound constrained optimization without derivatives, DAMTP 2009/NA06):
 * minimises a function of a few variables within bounds by quadratic models that interpolate it at 2n + 1 points.
 * The paper's fine registration (section 2.4) uses it.
 *
 * A generator, so that the caller evaluates as it likes, in this thread, on a GPU or in workers: the first batch holds 2n + 1
 * independent points, each later one a single point. See `minimise`.
 * @throws ArgumentError for bounds closer than 2·rhoBegin, a bad number of points, or (on resumption) a value that is not finite
 */
export function* bobyqa(options: BobyqaOptions): Bobyqa {
  const { lower, upper, rhoBegin, rhoEnd, maxEvaluations = Number.POSITIVE_INFINITY } = options
  const start = admissibleStart(options)
  const n = start.length
  let evaluations = 0
  let bestX = start
  let bestValue = Number.POSITIVE_INFINITY

  function* evaluate(batch: Float64Array[]): Generator<readonly Float64Array[], number[], ArrayLike<number>> {
    const room = Math.min(batch.length, maxEvaluations - evaluations)
    if (room < 1) throw new Stop('evaluations')
    const asked = batch.slice(0, room)
    const told = Array.from(yield asked.map(p => p.slice()))
    asked.forEach((p, i) => {
      if (!Number.isFinite(told[i]))
        throw new ArgumentError(
          `The function to be minimised is ${told[i]} at (${Array.from(p).join(', ')})`,
          'Return a finite number for every point within the bounds.'
        )
      if (told[i] < bestValue) {
        bestValue = told[i]
        bestX = p
      }
    })
    evaluations += room
    if (room < batch.length) throw new Stop('evaluations')
    return told
  }

  const finish = (reason: BobyqaResult['reason']): BobyqaResult => ({
    x: bestX.slice(),
    value: bestValue,
    evaluations,
    reason
  })

  try {
    const count = options.points ?? 2 * n + 1
    const points = axisPoints(start, lower, upper, rhoBegin, count)
    const values = yield* evaluate(points)
    if (count > points.length) {
      const more = diagonalPoints(points, values, count)
      values.push(...(yield* evaluate(more)))
      points.push(...more)
    }
    const state = initialState(points, values, lower, upper)

    let rho = rhoBegin
    let delta = rho
    let ratio = 0
    let lastLongStep = evaluations
    // Errors of the model's last three predictions.
    let errors = [0, 0, 0]
    let worseGradients = 0

    /** Evaluates at a step from the best point and takes it in for point `leave(f)`; returns f and the prediction. */
    function* visit(step: Float64Array, leave: (f: number) => number) {
      const at = place(state, step, lower, upper)
      const [f] = yield* evaluate([at])
      const before = state.values[state.best]
      const predicted = modelChange(state, step)
      const error = f - before - predicted
      errors = [Math.abs(error), errors[0], errors[1]]
      exchange(state, leave(f), at, f, error, step, lower, upper)
      return { f, before, predicted }
    }

    for (;;) {
      const trial = trustRegionStep(state, state.low, state.high, delta)
      const length = Math.min(delta, Math.hypot(...trial.step))
      const short = length < 0.5 * rho
      let far: number
      if (short) {
        far = 10 * rho
        if (evaluations > lastLongStep + 2 && isModelGoodEnough(state, trial, rho, Math.max(...errors)))
          far = -1
      } else {
        const terms = exchangeTerms(state.set, state.best, trial.step)
        const leaving = choosePointToLeave(state, terms, delta, null)
        const { f, before, predicted } = yield* visit(trial.step, f => {
          const fBest = state.values[state.best]
          const change = modelChange(state, trial.step)
          if (!(change < 0)) throw new Stop('precision')
          ratio = (f - fBest) / change
          if (ratio <= 0.1) delta = Math.min(0.5 * delta, length)
          else if (ratio <= 0.7) delta = Math.max(0.5 * delta, length)
          else delta = Math.max(0.5 * delta, 2 * length)
          if (delta <= 1.5 * rho) delta = rho
          return f < fBest ? choosePointToLeave(state, terms, delta, trial.step) : leaving
        })
        if (length > rho) lastLongStep = evaluations
        worseGradients = preferLeastFrobenius(state, worseGradients)
        if (f <= before + 0.1 * predicted) continue
        far = Math.max(2 * delta, 10 * rho)
      }

      // Is a point so far away that the model is not to be trusted? Then move it nearer.
      const distances = state.set.steps.map(y => Math.hypot(...y))
      const farthest = distances.indexOf(Math.max(...distances))
      if (far >= 0 && distances[farthest] > far) {
        const distance = distances[farthest]
        if (short) {
          delta = Math.min(0.1 * delta, 0.5 * distance)
          if (delta <= 1.5 * rho) delta = rho
        }
        const radius = Math.max(Math.min(0.1 * distance, delta), rho)
        yield* visit(geometryStep(state, farthest, radius), () => farthest)
        if (length > rho) lastLongStep = evaluations
        continue
      }
      if (!short && (ratio > 0 || Math.max(delta, length) > rho)) continue

      if (rho > rhoEnd) {
        const left = rho / rhoEnd
        delta = 0.5 * rho
        rho = left <= 16 ? rhoEnd : left <= 250 ? Math.sqrt(left) * rhoEnd : 0.1 * rho
        delta = Math.max(delta, rho)
        lastLongStep = evaluations
        continue
      }
      // The last step was too short to be worth a new model, but not to be tried.
      if (short) yield* evaluate([place(state, trial.step, lower, upper)])
      return finish('converged')
    }
  } catch (stop) {
    if (stop instanceof Stop) return finish(stop.reason)
    throw stop
  }
}

function initialState(
  points: Float64Array[],
  values: number[],
  lower: ArrayLike<number>,
  upper: ArrayLike<number>
): State {
  const best = values.indexOf(Math.min(...values))
  const set = createInterpolationSet(points, best)
  if (!set) throw new Stop('precision')
  const { gradient, hessian } = leastFrobeniusQuadratic(
    set,
    values.map(f => f - values[best])
  )
  return { points, values, best, set, gradient, hessian, ...boundsAbout(points[best], lower, upper) }
}

const boundsAbout = (x: Float64Array, lower: ArrayLike<number>, upper: ArrayLike<number>) => ({
  low: x.map((v, i) => lower[i] - v),
  high: x.map((v, i) => upper[i] - v)
})

/** The point at a step from the best one, exactly on the bounds where the step is. */
function place(
  state: State,
  step: Float64Array,
  lower: ArrayLike<number>,
  upper: ArrayLike<number>
): Float64Array {
  const x = state.points[state.best]
  return step.map((d, i) => {
    if (d === state.low[i]) return lower[i]
    if (d === state.high[i]) return upper[i]
    return Math.max(lower[i], Math.min(upper[i], x[i] + d))
  })
}

/** What the model predicts for the change of the function along a step. */
function modelChange({ gradient, hessian }: State, step: Float64Array): number {
  const n = step.length
  let s = dotProduct(gradient, step)
  for (let a = 0; a < n; a++) for (let b = 0; b < n; b++) s += 0.5 * step[a] * hessian[a * n + b] * step[b]
  return s
}

/** Puts a new point in place of another and corrects the model by the error it made there. */
function exchange(
  state: State,
  leaving: number,
  at: Float64Array,
  f: number,
  error: number,
  step: Float64Array,
  lower: ArrayLike<number>,
  upper: ArrayLike<number>
): void {
  const n = at.length
  const improved = f < state.values[state.best]
  state.points[leaving] = at
  state.values[leaving] = f
  if (improved) {
    state.best = leaving
    for (let a = 0; a < n; a++)
      for (let b = 0; b < n; b++) state.gradient[a] += state.hessian[a * n + b] * step[b]
    Object.assign(state, boundsAbout(at, lower, upper))
  }
  const set = createInterpolationSet(state.points, state.best)
  if (!set) throw new Stop('precision')
  state.set = set
  const correction = lagrangeFunction(set, leaving)
  for (let a = 0; a < n; a++) state.gradient[a] += error * correction.gradient[a]
  for (let k = 0; k < n * n; k++) state.hessian[k] += error * correction.hessian[k]
}

/**
 * The point whose replacement keeps the interpolation best conditioned, far ones preferred.
 * @param from step to the new best point, where it has improved; null: the old best point stays and is not replaced
 */
function choosePointToLeave(
  { set, best }: State,
  { lagrange, beta }: { lagrange: Float64Array; beta: number },
  delta: number,
  from: Float64Array | null
): number {
  let chosen = -1
  let largest = 0
  for (let k = 0; k < set.count; k++) {
    if (from === null && k === best) continue
    let d2 = 0
    for (let i = 0; i < set.n; i++) d2 += (set.steps[k][i] - (from ? from[i] : 0)) ** 2
    const weight = Math.max(1, (d2 / (delta * delta)) ** 2)
    const denominator = weight * (beta * stiffness(set, k) + lagrange[k] ** 2)
    if (denominator > largest) {
      largest = denominator
      chosen = k
    }
  }
  if (chosen < 0) throw new Stop('precision')
  return chosen
}

/** The step that moves a far point near without spoiling the interpolation. */
function geometryStep(state: State, index: number, radius: number): Float64Array {
  const { set, best, low, high } = state
  const { line, cauchy, cauchySquare } = geometrySteps(set, best, index, low, high, radius)
  if (!cauchy) return line
  const { lagrange, beta } = exchangeTerms(set, best, line)
  return beta * stiffness(set, index) + lagrange[index] ** 2 < cauchySquare ? cauchy : line
}

/**
 * After a step that is short for this radius: whether the model's recent errors are small against what moves of ρ/2 could
 * still gain, so that the work with this radius is done (Powell 2009, section 6).
 */
function isModelGoodEnough(
  { low, high, hessian }: State,
  { step, gradient, curvature }: TrustRegionStep,
  rho: number,
  error: number
): boolean {
  if (curvature > 0 && error > 0.125 * rho * rho * curvature) return false
  const n = step.length
  const tolerance = error / rho
  for (let i = 0; i < n; i++) {
    let gain = tolerance
    if (step[i] === low[i]) gain = gradient[i]
    if (step[i] === high[i]) gain = -gradient[i]
    if (gain < tolerance && gain + 0.5 * hessian[i * n + i] * rho < tolerance) return false
  }
  return true
}

/**
 * Where the gradient of the least-Frobenius-norm interpolant has been much smaller than the model's three times running,
 * that interpolant becomes the model: the old one carries curvature that is no longer there.
 * @param times running so far
 */
function preferLeastFrobenius(state: State, times: number): number {
  const { set, values, best, gradient, low, high } = state
  const alternative = leastFrobeniusQuadratic(
    set,
    values.map(f => f - values[best])
  )
  const projected2 = (g: Float64Array) =>
    g.reduce((s, x, i) => {
      const c = low[i] === 0 ? Math.min(0, x) : high[i] === 0 ? Math.max(0, x) : x
      return s + c * c
    }, 0)
  if (projected2(gradient) < 10 * projected2(alternative.gradient)) return 0
  if (times + 1 < 3) return times + 1
  state.gradient = alternative.gradient
  state.hessian = alternative.hessian
  return 0
}
