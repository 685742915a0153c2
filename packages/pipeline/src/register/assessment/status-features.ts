import type { RegistrationEvidence } from './evidence.js'

/** Beyond this an advantage over a rival is as good as having none. */
const CLEAR = 0.3
/** … and over what a search found elsewhere. */
const CLEAR_SEARCH = 0.1

/** Beyond so many units of scatter nothing else is like the X-ray. */
const MOST_OUTSTANDING = 12

/** The numbers that the status model weighs, in its order. */
export const STATUS_FEATURES = [
  'coarse',
  'middle',
  'fine',
  'ofIdealCoarse',
  'ofIdealMiddle',
  'ofIdealFine',
  'typicalCoarse',
  'typicalMiddle',
  'weakestQuarter',
  'agreeingStarts',
  'overRival',
  'overSearched',
  'searched',
  'outstanding',
  'moved',
  'landmarkMedian',
  'noLandmarks',
  'expectedTre',
  'expectedMpd',
  'usableShare',
  'noise'
] as const

export type StatusFeature = (typeof STATUS_FEATURES)[number]

/** Logarithms where a factor matters more than a difference. */
export function statusFeatures(e: RegistrationEvidence): Record<StatusFeature, number> {
  const [coarse, middle, fine] = e.similarity
  const searched = !Number.isNaN(e.outstanding)
  // Landmarks that were too unsure to begin from say nothing against a pose found without them.
  const landmarks = searched ? null : e.landmarks
  return {
    coarse,
    middle,
    fine,
    ofIdealCoarse: Math.max(0, e.ofIdeal[0]),
    ofIdealMiddle: Math.max(0, e.ofIdeal[1]),
    ofIdealFine: Math.max(0, e.ofIdeal[2]),
    typicalCoarse: Math.max(0, e.typicalOfIdeal[0]),
    typicalMiddle: Math.max(0, e.typicalOfIdeal[1]),
    weakestQuarter: e.weakestQuarter,
    agreeingStarts: e.agreeingStarts,
    overRival: Number.isNaN(e.overRival) ? CLEAR : Math.max(-CLEAR, Math.min(CLEAR, e.overRival)),
    overSearched: Number.isNaN(e.overSearched)
      ? CLEAR_SEARCH
      : Math.max(-CLEAR_SEARCH, Math.min(CLEAR_SEARCH, e.overSearched)),
    searched: Number(searched),
    outstanding: searched ? Math.max(0, Math.min(MOST_OUTSTANDING, e.outstanding)) : MOST_OUTSTANDING,
    moved: Math.log1p(e.movedMm),
    landmarkMedian: landmarks ? Math.log1p(landmarks.medianMm) : 0,
    noLandmarks: landmarks ? 0 : 1,
    expectedTre: Math.log(Math.max(1e-3, e.expectedTreMm)),
    expectedMpd: Math.log(Math.max(1e-3, e.expectedMpdMm)),
    usableShare: e.usableShare,
    noise: Math.log10(Math.max(1e-4, e.noise))
  }
}
