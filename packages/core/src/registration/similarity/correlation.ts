/** A fixed array made ready for correlation: weighted, centred and scaled to unit length. */
export interface PreparedSignal {
  /** w·(f − mean) / √(Σ w·(f − mean)²); all 0 where f is constant. */
  readonly unit: Float64Array
  readonly weights: Float64Array
  readonly weightSum: number
}

/** Below this share of the mean square, a variance is rounding. */
const ROUNDING = 1e-12

export function prepareSignal(f: ArrayLike<number>, weights: Float64Array): PreparedSignal {
  let weightSum = 0
  let mean = 0
  for (let i = 0; i < weights.length; i++) {
    weightSum += weights[i]
    mean += weights[i] * f[i]
  }
  mean = weightSum > 0 ? mean / weightSum : 0
  let variance = 0
  let square = 0
  for (let i = 0; i < weights.length; i++) {
    variance += weights[i] * (f[i] - mean) ** 2
    square += weights[i] * f[i] * f[i]
  }
  const scale = variance > ROUNDING * square ? 1 / Math.sqrt(variance) : 0
  const unit = new Float64Array(weights.length)
  if (scale > 0) for (let i = 0; i < unit.length; i++) unit[i] = weights[i] * (f[i] - mean) * scale
  return { unit, weights, weightSum }
}

/** Weighted correlation coefficient of `m` with the prepared signal, in [−1, 1]; 0 where either is constant. */
export function correlate({ unit, weights, weightSum }: PreparedSignal, m: ArrayLike<number>): number {
  if (weightSum === 0) return 0
  const n = unit.length
  let mean = 0
  for (let i = 0; i < n; i++) mean += weights[i] * m[i]
  mean /= weightSum
  let product = 0
  let variance = 0
  for (let i = 0; i < n; i++) {
    const d = m[i] - mean
    product += unit[i] * d
    variance += weights[i] * d * d
  }
  if (!(variance > ROUNDING * (variance + weightSum * mean * mean))) return 0
  return Math.max(-1, Math.min(1, product / Math.sqrt(variance)))
}
