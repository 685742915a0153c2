import { centroid, IDENTITY3, indexToLps, type Vec3, type Volume } from '@raypose/core'
import { indexFromLps } from './sampler.js'
import { laidOnto, type Shape, type SurfaceModel, shapeLandmarks } from './surface-model.js'
import {
  fitWarp,
  jacobianRange,
  sampleWarp,
  WARP_DEFAULTS,
  type Warp,
  type WarpGrid,
  type WarpOptions,
  warpPoints
} from './warp-field.js'

/** A CT bent to another shape. */
export interface WarpedCt {
  readonly ct: Volume<Int16Array>
  /** The shape that its bones have, LPS mm: the target's, smoothed by the warp. */
  readonly shape: Shape
  readonly landmarks: readonly Vec3[]
  /** Distance of the target's vertices to where the warp put them, mm. */
  readonly residual: { readonly medianMm: number; readonly p95Mm: number }
  /** Least and largest local change of volume. */
  readonly volumeChange: { readonly least: number; readonly most: number }
}

export interface CtWarpOptions {
  /** Voxel size, mm (default 1.5). */
  readonly spacing?: number
  /** How much of the CT is kept to each side of the landmarks' mean, along x, y, z, mm (default: what a C-arm's rays meet). */
  readonly reach?: Vec3
  readonly warp?: Partial<WarpOptions>
  readonly controls?: number
}

const REACH: Vec3 = [260, 230, 260]
const CONTROLS = 700
/** Spacing of the grid on which the warp is computed; between, it is taken as trilinear. */
const COARSE_MM = 8
const AIR_HU = -1000

/** A cell may not shrink to less than this share of its volume. */
const LEAST_VOLUME = 0.2
const MOST_VOLUME = 4

/**
 * Bends a CT so that its bones take another shape: a smooth warp by the correspondences of the surfaces, made smoother until it folds
 * nowhere. Air outside the CT.
 * @param source the CT's own shape, LPS mm, see `fitSurfacesToCt`
 * @param target the shape wanted, in any frame: it is laid onto the CT's rigidly
 */
export function warpCt(
  model: Pick<SurfaceModel, 'landmarks'>,
  volume: Volume,
  source: Shape,
  target: Shape,
  options: CtWarpOptions = {}
): WarpedCt {
  const wanted = laidOnto(target, source)
  const chosen = spreadPoints(wanted, options.controls ?? CONTROLS)
  const centre = centroid(shapeLandmarks(model, wanted))
  const spacing = options.spacing ?? 1.5
  const reach = options.reach ?? REACH
  let warpOptions = { ...WARP_DEFAULTS, ...options.warp }
  for (;;) {
    const warp = fitWarp(picked(wanted, chosen), picked(source, chosen), warpOptions)
    const grid = outputGrid(volume, warp, centre, reach, spacing)
    const coarse = sampleWarp(warp, coarseGrid(grid))
    const volumeChange = jacobianRange(coarse)
    if (
      !(volumeChange.least > LEAST_VOLUME && volumeChange.most < MOST_VOLUME) &&
      warpOptions.noiseMm < 100
    ) {
      warpOptions = { ...warpOptions, noiseMm: warpOptions.noiseMm * 1.5 }
      continue
    }
    const shape = pulledBack(warp, wanted, source)
    return {
      ct: resample(volume, coarse, grid),
      shape,
      landmarks: shapeLandmarks(model, shape),
      residual: distances(shape, wanted),
      volumeChange
    }
  }
}

/**
 * Where the source's vertices lie in the warped CT, that is, the warp inverted at them: the bones there are the source's own, moved,
 * and miss the wanted shape by what the warp smooths away. Fixed-point iteration from the wanted shape, which is near.
 */
function pulledBack(warp: Warp, wanted: Shape, source: Shape): Shape {
  const linear = [0, 1, 2].map(r => [0, 1, 2].map(c => warp.affine[r * 4 + c]))
  const out = wanted.slice()
  for (let round = 0; round < 8; round++) {
    const there = warpPoints(warp, out.slice())
    for (let i = 0; i < out.length; i += 3) {
      const d = solve3(linear, [
        source[i] - there[i],
        source[i + 1] - there[i + 1],
        source[i + 2] - there[i + 2]
      ])
      for (let k = 0; k < 3; k++) out[i + k] += d[k]
    }
  }
  return out
}

function solve3(m: readonly number[][], b: Vec3): Vec3 {
  const det = (a: readonly number[], p: readonly number[], q: readonly number[]) =>
    a[0] * (p[1] * q[2] - p[2] * q[1]) -
    a[1] * (p[0] * q[2] - p[2] * q[0]) +
    a[2] * (p[0] * q[1] - p[1] * q[0])
  const columns = [0, 1, 2].map(c => m.map(row => row[c]))
  const all = det(columns[0], columns[1], columns[2])
  return [
    det(b, columns[1], columns[2]) / all,
    det(columns[0], b, columns[2]) / all,
    det(columns[0], columns[1], b) / all
  ]
}

function distances(a: Shape, b: Shape): WarpedCt['residual'] {
  const d = Float64Array.from({ length: a.length / 3 }, (_, i) =>
    Math.hypot(a[i * 3] - b[i * 3], a[i * 3 + 1] - b[i * 3 + 1], a[i * 3 + 2] - b[i * 3 + 2])
  ).sort()
  return { medianMm: d[Math.floor(d.length / 2)], p95Mm: d[Math.floor(d.length * 0.95)] }
}

/** Vertices spread evenly: each the farthest from those before it. */
export function spreadPoints(points: Float64Array, count: number): Int32Array {
  const n = points.length / 3
  const chosen = new Int32Array(Math.min(count, n))
  const nearest = new Float64Array(n).fill(Number.POSITIVE_INFINITY)
  for (let c = 1; c < chosen.length; c++) {
    const p = chosen[c - 1] * 3
    let far = 0
    for (let i = 0; i < n; i++) {
      const d =
        (points[i * 3] - points[p]) ** 2 +
        (points[i * 3 + 1] - points[p + 1]) ** 2 +
        (points[i * 3 + 2] - points[p + 2]) ** 2
      if (d < nearest[i]) nearest[i] = d
      if (nearest[i] > nearest[far]) far = i
    }
    chosen[c] = far
  }
  return chosen
}

const picked = (shape: Shape, which: Int32Array): Float64Array => {
  const out = new Float64Array(which.length * 3)
  which.forEach((v, i) => out.set(shape.subarray(v * 3, v * 3 + 3), i * 3))
  return out
}

interface OutputGrid {
  readonly size: Vec3
  readonly spacing: number
  readonly origin: Vec3
}

/** The box of the bent CT (its corners taken through the affine part), within reach of the centre. */
function outputGrid(v: Volume, warp: Warp, centre: Vec3, reach: Vec3, spacing: number): OutputGrid {
  const linear = [0, 1, 2].map(r => [0, 1, 2].map(c => warp.affine[r * 4 + c]))
  const low = [Infinity, Infinity, Infinity]
  const high = [-Infinity, -Infinity, -Infinity]
  for (let corner = 0; corner < 8; corner++) {
    const p = indexToLps(v, [0, 1, 2].map(a => ((corner >> a) & 1 ? v.size[a] - 1 : 0)) as unknown as Vec3)
    const q = solve3(linear, [p[0] - warp.affine[3], p[1] - warp.affine[7], p[2] - warp.affine[11]])
    for (let k = 0; k < 3; k++) {
      low[k] = Math.min(low[k], q[k])
      high[k] = Math.max(high[k], q[k])
    }
  }
  const from = low.map((x, k) => Math.max(x, centre[k] - reach[k]))
  const to = high.map((x, k) => Math.min(x, centre[k] + reach[k]))
  return {
    size: from.map((x, k) => Math.max(1, Math.floor((to[k] - x) / spacing) + 1)) as unknown as Vec3,
    spacing,
    origin: from as unknown as Vec3
  }
}

const coarseGrid = (g: OutputGrid): OutputGrid => ({
  size: g.size.map(n => Math.ceil(((n - 1) * g.spacing) / COARSE_MM) + 2) as unknown as Vec3,
  spacing: COARSE_MM,
  origin: g.origin
})

function resample(v: Volume, coarse: WarpGrid, grid: OutputGrid): Volume<Int16Array> {
  const [ni, nj, nk] = grid.size
  const [ci, cj] = coarse.size
  const m = indexFromLps(v)
  // The warp in indices of the source: linear, so interpolation between the nodes stays what it is.
  const nodes = new Float64Array(coarse.values.length)
  for (let o = 0; o < nodes.length; o += 3)
    for (let r = 0; r < 3; r++)
      nodes[o + r] =
        m[r * 4] * coarse.values[o] +
        m[r * 4 + 1] * coarse.values[o + 1] +
        m[r * 4 + 2] * coarse.values[o + 2] +
        m[r * 4 + 3]
  const [si, sj, sk] = v.size
  const d = v.data
  const ratio = grid.spacing / COARSE_MM
  const out = new Int16Array(ni * nj * nk).fill(AIR_HU)
  const row = new Float64Array(ci * 3)
  const [stepJ, stepK] = [si, si * sj]
  for (let k = 0; k < nk; k++) {
    const k0 = Math.floor(k * ratio)
    const fk = k * ratio - k0
    for (let j = 0; j < nj; j++) {
      const j0 = Math.floor(j * ratio)
      const fj = j * ratio - j0
      const a = (k0 * cj + j0) * ci * 3
      const [b, c] = [a + ci * 3, a + ci * cj * 3]
      for (let t = 0; t < ci * 3; t++) {
        const p = nodes[a + t] + fj * (nodes[b + t] - nodes[a + t])
        const q = nodes[c + t] + fj * (nodes[c + ci * 3 + t] - nodes[c + t])
        row[t] = p + fk * (q - p)
      }
      const o = (k * nj + j) * ni
      for (let i = 0; i < ni; i++) {
        const i0 = Math.floor(i * ratio)
        const fi = i * ratio - i0
        const t = i0 * 3
        const x = row[t] + fi * (row[t + 3] - row[t])
        const y = row[t + 1] + fi * (row[t + 4] - row[t + 1])
        const z = row[t + 2] + fi * (row[t + 5] - row[t + 2])
        if (!(x >= 0 && y >= 0 && z >= 0 && x < si - 1 && y < sj - 1 && z < sk - 1)) continue
        const [xi, yi, zi] = [x | 0, y | 0, z | 0]
        const [fx, fy, fz] = [x - xi, y - yi, z - zi]
        const s = zi * stepK + yi * stepJ + xi
        const u = s + stepK
        const e = d[s] + fx * (d[s + 1] - d[s])
        const f = d[s + stepJ] + fx * (d[s + stepJ + 1] - d[s + stepJ])
        const g = d[u] + fx * (d[u + 1] - d[u])
        const h = d[u + stepJ] + fx * (d[u + stepJ + 1] - d[u + stepJ])
        const ef = e + fy * (f - e)
        out[o + i] = Math.round(ef + fz * (g + fy * (h - g) - ef))
      }
    }
  }
  return {
    size: grid.size,
    spacing: [grid.spacing, grid.spacing, grid.spacing],
    origin: grid.origin,
    direction: IDENTITY3,
    data: out
  }
}
