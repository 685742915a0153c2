import { ArgumentError } from '../errors.js'
import type { Vec2 } from '../geometry/linear.js'

/** The cells of a heat map over an image: cell (i, j) is centred on pixel (stride·i + (stride − 1)/2, …). */
export interface HeatMapGrid {
  readonly columns: number
  readonly rows: number
  /** Image pixels per cell. */
  readonly stride: number
}

/** Heat-map cells for a network input of `size` pixels. @throws ArgumentError if the stride does not divide it. */
export function heatMapGrid(size: Vec2, stride = 4): HeatMapGrid {
  const columns = size[0] / stride
  const rows = size[1] / stride
  if (!(Number.isInteger(columns) && Number.isInteger(rows) && columns > 0 && rows > 0))
    throw new ArgumentError(
      `An input of ${size.join(' × ')} pixels cannot be divided into cells of ${stride}`,
      'Pad the input to a multiple of the output stride.'
    )
  return { columns, rows, stride }
}

/** Image column (or row) at the centre of cell column (or row) `i`. */
export const cellCentre = (stride: number, i: number): number => stride * i + (stride - 1) / 2

export interface SoftTargetOptions {
  readonly grid: HeatMapGrid
  /** Size of the image before padding, pixels: a landmark beyond it is absent. */
  readonly imageSize: Vec2
  /** Standard deviation of the Gaussian on the detector, mm. */
  readonly sigmaMm: number
  /** Pixel size on the detector, mm. */
  readonly pixelMm: Vec2
}

/** Numbers per landmark in a soft target: the cells and the "absent" bin. */
export const targetLength = (grid: HeatMapGrid): number => grid.columns * grid.rows + 1

/**
 * Target distributions for softmax cross-entropy: for each landmark a Gaussian in millimetres on the detector,
 * normalised to sum 1 over the cells, then one bin "absent" that takes all the mass if the landmark projects
 * outside the image. A landmark whose position is not a number (unknown for this patient) gets zeros
 * throughout, so that it adds nothing to a cross-entropy.
 *
 * @param uv 2·K image coordinates (u, v) in pixels
 * @param out K × (rows · columns + 1) values, row-major, to write to
 * @throws ArgumentError if an array has another length or σ is not positive.
 */
export function softTargets(
  uv: ArrayLike<number>,
  { grid, imageSize, sigmaMm, pixelMm }: SoftTargetOptions,
  out: Float32Array = new Float32Array((uv.length / 2) * targetLength(grid))
): Float32Array {
  const n = targetLength(grid)
  const count = uv.length / 2
  if (!Number.isInteger(count) || out.length !== count * n)
    throw new ArgumentError(
      `Targets for ${count} landmarks need ${count * n} values, not ${out.length}`,
      'Give u and v of each landmark, and room for rows × columns + 1 values each.'
    )
  if (!(sigmaMm > 0 && pixelMm[0] > 0 && pixelMm[1] > 0))
    throw new ArgumentError(
      `A Gaussian of σ ${sigmaMm} mm on pixels of ${pixelMm.join(' × ')} mm has no width`,
      'Give a positive standard deviation and pixel size in mm.'
    )
  const gu = new Float64Array(grid.columns)
  const gv = new Float64Array(grid.rows)
  out.fill(0)
  for (let k = 0; k < count; k++) {
    const u = uv[2 * k]
    const v = uv[2 * k + 1]
    const o = k * n
    if (Number.isNaN(u) || Number.isNaN(v)) continue
    if (u < 0 || v < 0 || u > imageSize[0] - 1 || v > imageSize[1] - 1) {
      out[o + n - 1] = 1
      continue
    }
    // A Gaussian is separable, and so is its sum over the cells.
    const su = gaussian(gu, u, grid.stride, sigmaMm / pixelMm[0])
    const sv = gaussian(gv, v, grid.stride, sigmaMm / pixelMm[1])
    for (let r = 0; r < grid.rows; r++) {
      const w = gv[r] / (su * sv)
      const p = o + r * grid.columns
      for (let c = 0; c < grid.columns; c++) out[p + c] = w * gu[c]
    }
  }
  return out
}

/** Gaussian about `centre` at the cells of one axis, up to a factor; returns its sum. */
function gaussian(out: Float64Array, centre: number, stride: number, sigma: number): number {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < out.length; i++) {
    out[i] = (cellCentre(stride, i) - centre) ** 2 / (2 * sigma * sigma)
    least = Math.min(least, out[i])
  }
  let sum = 0
  // Relative to the nearest cell, so that a σ far below the stride does not underflow to 0/0.
  for (let i = 0; i < out.length; i++) sum += out[i] = Math.exp(least - out[i])
  return sum
}
