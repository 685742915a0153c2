/** How large the errors of detections of a certain confidence are: a table, straight lines between its entries. */
export interface DetectionNoise {
  /** Ascending. */
  readonly confidence: readonly number[]
  /** Scale of the error along an axis at each of them, mm at the isocentre. */
  readonly sigmaMm: readonly number[]
}

/**
 * The network N on X-rays of patients like those of its training: medians of the error by confidence (docs/training.md); where it is
 * least sure, rather the root mean square, since the landmark may then be anywhere.
 */
export const PELVIS_DETECTION_NOISE: DetectionNoise = {
  confidence: [0.05, 0.1, 0.3, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 0.995],
  sigmaMm: [20, 12, 6, 5, 4, 3.4, 2.8, 2.2, 1.7, 1.2]
}

/** Scale of the error of a detection, mm at the isocentre; beyond the table's ends, as there. */
export function detectionSigma({ confidence, sigmaMm }: DetectionNoise, of: number): number {
  const above = confidence.findIndex(x => x > of)
  if (above < 0) return sigmaMm[sigmaMm.length - 1]
  if (above === 0) return sigmaMm[0]
  const share = (of - confidence[above - 1]) / (confidence[above] - confidence[above - 1])
  return sigmaMm[above - 1] + share * (sigmaMm[above] - sigmaMm[above - 1])
}
