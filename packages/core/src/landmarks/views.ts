import { ArgumentError } from '../errors.js'
import type { Vec3 } from '../geometry/linear.js'
import { DEGREE } from '../geometry/rotation.js'
import type { View } from '../geometry/view.js'
import type { Random } from '../random/random.js'

/** Evenly spaced samples, both ends included; a single sample is the middle. Radians or mm. */
export interface Axis {
  readonly from: number
  readonly to: number
  readonly count: number
}

/** A grid of C-arm views: the product of its axes. Angles in radians, translations in LPS mm. */
export interface ViewGrid {
  /** About x: cranial/caudal tilt. */
  readonly alpha: Axis
  /** About y: roll. */
  readonly beta: Axis
  /** About z: left/right orbit. */
  readonly gamma: Axis
  readonly x: Axis
  readonly y: Axis
  readonly z: Axis
}

export const VIEW_AXES = ['alpha', 'beta', 'gamma', 'x', 'y', 'z'] as const

const degrees = (half: number, count: number): Axis => ({ from: -half * DEGREE, to: half * DEGREE, count })
const millimetres = (half: number, count: number): Axis => ({ from: -half, to: half, count })
const ZERO: Axis = { from: 0, to: 0, count: 1 }

/** Phase 1 and 2c (paper section 2): 3 × 3 × 6 rotations × 4 × 4 × 4 translations = 3,456 views. */
export const TRAINING_GRID: ViewGrid = {
  alpha: degrees(35, 3),
  beta: degrees(15, 3),
  gamma: degrees(45, 6),
  x: millimetres(15, 4),
  y: millimetres(15, 4),
  z: millimetres(15, 4)
}

/** Phase 2a (paper section 2): 3 × 10 rotations × 3 translations = 90 views. */
export const BACK_PROJECTION_GRID: ViewGrid = {
  alpha: degrees(15, 3),
  beta: ZERO,
  gamma: degrees(40, 10),
  x: ZERO,
  y: ZERO,
  z: millimetres(15, 3)
}

/**
 * Evaluation (paper section 3): γ ±40° in 9, β ±15° in 3, z "top to bottom of the pelvis" in 3 = 81 views.
 * @param z bottom and top of the pelvis relative to the isocentre, mm: see {@link heightRange}
 */
export const evaluationGrid = (z: { readonly from: number; readonly to: number }): ViewGrid => ({
  alpha: ZERO,
  beta: degrees(15, 3),
  gamma: degrees(40, 9),
  x: ZERO,
  y: ZERO,
  z: { from: z.from, to: z.to, count: 3 }
})

/**
 * Lowest and highest of the points relative to the isocentre, along z.
 * @param points landmarks in LPS mm; absent ones are passed over
 * @throws ArgumentError if there is no point.
 */
export function heightRange(points: readonly (Vec3 | null)[], isocenter: Vec3): { from: number; to: number } {
  const z = points.flatMap(p => (p ? [p[2] - isocenter[2]] : []))
  if (z.length === 0)
    throw new ArgumentError(
      'There is no point to take the height of the pelvis from',
      'Give the landmarks of the patient.'
    )
  return { from: Math.min(...z), to: Math.max(...z) }
}

/**
 * The samples of one axis.
 * @throws ArgumentError for a count that is not a positive whole number or an end that is not finite.
 */
export function axisSamples({ from, to, count }: Axis): number[] {
  if (!(Number.isInteger(count) && count > 0 && Number.isFinite(from) && Number.isFinite(to)))
    throw new ArgumentError(
      `A view axis from ${from} to ${to} in ${count} samples is not one`,
      'Give two finite ends and a positive whole number of samples.'
    )
  if (count === 1) return [(from + to) / 2]
  return Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1))
}

/** Every view of a grid; z varies fastest, then y, x, γ, β, α. */
export function gridViews(grid: ViewGrid): View[] {
  const [alphas, betas, gammas, xs, ys, zs] = VIEW_AXES.map(a => axisSamples(grid[a]))
  const views: View[] = []
  for (const alpha of alphas)
    for (const beta of betas)
      for (const gamma of gammas)
        for (const x of xs)
          for (const y of ys) for (const z of zs) views.push({ alpha, beta, gamma, translation: [x, y, z] })
  return views
}

/**
 * A third of the evaluation grid, 27 of 81 views, as a Latin square: every γ meets every z and every β, and
 * every β every z, equally often. So no level of any axis is left out, as a coarser grid would do.
 */
export function latinThird(grid: ViewGrid): View[] {
  const betas = axisSamples(grid.beta)
  const zs = axisSamples(grid.z)
  if (betas.length !== 3 || zs.length !== 3)
    throw new ArgumentError(
      `A Latin third needs 3 samples of β and of z, not ${betas.length} and ${zs.length}`,
      'Use the evaluation grid, or gridViews for another one.'
    )
  const [alpha] = axisSamples({ ...grid.alpha, count: 1 })
  const [x] = axisSamples({ ...grid.x, count: 1 })
  const [y] = axisSamples({ ...grid.y, count: 1 })
  return axisSamples(grid.gamma).flatMap((gamma, g) =>
    zs.map((z, k): View => ({ alpha, beta: betas[(g + k) % 3], gamma, translation: [x, y, z] }))
  )
}

/** A view drawn uniformly from the ranges of a grid (counts do not matter), each widened `widen` times about its middle. */
export function randomView(grid: ViewGrid, random: Random, widen = 1): View {
  const [alpha, beta, gamma, x, y, z] = VIEW_AXES.map(a => {
    const { from, to } = grid[a]
    const half = ((to - from) / 2) * widen
    return (from + to) / 2 + random.uniform(-half, half)
  })
  return { alpha, beta, gamma, translation: [x, y, z] }
}

/** `count` independent draws of {@link randomView}. */
export const randomViews = (grid: ViewGrid, count: number, random: Random, widen = 1): View[] =>
  Array.from({ length: count }, () => randomView(grid, random, widen))

/**
 * Views for evaluating a patient: the paper's whole grid of 81, its Latin third for 27, and for any other count
 * random draws from the same ranges.
 * @param z bottom and top of the pelvis relative to the isocentre, mm: see {@link heightRange}
 */
export function evaluationViews(
  z: { readonly from: number; readonly to: number },
  count: number,
  random: Random
): View[] {
  const grid = evaluationGrid(z)
  if (count === 81) return gridViews(grid)
  if (count === 27) return latinThird(grid)
  return randomViews(grid, count, random)
}
