import type { ImageWithDerivatives } from '../../drr/renderer.js'
import { ArgumentError } from '../../errors.js'
import type { Image } from '../../image/image.js'
import { erode, gradientFilter } from './filters.js'
import { assertSameSize, type Similarity, type SimilarityOptions, weightsOf } from './similarity.js'
import { holdBack } from './strong-edges.js'

/** A similarity near a pose, in the six variables of {@link ImageWithDerivatives}. */
export interface SimilarityModel {
  /** Higher is better. */
  readonly value: number
  /** ∂value/∂variables. */
  readonly gradient: Float64Array
  /** Gauss–Newton curvature of −value, 6×6 row-major, positive semidefinite. */
  readonly normal: Float64Array
}

/** A similarity that optimisers with derivatives can use. */
export type DifferentiableSimilarity = Similarity & {
  model(moving: ImageWithDerivatives): SimilarityModel
  /** Its value where nothing is alike; default 0. */
  readonly nothing?: number
}

export type DifferentiableSimilarityFactory = (
  fixed: Image,
  options?: SimilarityOptions
) => DifferentiableSimilarity

/** How well each patch fits: rows × columns of half-overlapping patches. */
export interface PatchFits {
  readonly columns: number
  readonly rows: number
  /** Side of a patch, pixels; patch (c, r) begins at pixel (c, r) · side / 2. */
  readonly side: number
  /** Correlation of each, −1 to 1; 0 where nothing counts. */
  readonly correlation: Float32Array
  /** Weight of its pixels … */
  readonly weight: Float32Array
  /** … times the standard deviation of what the moving image has there: how much structure speaks. */
  readonly structure: Float32Array
}

export type PatchCorrelation = DifferentiableSimilarity & {
  /** Patch by patch, outliers and all. */
  patches(moving: Image): PatchFits
  /** How far the patches agree about the pose; see `sandwichCovariance`. */
  spread(moving: ImageWithDerivatives): PatchSpread
}

/** What a covariance of the pose of highest similarity is made of. */
export interface PatchSpread {
  /** Gauss–Newton curvature of −similarity, 6×6 row-major. */
  readonly normal: Float64Array
  /** Covariance of the similarity's gradient as the patches' own gradients have it, 6×6 row-major. */
  readonly scatter: Float64Array
}

export interface PatchCorrelationOptions extends SimilarityOptions {
  /** What is correlated: values, or both derivatives; default `'gradient'`. */
  readonly of?: 'value' | 'gradient'
  /** Side of the patches, pixels, an even number (they overlap by half); default 12. Infinity: the whole image is one. */
  readonly patch?: number
  /** Standard deviation of the Gaussian before derivatives, pixels; default 1. 0: Sobel's. */
  readonly smoothing?: number
  /** Share of an image's variance that is added to each patch's: patches of nothing but noise count little; default 0.02. */
  readonly floor?: number
  /**
   * Patches with 1 − ρ beyond this count less and less (Geman–McClure): instruments, femurs that moved, what is not in the CT.
   * Default Infinity: all count.
   */
  readonly outlier?: number
  /**
   * The X-ray's edges stronger than this times the median's energy are held back to that at most (`of` gradient only): metal and blades are the strongest of all, and a patch of
   * one correlates with nothing else. Default Infinity: all as they are.
   */
  readonly strong?: number
}

/** Per cell: Σw, and Σw times a, b, aa, bb, ab, J, aJ, bJ, JJᵀ (a moving, b fixed). */
const PLAIN = 6
const FULL = PLAIN + 18 + 21

/**
 * Correlation patch by patch as a least-squares problem: with both images normalised within each patch, ½‖â − b̂‖² = 1 − ρ, so the
 * Gauss–Newton method applies to the mean of ρ: NCC (one patch, values), LNCC (patches, values), gradient NCC (one patch,
 * derivatives) and patch gradient NCC (Grupp et al., IEEE TBME 2020) are all of this form. Blind to gain and offset in each patch.
 *
 * Sums are kept for square cells, of which 2 × 2 make a patch: all patches together cost no more than one.
 * @throws ArgumentError for a patch that does not fit the image, or weights that do not
 */
export function patchCorrelation(fixed: Image, options: PatchCorrelationOptions = {}): PatchCorrelation {
  const { width, height } = fixed
  const {
    of = 'gradient',
    patch = 12,
    smoothing = 1,
    floor = 0.02,
    outlier = Number.POSITIVE_INFINITY,
    strong = Number.POSITIVE_INFINITY
  } = options
  const whole = patch === Number.POSITIVE_INFINITY
  if (!whole && !(Number.isInteger(patch / 2) && patch >= 4 && patch <= Math.min(width, height)))
    throw new ArgumentError(
      `Patches of ${patch} pixels do not fit an image of ${width} × ${height}`,
      'Give an even number from 4 to the shorter side, or Infinity for a single patch.'
    )
  const filter = of === 'gradient' ? gradientFilter(width, height, smoothing) : null
  const weights = erode(weightsOf(fixed, options.weights), width, height, filter?.radius ?? 0)
  const cell = whole ? Math.max(width, height) : patch / 2
  const columns = Math.ceil(width / cell)
  const rows = Math.ceil(height / cell)
  const channels = filter ? 2 : 1
  const make = () => Array.from({ length: channels }, () => new Float32Array(width * height))
  const apply = (from: Float32Array, to: Float32Array[]) => {
    if (filter) filter.apply(from, to[0], to[1])
    else to[0].set(from)
  }
  const b = make()
  apply(fixed.data, b)
  if (filter) holdBack(b[0], b[1], weights, strong)
  const a = make()
  let jacobians: Float32Array[][] | null = null
  const sums = new Float64Array(columns * rows * FULL)

  /** Moments of one channel, cell by cell. */
  const accumulate = (channel: number, withDerivatives: boolean) => {
    sums.fill(0)
    const [m, f] = [a[channel], b[channel]]
    const [j0, j1, j2, j3, j4, j5] = withDerivatives && jacobians ? jacobians.map(j => j[channel]) : []
    const d = new Float64Array(6)
    for (let y = 0; y < height; y++) {
      const base = Math.floor(y / cell) * columns
      for (let x = 0, i = y * width; x < width; x++, i++) {
        const w = weights[i]
        if (w === 0) continue
        let o = (base + Math.floor(x / cell)) * FULL
        const wm = w * m[i]
        const wf = w * f[i]
        sums[o++] += w
        sums[o++] += wm
        sums[o++] += wf
        sums[o++] += wm * m[i]
        sums[o++] += wf * f[i]
        sums[o++] += wm * f[i]
        if (!j0) continue
        d[0] = j0[i]
        d[1] = j1[i]
        d[2] = j2[i]
        d[3] = j3[i]
        d[4] = j4[i]
        d[5] = j5[i]
        for (let k = 0; k < 6; k++, o++) {
          sums[o] += w * d[k]
          sums[o + 6] += wm * d[k]
          sums[o + 12] += wf * d[k]
        }
        o += 12
        for (let k = 0; k < 6; k++) {
          const wd = w * d[k]
          for (let l = 0; l <= k; l++) sums[o++] += wd * d[l]
        }
      }
    }
  }

  const total = new Float64Array(FULL)
  const s = new Float64Array(FULL)
  const evaluate = (
    derivatives: readonly Float32Array[] | null,
    fits: PatchFits | null = null,
    each: Float64Array | null = null
  ): SimilarityModel => {
    const gradient = new Float64Array(6)
    const normal = new Float64Array(36)
    let value = 0
    let weightSum = 0
    const length = derivatives ? FULL : PLAIN
    for (let channel = 0; channel < channels; channel++) {
      accumulate(channel, derivatives !== null)
      total.fill(0)
      for (let o = 0; o < sums.length; o += FULL) for (let k = 0; k < length; k++) total[k] += sums[o + k]
      const n = total[0]
      if (!(n > 0)) continue
      const floorA = (floor * Math.max(0, total[3] - total[1] ** 2 / n)) / n
      const floorB = (floor * Math.max(0, total[4] - total[2] ** 2 / n)) / n
      const [across, down] = whole ? [1, 1] : [columns - 1, rows - 1]
      for (let r = 0; r < down; r++)
        for (let c = 0; c < across; c++) {
          s.fill(0)
          for (let q = 0; q < (whole ? 1 : 4); q++) {
            const o = ((r + (q >> 1)) * columns + c + (q & 1)) * FULL
            for (let k = 0; k < length; k++) s[k] += sums[o + k]
          }
          weightSum += s[0]
          const limit = fits ? Number.POSITIVE_INFINITY : outlier
          const own = each?.subarray(6 * (r * across + c), 6 * (r * across + c) + 6)
          const part = addPatch(
            s,
            total,
            { floor, floorA, floorB, outlier: limit },
            derivatives ? { gradient: own ?? gradient, normal } : null
          )
          value += part
          if (fits && s[0] > 0) {
            const i = r * fits.columns + c
            fits.correlation[i] += part
            fits.weight[i] += s[0]
            fits.structure[i] += Math.sqrt(Math.max(0, s[0] * s[3] - s[1] ** 2))
          }
        }
    }
    if (!(weightSum > 0)) return { value: 0, gradient, normal }
    if (each) for (let i = 0; i < each.length; i++) each[i] /= weightSum
    for (let k = 0; k < 6; k++) {
      gradient[k] /= weightSum
      for (let l = 0; l <= k; l++) {
        normal[6 * k + l] /= weightSum
        normal[6 * l + k] = normal[6 * k + l]
      }
    }
    return { value: value / weightSum, gradient, normal }
  }

  const patches = (moving: Image): PatchFits => {
    assertSameSize(fixed, moving)
    apply(moving.data, a)
    const [c, r] = whole ? [1, 1] : [columns - 1, rows - 1]
    const zeros = () => new Float32Array(c * r)
    const fits: PatchFits = {
      columns: c,
      rows: r,
      side: whole ? cell : patch,
      correlation: zeros(),
      weight: zeros(),
      structure: zeros()
    }
    evaluate(null, fits)
    fits.correlation.forEach((x, i) => {
      if (fits.weight[i] > 0) fits.correlation[i] = x / fits.weight[i]
    })
    return fits
  }

  const load = ({ image, derivatives }: ImageWithDerivatives) => {
    assertSameSize(fixed, image)
    jacobians ??= Array.from({ length: 6 }, make)
    apply(image.data, a)
    for (let k = 0; k < 6; k++) apply(derivatives[k], jacobians[k])
  }

  return Object.assign(
    (moving: Image) => {
      assertSameSize(fixed, moving)
      apply(moving.data, a)
      return evaluate(null).value
    },
    {
      patches,
      nothing: 1 - 1 / (1 + 1 / outlier),
      spread(moving: ImageWithDerivatives) {
        load(moving)
        const [c, r] = whole ? [1, 1] : [columns - 1, rows - 1]
        const each = new Float64Array(6 * c * r)
        const { normal } = evaluate(moving.derivatives, null, each)
        return { normal, scatter: scatterOf(each, c, r) }
      },
      model(moving: ImageWithDerivatives) {
        load(moving)
        return evaluate(moving.derivatives)
      }
    }
  )
}

/**
 * Covariance of the sum of the patches' gradients. Patches next to each other share half of their pixels, so their products count too
 * (Newey & West, Econometrica 1987), by Bartlett's weights, which keep the result positive; of sums over 2 × 2 independent cells these see 9/16.
 */
function scatterOf(each: Float64Array, columns: number, rows: number): Float64Array {
  const out = new Float64Array(36)
  const near = new Float64Array(6)
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) {
      near.fill(0)
      for (let y = Math.max(0, r - 1); y <= Math.min(rows - 1, r + 1); y++)
        for (let x = Math.max(0, c - 1); x <= Math.min(columns - 1, c + 1); x++) {
          const share = (y === r ? 1 : 0.5) * (x === c ? 1 : 0.5)
          for (let k = 0; k < 6; k++) near[k] += share * each[6 * (y * columns + x) + k]
        }
      const o = 6 * (r * columns + c)
      for (let k = 0; k < 6; k++)
        for (let l = 0; l < 6; l++) out[6 * k + l] += (16 / 9) * each[o + k] * near[l]
    }
  for (let k = 0; k < 6; k++)
    for (let l = 0; l < k; l++) out[6 * k + l] = out[6 * l + k] = (out[6 * k + l] + out[6 * l + k]) / 2
  return out
}

/** A share of a patch's weight below which it is rounding. */
const LEAST_WEIGHT = 1e-9
/** A patch that does not correlate (yet) still has this share of the curvature it would have. */
const LEAST_CURVATURE = 0.1

interface PatchTerms {
  readonly floor: number
  /** Added to the variances of moving and fixed. */
  readonly floorA: number
  readonly floorB: number
  readonly outlier: number
}

/**
 * Adds a patch's part to the derivatives. @returns its part of the value: weight times robust ρ
 */
function addPatch(
  s: Float64Array,
  total: Float64Array,
  { floor, floorA, floorB, outlier }: PatchTerms,
  out: { gradient: Float64Array; normal: Float64Array } | null
): number {
  const n = s[0]
  if (!(n > LEAST_WEIGHT)) return 0
  const ma = s[1] / n
  const mb = s[2] / n
  const va = Math.max(0, s[3] / n - ma * ma) + floorA
  const vb = Math.max(0, s[4] / n - mb * mb) + floorB
  if (!(va > 0 && vb > 0)) return 0
  const scale = 1 / Math.sqrt(va * vb)
  const rho = (s[5] / n - ma * mb) * scale
  const miss = 1 - rho
  const shrink = 1 / (1 + miss / outlier)
  if (out) {
    const slope = n * shrink * shrink
    // Of 1 − ρ where the rest of the patch is noise, the second derivative is ρ times that of a perfect fit.
    const curvature = (slope * Math.max(rho, LEAST_CURVATURE)) / va
    const nt = total[0]
    const mt = total[1] / nt
    let o = PLAIN + 18
    for (let k = 0; k < 6; k++) {
      const mj = s[PLAIN + k] / n
      const aj = s[PLAIN + 6 + k] / n - ma * mj
      const bj = s[PLAIN + 12 + k] / n - mb * mj
      // The floor moves with the whole image's variance.
      const floorSlope = floor * (total[PLAIN + 6 + k] / nt - (mt * total[PLAIN + k]) / nt)
      out.gradient[k] += slope * (bj * scale - (rho * (aj + floorSlope)) / va)
      for (let l = 0; l <= k; l++, o++) {
        const ml = s[PLAIN + l] / n
        const al = s[PLAIN + 6 + l] / n - ma * ml
        out.normal[6 * k + l] += curvature * (s[o] / n - mj * ml - (aj * al) / va)
      }
    }
  }
  return n * (1 - miss * shrink)
}
