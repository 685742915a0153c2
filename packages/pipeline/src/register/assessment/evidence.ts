import {
  applyRigid,
  type Correspondences,
  composeRigid,
  distance,
  expectedProjectionDistance,
  expectedTre,
  type Image,
  imageRange,
  invertRigid,
  type Mat4,
  poseCovariance,
  type RegistrationView,
  squaredResiduals,
  type Vec3
} from '@raypose/core'
import type { Refinement } from '../refine.js'
import { type RefinementVolume, seenBy } from '../refinement-volume.js'
import { likenessOf } from '../view-library.js'
import type { SearchedPose } from '../wide-search.js'
import { fittedCovariance } from './fitted-covariance.js'
import { type FitLevel, type LevelFit, levelFit } from './level-fit.js'
import { overMirror } from './mirror.js'
import { noiseShare } from './noise.js'

/** What a fine registration is judged by. */
export interface RegistrationEvidence {
  /** Correlation of X-ray and DRR under the pose, at pixels of 6.4, 3.2 and 1.6 mm; of several X-rays the least. */
  readonly similarity: readonly [coarse: number, middle: number, fine: number]
  /** These over what the X-ray's own noise would leave of a perfect fit. */
  readonly ofIdeal: readonly [coarse: number, middle: number, fine: number]
  /** That of the patch in the middle, at 6.4 and 3.2 mm: what a minority of the picture does not sway. */
  readonly typicalOfIdeal: readonly [coarse: number, middle: number]
  /** In the picture's worst quarter (of the worst X-ray), at 3.2 mm. */
  readonly weakestQuarter: number
  /** How much better the picture fits than its mirror image does, at 3.2 mm; see `overMirror`. */
  readonly overMirror: number
  /** Share of the starts that the coarsest level brought near the pose. */
  readonly agreeingStarts: number
  /** How much better the pose is than the best that ended elsewhere, in similarity at 6.4 mm; NaN where all ended here. */
  readonly overRival: number
  /** The same at 3.2 mm, over the best that a search all about the anatomy found elsewhere; NaN where there was no search, or all of it ended here. */
  readonly overSearched: number
  /**
   * How far the first X-ray is more alike the DRR of the pose than those that a search compared it with, in units of their scatter (1.48 times the median
   * deviation from their median); NaN where there was no search.
   */
  readonly outstanding: number
  /** From the best pose of the second level to the pose, mm at the targets. */
  readonly movedMm: number
  /** Confident landmarks in the pictures, and the median of their distance to where the pose has them, mm on a detector at 1200 mm. */
  readonly landmarks: { readonly count: number; readonly medianMm: number } | null
  /**
   * What noise alone leads to expect, from the curvature of the similarity: RMS over the landmarks, and the shift of the centre along the
   * first beam, and RMS over the landmarks' projections on a detector at 1200 mm. The status model knows these; what is reported is {@link Judged.covariance}.
   */
  readonly expectedTreMm: number
  readonly depthStdMm: number
  readonly expectedMpdMm: number
  /** Least share of a picture's pixels that count. */
  readonly usableShare: number
  /** Share of the pixels at an end of the grey scale, in the worst picture. */
  readonly clippedShare: number
  /** Standard deviation of the noise over the range of the values, in the worst picture. */
  readonly noise: number
}

export interface Judged {
  /** Of the first X-ray. */
  readonly cameraFromLps: Mat4
  readonly evidence: RegistrationEvidence
  /** 6×6 (rad, mm) about the centre in the first camera's axes; null where the images do not determine the pose. */
  readonly covariance: Float64Array | null
  /** What that leads to expect at the landmarks, root mean square, mm; null with it. */
  readonly expectedTreMm: number | null
  /** What the evidence's expected errors come from: σ²·N⁻¹, N the curvature at the last level. */
  readonly byCurvature: Float64Array | null
}

const COARSE: FitLevel = { pixelMm: 6.4, patch: 16 }
/** Small patches tell right from wrong under noise better than large ones. */
const MIDDLE: FitLevel = { pixelMm: 3.2, patch: 12 }
const FINE: FitLevel = { pixelMm: 1.6, patch: 12 }

/** Poses closer than this, mm at the targets, are the same: of the coarsest level, and of the second. */
const SAME = [20, 8] as const
/** Source to detector that distances on it are told for, mm. */
const REPORTED_SDD = 1200
/** Expected errors are no more than this, mm: beyond, all that is known is that nothing is known. */
const MOST = 1000

/**
 * Gathers what speaks for and against a pose.
 * @param refinement the X-rays as they were registered, and where all starts went
 * @param points landmarks, LPS mm; with fewer than four, errors are expected at points about the centre
 * @param centre what rotations turn about, LPS mm
 * @param covarianceScale what covariances from curvature are multiplied with, see `STATUS_MODEL`
 * @param pose if it is not the refinement's
 */
export function registrationEvidence(
  ct: RefinementVolume,
  refinement: Refinement,
  points: readonly Vec3[],
  centre: Vec3,
  covarianceScale: number,
  pose: { readonly cameraFromLps: Mat4; readonly normal: Float64Array } = finalOf(refinement)
): Judged {
  const { views } = refinement
  const { cameraFromLps } = pose
  const cameras = views.map(v =>
    v.cameraFromFirst ? composeRigid(v.cameraFromFirst, cameraFromLps) : cameraFromLps
  )
  const noise = Math.max(...views.map(noiseShare))
  const fitsAt = (level: FitLevel) => views.map((v, i) => levelFit(ct, v, cameras[i], centre, level))
  const levels = [COARSE, MIDDLE, FINE].map(fitsAt)
  const targets = points.length >= 4 ? points : pointsAbout(centre)
  const byCurvature = curvatureCovariance(pose.normal, levels[2], covarianceScale)
  const fitted = byCurvature && fittedCovariance(ct, views, cameras, centre, FINE.pixelMm, noise)
  const least = (of: (f: LevelFit) => number, fits: LevelFit[]) => Math.min(...fits.map(of))
  const [coarse, middle, fine] = levels.map(fits => least(f => f.similarity, fits))
  const ofIdeal = levels.map(fits => least(f => f.ofIdeal, fits))
  const typical = levels.map(fits => least(f => f.typicalOfIdeal, fits))
  return {
    cameraFromLps,
    covariance: fitted,
    expectedTreMm: fitted && Math.min(MOST, expectedTre(fitted, cameraFromLps, centre, targets)),
    byCurvature,
    evidence: {
      similarity: [coarse, middle, fine],
      ofIdeal: [ofIdeal[0], ofIdeal[1], ofIdeal[2]],
      typicalOfIdeal: [typical[0], typical[1]],
      weakestQuarter: least(f => f.weakestQuarter, levels[1]),
      overMirror: overMirror(ct, views, cameraFromLps, centre),
      ...agreement(refinement, cameraFromLps, targets),
      outstanding: outstanding(ct, refinement, cameraFromLps),
      landmarks: landmarkFit(views, cameras),
      expectedTreMm: byCurvature
        ? Math.min(MOST, expectedTre(byCurvature, cameraFromLps, centre, targets))
        : MOST,
      depthStdMm: byCurvature ? Math.min(MOST, Math.sqrt(byCurvature[35])) : MOST,
      expectedMpdMm: byCurvature
        ? Math.min(
            MOST,
            expectedProjectionDistance(byCurvature, cameraFromLps, centre, targets, REPORTED_SDD)
          )
        : MOST,
      usableShare: least(f => f.usableShare, levels[2]),
      clippedShare: Math.max(...views.map(v => clippedShare(v.image))),
      noise
    }
  }
}

function finalOf({ cameraFromLps, levels }: Refinement) {
  const { model } = levels[levels.length - 1].candidates[0]
  return { cameraFromLps, normal: model.normal }
}

/**
 * With ½‖â − b̂‖² = 1 − ρ in each patch, the residuals' variance is 2·(1 − ρ) over as many pixels; the scale stands for their correlation
 * and for all that the model of noise leaves out.
 */
function curvatureCovariance(
  normal: Float64Array,
  fits: readonly LevelFit[],
  scale: number
): Float64Array | null {
  const pixels = fits.reduce((s, f) => s + f.usablePixels, 0)
  if (!(pixels > 0)) return null
  const miss = Math.max(1e-3, 1 - mean(fits.map(f => f.plain)))
  return poseCovariance(normal, (scale * 2 * miss) / pixels)
}

function agreement(
  { levels, searched }: Refinement,
  pose: Mat4,
  targets: readonly Vec3[]
): Pick<RegistrationEvidence, 'agreeingStarts' | 'overRival' | 'overSearched' | 'movedMm'> {
  const [first, second = first] = levels
  const farOf = (m: Mat4) => meanDistance(m, pose, targets)
  const near = first.candidates.filter(c => farOf(c.cameraFromLps) < SAME[0]).length
  const rivals = second.candidates.filter(c => farOf(c.cameraFromLps) >= SAME[1])
  const best = second.candidates[0]
  const own = second.candidates.find(c => !rivals.includes(c))
  return {
    agreeingStarts: near / first.candidates.length,
    overRival:
      rivals.length === 0
        ? Number.NaN
        : (own ? own.similarity : rivals[0].similarity - 1) - rivals[0].similarity,
    overSearched: searched ? overOthers(searched.poses, c => farOf(c.cameraFromLps) < SAME[0]) : Number.NaN,
    movedMm: farOf(best.cameraFromLps)
  }
}

function outstanding(ct: RefinementVolume, { searched, views }: Refinement, pose: Mat4): number {
  if (!searched || searched.scores.length === 0) return Number.NaN
  const usual = median(searched.scores)
  const scatter = NORMAL * median(searched.scores.map(s => Math.abs(s - usual)))
  return scatter > 0 ? (likenessOf(seenBy(ct), views[0], pose) - usual) / scatter : 0
}

const median = (x: readonly number[]): number => Float64Array.from(x).sort()[x.length >> 1]

/** From the median deviation to the standard deviation of a normal distribution. */
const NORMAL = 1.4826

/** By how much the best of some poses is more similar than the best of the others; a pose that was not among them is as good as the worst. */
function overOthers(poses: readonly SearchedPose[], own: (p: SearchedPose) => boolean): number {
  const best = (some: readonly SearchedPose[]) => Math.max(...some.map(p => p.similarity))
  const others = poses.filter(p => !own(p))
  const mine = poses.filter(own)
  if (others.length === 0) return mine.length > 0 ? Number.NaN : 0
  const least = Math.min(...others.map(p => p.similarity))
  return (mine.length > 0 ? best(mine) : least) - best(others)
}

/** Mean distance between the places that two poses give targets in the camera, mm. */
export function meanDistance(a: Mat4, b: Mat4, targets: readonly Vec3[]): number {
  const between = composeRigid(invertRigid(a), b)
  return mean(targets.map(p => distance(applyRigid(between, p), p)))
}

function landmarkFit(
  views: readonly RegistrationView[],
  cameras: readonly Mat4[]
): RegistrationEvidence['landmarks'] {
  const residuals = views.flatMap(({ landmarks, detector }, i) =>
    landmarks ? [...residualsOf(landmarks, cameras[i])].map(r => (r * REPORTED_SDD) / detector.sdd) : []
  )
  if (residuals.length === 0) return null
  residuals.sort((a, b) => a - b)
  return { count: residuals.length, medianMm: Math.min(MOST, residuals[residuals.length >> 1]) }
}

const residualsOf = (c: Correspondences, pose: Mat4) => squaredResiduals(c, pose).map(Math.sqrt)

function clippedShare(image: Image): number {
  const { min, max } = imageRange(image)
  const slack = 1e-6 * (max - min)
  let clipped = 0
  for (const x of image.data) if (x - min <= slack || max - x <= slack) clipped++
  return clipped / image.data.length
}

const mean = (x: readonly number[]) => x.reduce((s, v) => s + v, 0) / x.length

/** Eight points as far about a centre as the landmarks of a pelvis are. */
const pointsAbout = (c: Vec3): Vec3[] =>
  [-1, 1].flatMap(x =>
    [-1, 1].flatMap(y => [-1, 1].map((z): Vec3 => [c[0] + 80 * x, c[1] + 40 * y, c[2] + 60 * z]))
  )
