import { ArgumentError } from '../../errors.js'
import type { BobyqaOptions } from './bobyqa-options.js'

/**
 * Checks the options and moves the start so that each variable is either on a bound or at least ρ away from it (Powell
 * 2009, section 2): otherwise the first points could not be placed.
 */
export function admissibleStart({
  start,
  lower,
  upper,
  rhoBegin,
  rhoEnd,
  points
}: BobyqaOptions): Float64Array {
  const n = start.length
  if (n < 1 || lower.length !== n || upper.length !== n)
    throw new ArgumentError(
      `BOBYQA was given ${n} variables, ${lower.length} lower and ${upper.length} upper bounds`,
      'Give one lower and one upper bound for each variable.'
    )
  if (!(rhoEnd > 0 && rhoEnd <= rhoBegin && Number.isFinite(rhoBegin)))
    throw new ArgumentError(
      `The trust region cannot go from ${rhoBegin} to ${rhoEnd}`,
      'Give 0 < rhoEnd ≤ rhoBegin.'
    )
  if (points !== undefined && !(points >= n + 2 && points <= ((n + 1) * (n + 2)) / 2))
    throw new ArgumentError(
      `BOBYQA cannot interpolate ${n} variables with ${points} points`,
      `Give between ${n + 2} and ${((n + 1) * (n + 2)) / 2} points; the default is ${2 * n + 1}.`
    )
  return Float64Array.from(start, (x, i) => {
    const [a, b] = [lower[i], upper[i]]
    if (!(b - a >= 2 * rhoBegin) || !Number.isFinite(x))
      throw new ArgumentError(
        `Variable ${i} starts at ${x} between ${a} and ${b}: less than twice the first step of ${rhoBegin}`,
        'Widen the bounds or lower rhoBegin.'
      )
    if (x <= a) return a
    if (x >= b) return b
    if (x < a + rhoBegin) return a + rhoBegin
    if (x > b - rhoBegin) return b - rhoBegin
    return x
  })
}

/** The start and one or two points along each axis: what can be evaluated at once. */
export function axisPoints(
  start: Float64Array,
  lower: ArrayLike<number>,
  upper: ArrayLike<number>,
  rho: number,
  count: number
): Float64Array[] {
  const n = start.length
  const along = (i: number, x: number) => {
    const p = start.slice()
    p[i] = Math.max(lower[i], Math.min(upper[i], x))
    return p
  }
  const out = [start]
  for (let i = 0; i < n && out.length < count; i++)
    out.push(along(i, start[i] === upper[i] ? start[i] - rho : start[i] + rho))
  for (let i = 0; i < n && out.length < count; i++) {
    if (start[i] === lower[i]) out.push(along(i, start[i] + 2 * rho))
    else if (start[i] === upper[i]) out.push(along(i, start[i] - 2 * rho))
    else out.push(along(i, start[i] - rho))
  }
  return out
}

/** Points off the axes, where more than 2n + 1 are asked for: the better steps along two axes put together. */
export function diagonalPoints(
  points: readonly Float64Array[],
  values: readonly number[],
  count: number
): Float64Array[] {
  const start = points[0]
  const n = start.length
  const out: Float64Array[] = []
  const better = (i: number) => points[values[1 + n + i] < values[1 + i] ? 1 + n + i : 1 + i][i]
  for (let apart = 1; apart < n && points.length + out.length < count; apart++)
    for (let i = 0; i + apart < n && points.length + out.length < count; i++) {
      const p = start.slice()
      p[i] = better(i)
      p[i + apart] = better(i + apart)
      out.push(p)
    }
  return out
}
