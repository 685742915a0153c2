import {
  binnedDetector,
  binWeighted,
  type Image,
  type Mat4,
  type PatchFits,
  patchCorrelation,
  project,
  type RegistrationView,
  type Vec3
} from '@raypose/core'
import { idealImage, noiseOfBinned } from '../ideal-image.js'
import { coveredBy, type RefinementVolume } from '../refinement-volume.js'

/** A resolution at which a pose is judged: as registration has it, see `VIEWS_LEVELS`. */
export interface FitLevel {
  readonly pixelMm: number
  readonly patch: number
}

/** How X-ray and DRR agree under a pose at one resolution. */
export interface LevelFit {
  /** Mean correlation of patches, each counted by how much structure the DRR has in it. */
  readonly similarity: number
  /** The same for the quarter of the picture (about the projected centre) where it is least. */
  readonly weakestQuarter: number
  /** Share of the picture's pixels that show the patient and that the CT has something to say of. */
  readonly usableShare: number
  /** Number of these pixels. */
  readonly usablePixels: number
  /** Mean correlation, every pixel alike. */
  readonly plain: number
  /** `similarity` over what it would be if nothing but the X-ray's noise stood between X-ray and DRR (see `idealImage`); up to {@link MOST_OF_IDEAL}. */
  readonly ofIdeal: number
  /** The same of the patch in the middle, by structure, of those that noise leaves something to see in; instruments and moved femurs are at the ends. */
  readonly typicalOfIdeal: number
}

/** Source to detector that a level's pixels are for, as in `registerViews`. */
const LEVEL_SDD = 1200
/** A quarter with less than this share of the structure says nothing of its own. */
const LEAST_QUARTER = 0.05
/** Noise is drawn: a fit may be a little better than the stand-in's; where the stand-in correlates less than this, nothing can be said. */
const MOST_OF_IDEAL = 1.2
const LEAST_IDEAL = 0.05
/** … and of a single patch. */
const LEAST_IDEAL_PATCH = 0.2

export function levelFit(
  ct: RefinementVolume,
  view: RegistrationView,
  cameraFromLps: Mat4,
  centre: Vec3,
  { pixelMm, patch }: FitLevel
): LevelFit {
  const { sdd, pixel } = view.detector
  const binning = Math.max(1, Math.round((pixelMm * sdd) / LEVEL_SDD / Math.max(...pixel)))
  const detector = binnedDetector(view.detector, binning)
  const camera = { detector, cameraFromLps }
  const { fixed, weights } = binWeighted(view.image, view.weights, binning)
  const covered = coveredBy(ct, camera).data
  const both = weights ? covered.map((c, i) => c * weights[i]) : covered
  const usablePixels = both.reduce((s, w) => s + w, 0)
  const usableShare = usablePixels / both.length
  const none = {
    similarity: 0,
    weakestQuarter: 0,
    usableShare,
    usablePixels,
    plain: 0,
    ofIdeal: 0,
    typicalOfIdeal: 0
  }
  const side = Math.min(patch, 2 * Math.floor(Math.min(fixed.width, fixed.height) / 2))
  if (!(usablePixels > 0) || side < 4) return none
  const drr = ct.levelled.render(camera)
  const compare = (image: Image) => patchCorrelation(image, { weights: both, patch: side }).patches(drr)
  const fits = compare(fixed)
  const total = sum(fits.structure)
  if (!(total > 0)) return none
  const ideal = compare(idealImage(fixed, drr, noiseOfBinned(view.image, binning), both))
  const { u, v } = project(camera, centre)
  const similarity = weighted(fits, fits.structure)
  return {
    similarity,
    ofIdeal: share(similarity, Math.max(LEAST_IDEAL, weighted(ideal, fits.structure))),
    typicalOfIdeal: typical(fits, ideal),
    weakestQuarter: weakestQuarter(fits, total, u, v),
    usableShare,
    usablePixels,
    plain: weighted(fits, fits.weight)
  }
}

const sum = (x: Float32Array) => x.reduce((s, v) => s + v, 0)

function weighted({ correlation }: PatchFits, weights: Float32Array): number {
  const total = sum(weights)
  return total > 0 ? correlation.reduce((s, c, i) => s + c * weights[i], 0) / total : 0
}

const share = (correlation: number, ideal: number) => Math.min(MOST_OF_IDEAL, correlation / ideal)

function typical(fits: PatchFits, ideal: PatchFits): number {
  const shares = [...fits.correlation.keys()]
    .filter(i => fits.structure[i] > 0 && ideal.correlation[i] > LEAST_IDEAL_PATCH)
    .map(i => ({ share: share(fits.correlation[i], ideal.correlation[i]), weight: fits.structure[i] }))
    .sort((a, b) => a.share - b.share)
  const half = shares.reduce((s, p) => s + p.weight, 0) / 2
  let sum = 0
  for (const p of shares) {
    sum += p.weight
    if (sum >= half) return p.share
  }
  return 0
}

function weakestQuarter(
  { correlation, structure, columns, side }: PatchFits,
  total: number,
  u: number,
  v: number
) {
  const sums = [0, 0, 0, 0]
  const shares = [0, 0, 0, 0]
  correlation.forEach((c, i) => {
    // Of the patch's middle.
    const x = ((i % columns) * side) / 2 + side / 2
    const y = (Math.floor(i / columns) * side) / 2 + side / 2
    const q = (x < u ? 0 : 1) + (y < v ? 0 : 2)
    sums[q] += c * structure[i]
    shares[q] += structure[i]
  })
  const means = sums.flatMap((s, q) => (shares[q] > LEAST_QUARTER * total ? [s / shares[q]] : []))
  return means.length > 0 ? Math.min(...means) : 0
}
