import { ArgumentError } from '../errors.js'

const BINS = 4096

/**
 * Values below which given shares of the data lie, to 1/4096 of the range: a histogram, several times faster than sorting.
 * @param shares from 0 to 1
 * @param mask where given, only values with a mask that is not 0 count
 * @throws ArgumentError where no value counts
 */
export function percentiles(
  data: ArrayLike<number>,
  shares: readonly number[],
  mask?: ArrayLike<number>
): number[] {
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY
  let count = 0
  for (let i = 0; i < data.length; i++) {
    if (mask && !mask[i]) continue
    count++
    if (data[i] < min) min = data[i]
    if (data[i] > max) max = data[i]
  }
  if (count === 0)
    throw new ArgumentError('There is no value to take a percentile of', 'Give at least one value.')
  if (!(max > min)) return shares.map(() => min)
  const histogram = new Float64Array(BINS)
  const scale = BINS / (max - min)
  for (let i = 0; i < data.length; i++)
    if (!mask || mask[i]) histogram[Math.min(BINS - 1, Math.floor((data[i] - min) * scale))]++
  return shares.map(share => {
    const target = share * count
    let below = 0
    for (let b = 0; b < BINS; b++) {
      if (below + histogram[b] >= target && histogram[b] > 0)
        return min + (b + Math.max(0, target - below) / histogram[b]) / scale
      below += histogram[b]
    }
    return max
  })
}
