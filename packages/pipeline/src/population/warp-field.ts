import { ArgumentError, solveSpd, type Vec3 } from '@raypose/core'

/**
 * A smooth map of space made of an affine part and, near its control points, a bend that fades away from them: kriging with a Wendland
 * kernel (Wendland, Adv. Comput. Math. 1995; Fornefett, Rohr & Stiehl, Image Vision Comput. 2001), which does not interpolate the
 * control points but comes as near as `noiseMm` says.
 */
export interface Warp {
  /** x, y, z a point. */
  readonly controls: Float64Array
  /** Affine part, 3×4 row-major. */
  readonly affine: Float64Array
  /** x, y, z a control point. */
  readonly coefficients: Float64Array
  readonly radius: number
}

export interface WarpOptions {
  /** How far a control point strays from where it should be, mm. */
  readonly noiseMm: number
  /** How much the bend displaces points, standard deviation, mm. */
  readonly bendMm: number
  /** Distance at which the bend of one control point has faded, mm. */
  readonly radius: number
}

export const WARP_DEFAULTS: WarpOptions = { noiseMm: 1, bendMm: 8, radius: 160 }

/** The warp that takes control points `from` near to `to` (x, y, z each). @throws ArgumentError where the points lie in a plane */
export function fitWarp(from: Float64Array, to: Float64Array, options: WarpOptions = WARP_DEFAULTS): Warp {
  const { noiseMm, bendMm, radius } = options
  const affine = fitAffine(from, to)
  const n = from.length / 3
  const a = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++)
      a[i * n + j] = a[j * n + i] = kernel(
        Math.hypot(
          from[i * 3] - from[j * 3],
          from[i * 3 + 1] - from[j * 3 + 1],
          from[i * 3 + 2] - from[j * 3 + 2]
        ) / radius
      )
    a[i * n + i] += (noiseMm / bendMm) ** 2
  }
  const coefficients = new Float64Array(n * 3)
  const solve = factorised(a, n)
  for (let c = 0; c < 3; c++) {
    const r = new Float64Array(n)
    for (let i = 0; i < n; i++)
      r[i] =
        to[i * 3 + c] -
        (affine[c * 4] * from[i * 3] +
          affine[c * 4 + 1] * from[i * 3 + 1] +
          affine[c * 4 + 2] * from[i * 3 + 2] +
          affine[c * 4 + 3])
    const x = solve(r)
    for (let i = 0; i < n; i++) coefficients[i * 3 + c] = x[i]
  }
  return { controls: from.slice(), affine, coefficients, radius }
}

/** Wendland's C² function: positive definite in 3D, 0 from 1 on. */
const kernel = (r: number): number => (r >= 1 ? 0 : (1 - r) ** 4 * (4 * r + 1))

/** Where the warp takes points (x, y, z each), in place. */
export function warpPoints(w: Warp, points: Float64Array): Float64Array {
  const n = w.controls.length / 3
  const { controls, coefficients, affine } = w
  const r2 = w.radius ** 2
  for (let p = 0; p < points.length; p += 3) {
    const [x, y, z] = [points[p], points[p + 1], points[p + 2]]
    let [dx, dy, dz] = [0, 0, 0]
    for (let i = 0; i < n; i++) {
      const d2 = (x - controls[i * 3]) ** 2 + (y - controls[i * 3 + 1]) ** 2 + (z - controls[i * 3 + 2]) ** 2
      if (d2 >= r2) continue
      const r = Math.sqrt(d2) / w.radius
      const u = (1 - r) * (1 - r)
      const k = u * u * (4 * r + 1)
      dx += k * coefficients[i * 3]
      dy += k * coefficients[i * 3 + 1]
      dz += k * coefficients[i * 3 + 2]
    }
    points[p] = affine[0] * x + affine[1] * y + affine[2] * z + affine[3] + dx
    points[p + 1] = affine[4] * x + affine[5] * y + affine[6] * z + affine[7] + dy
    points[p + 2] = affine[8] * x + affine[9] * y + affine[10] * z + affine[11] + dz
  }
  return points
}

/** A warp's values on a regular LPS grid: x, y, z a node, i fastest. */
export interface WarpGrid {
  readonly size: Vec3
  readonly spacing: number
  readonly origin: Vec3
  readonly values: Float64Array
}

export function sampleWarp(w: Warp, grid: Omit<WarpGrid, 'values'>): WarpGrid {
  const [ni, nj, nk] = grid.size
  const values = new Float64Array(ni * nj * nk * 3)
  let o = 0
  for (let k = 0; k < nk; k++)
    for (let j = 0; j < nj; j++)
      for (let i = 0; i < ni; i++) {
        values[o++] = grid.origin[0] + i * grid.spacing
        values[o++] = grid.origin[1] + j * grid.spacing
        values[o++] = grid.origin[2] + k * grid.spacing
      }
  warpPoints(w, values)
  return { ...grid, values }
}

/** Least and largest determinant of the warp's Jacobian over the cells of the grid: 0 or less means that it folds. */
export function jacobianRange(g: WarpGrid): { least: number; most: number } {
  const [ni, nj, nk] = g.size
  const v = g.values
  let least = Number.POSITIVE_INFINITY
  let most = Number.NEGATIVE_INFINITY
  const [di, dj, dk] = [3, ni * 3, ni * nj * 3]
  for (let k = 0; k < nk - 1; k++)
    for (let j = 0; j < nj - 1; j++)
      for (let i = 0; i < ni - 1; i++) {
        const o = (k * nj + j) * ni * 3 + i * 3
        const a = [v[o + di] - v[o], v[o + di + 1] - v[o + 1], v[o + di + 2] - v[o + 2]]
        const b = [v[o + dj] - v[o], v[o + dj + 1] - v[o + 1], v[o + dj + 2] - v[o + 2]]
        const c = [v[o + dk] - v[o], v[o + dk + 1] - v[o + 1], v[o + dk + 2] - v[o + 2]]
        const det =
          (a[0] * (b[1] * c[2] - b[2] * c[1]) -
            a[1] * (b[0] * c[2] - b[2] * c[0]) +
            a[2] * (b[0] * c[1] - b[1] * c[0])) /
          g.spacing ** 3
        if (det < least) least = det
        if (det > most) most = det
      }
  return { least, most }
}

/** Least squares; 3×4 row-major. */
function fitAffine(from: Float64Array, to: Float64Array): Float64Array {
  const a = new Float64Array(16)
  const r = [0, 1, 2].map(() => new Float64Array(4))
  for (let i = 0; i < from.length; i += 3) {
    const row = [from[i], from[i + 1], from[i + 2], 1]
    for (let p = 0; p < 4; p++) {
      for (let q = 0; q < 4; q++) a[p * 4 + q] += row[p] * row[q]
      for (let c = 0; c < 3; c++) r[c][p] += row[p] * to[i + c]
    }
  }
  const out = new Float64Array(12)
  for (let c = 0; c < 3; c++) {
    const x = solveSpd(a, r[c], 4)
    if (!x)
      throw new ArgumentError(
        'The control points of the warp lie in one plane',
        'Give an atlas of surfaces that enclose something.'
      )
    out.set(x, c * 4)
  }
  return out
}

/** Cholesky factor of a matrix that is positive definite, for several right-hand sides; `a` is overwritten. */
function factorised(a: Float64Array, n: number): (b: Float64Array) => Float64Array {
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let s = a[i * n + j]
      for (let k = 0; k < j; k++) s -= a[i * n + k] * a[j * n + k]
      a[i * n + j] = i === j ? Math.sqrt(Math.max(s, 1e-12)) : s / a[j * n + j]
    }
  return b => {
    const x = b.slice()
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < i; k++) x[i] -= a[i * n + k] * x[k]
      x[i] /= a[i * n + i]
    }
    for (let i = n - 1; i >= 0; i--) {
      for (let k = i + 1; k < n; k++) x[i] -= a[k * n + i] * x[k]
      x[i] /= a[i * n + i]
    }
    return x
  }
}
