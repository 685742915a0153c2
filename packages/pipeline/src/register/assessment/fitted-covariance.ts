import {
  binnedDetector,
  binWeighted,
  levelBinning,
  type Mat4,
  patchCorrelation,
  type RegistrationView,
  sandwichCovariance,
  type Vec3
} from '@raypose/core'
import { BONE_PATCHES } from '../refine.js'
import { coveredBy, type RefinementVolume } from '../refinement-volume.js'

/**
 * What `sandwichCovariance` is multiplied with, measured on the real CT and a procedural patient (docs/registration.md): patches that
 * lie apart err together where the CT's voxels or the X-ray's physics are to blame.
 */
export const SANDWICH_SCALE = 2

/**
 * … and where much of an X-ray is noise, up to this many times that: what minimises is then a peak among peaks. From the first share of noise on, all of it from the second
 * (434 simulated registrations of 14 procedural patients; docs/registration.md has what it gives on six others).
 */
const NOISY = { times: 2.3, from: 0.012, to: 0.025 }

/** @param noise share of an X-ray's variance, see `noiseShare` */
export function covarianceScaleAt(noise: number): number {
  const ramp = Math.log(Math.max(noise, NOISY.from) / NOISY.from) / Math.log(NOISY.to / NOISY.from)
  return SANDWICH_SCALE * (1 + (NOISY.times - 1) * Math.min(1, ramp))
}

/**
 * Covariance of a pose by how far the patches of its X-rays disagree about it.
 * @param cameras of the views
 * @param noise share of the noisiest X-ray's variance
 * @returns 6×6 row-major (rad, mm), axes of the first camera, about `centre`; null where the images do not determine the pose
 */
export function fittedCovariance(
  ct: RefinementVolume,
  views: readonly RegistrationView[],
  cameras: readonly Mat4[],
  centre: Vec3,
  pixelMm: number,
  noise: number
): Float64Array | null {
  const spreads = views.flatMap((view, i) => {
    const binning = levelBinning(view.detector, pixelMm)
    const camera = { detector: binnedDetector(view.detector, binning), cameraFromLps: cameras[i] }
    const { fixed, weights } = binWeighted(view.image, view.weights, binning)
    const covered = coveredBy(ct, camera).data
    const both = weights ? covered.map((c, k) => c * weights[k]) : covered
    const side = Math.min(BONE_PATCHES.patch, 2 * Math.floor(Math.min(fixed.width, fixed.height) / 2))
    if (side < 4) return []
    // What was climbed is what is asked how sure it is.
    const measure = patchCorrelation(fixed, { ...BONE_PATCHES, weights: both, patch: side })
    const spread = measure.spread(ct.bones().renderWithDerivatives(camera, centre))
    return [{ ...spread, cameraFromFirst: view.cameraFromFirst }]
  })
  const covariance = sandwichCovariance(spreads)
  const scale = covarianceScaleAt(noise)
  return covariance?.map(x => scale * x) ?? null
}
