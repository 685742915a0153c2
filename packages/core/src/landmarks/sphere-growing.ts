import { distance, type Vec3 } from '../geometry/linear.js'

/** Points sorted into cubic cells, for nearest-point queries by growing spheres. */
export interface PointCells {
  /** LPS mm, x y z of each point. */
  readonly points: Float32Array
  readonly cellMm: number
  readonly low: Vec3
  readonly size: Vec3
  /** Points of cell c: order[first[c]] … order[first[c + 1] − 1]. */
  readonly first: Int32Array
  readonly order: Int32Array
}

/** A point of a surface and how far it is. */
export interface NearestPoint {
  readonly point: Vec3
  /** Position in the surface's points. */
  readonly index: number
  readonly distance: number
}

/** Cells per point at most: where points are so sparse that `cellMm` would give more, cells are larger. */
const CELLS_PER_POINT = 16

/** Sorts points (x y z of each, mm) into cells of `cellMm` or larger. */
export function pointCells(points: Float32Array, cellMm = 4): PointCells {
  const low = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  const high = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let i = 0; i < points.length; i++) {
    low[i % 3] = Math.min(low[i % 3], points[i])
    high[i % 3] = Math.max(high[i % 3], points[i])
  }
  const count = points.length / 3
  const cellsAlong = (cell: number) => high.map((h, a) => (count ? Math.floor((h - low[a]) / cell) + 1 : 0))
  let size = cellsAlong(cellMm)
  while (size[0] * size[1] * size[2] > CELLS_PER_POINT * count) size = cellsAlong((cellMm *= 2))
  const cellOf = (i: number) => {
    const [x, y, z] = [0, 1, 2].map(a => Math.floor((points[3 * i + a] - low[a]) / cellMm))
    return (z * size[1] + y) * size[0] + x
  }
  const first = new Int32Array(size[0] * size[1] * size[2] + 1)
  for (let i = 0; i < count; i++) first[cellOf(i) + 1]++
  for (let c = 1; c < first.length; c++) first[c] += first[c - 1]
  const next = first.slice()
  const order = new Int32Array(count)
  for (let i = 0; i < count; i++) order[next[cellOf(i)]++] = i
  return {
    points,
    cellMm,
    low: [low[0], low[1], low[2]],
    size: [size[0], size[1], size[2]],
    first,
    order
  }
}

/**
 * The nearest of the points to `p`, by growing the searched neighbourhood until no point outside it can be nearer
 * (paper section 2, phase 2b); null if none lies within `maxRadiusMm`.
 */
export function nearestPoint(
  cells: PointCells,
  p: Vec3,
  maxRadiusMm = Number.POSITIVE_INFINITY
): NearestPoint | null {
  const { points, cellMm, low, size, first, order } = cells
  if (order.length === 0 || !p.every(Number.isFinite)) return null
  const home = [0, 1, 2].map(a => Math.floor((p[a] - low[a]) / cellMm))
  // Shells of cells at Chebyshev distance r from the home cell; those before `start` miss the box of the points.
  const start = Math.max(0, ...home.map((h, a) => Math.max(-h, h - (size[a] - 1))))
  const end = Math.max(...home.map((h, a) => Math.max(h, size[a] - 1 - h)))
  let best = -1
  let least = maxRadiusMm
  for (let r = start; r <= end; r++) {
    // Every point in a shell r is further than (r − 1) cells away.
    if ((r - 1) * cellMm > least) break
    const from = home.map(h => Math.max(0, h - r))
    const to = home.map((h, a) => Math.min(size[a] - 1, h + r))
    for (let z = from[2]; z <= to[2]; z++)
      for (let y = from[1]; y <= to[1]; y++) {
        const wholeRow = Math.abs(z - home[2]) === r || Math.abs(y - home[1]) === r
        for (let x = from[0]; x <= to[0]; x++) {
          // Inside the shell only its two ends along x are new.
          if (!wholeRow && Math.abs(x - home[0]) !== r) {
            x = Math.max(x, home[0] + r - 1)
            continue
          }
          const c = (z * size[1] + y) * size[0] + x
          for (let i = first[c]; i < first[c + 1]; i++) {
            const k = order[i]
            const d = Math.hypot(points[3 * k] - p[0], points[3 * k + 1] - p[1], points[3 * k + 2] - p[2])
            if (d < least || (d === least && best < 0)) {
              least = d
              best = k
            }
          }
        }
      }
  }
  if (best < 0) return null
  const point: Vec3 = [points[3 * best], points[3 * best + 1], points[3 * best + 2]]
  return { point, index: best, distance: distance(point, p) }
}
