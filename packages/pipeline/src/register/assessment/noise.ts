import { type Image, percentiles, type RegistrationView } from '@raypose/core'

/** Median of |x| over σ of a normal distribution. */
const MEDIAN_ABSOLUTE = 0.6745

/**
 * Standard deviation of the noise over the range of the values where the picture counts. The noise is what a difference of Laplacians
 * sees (Immerkær, CVIU 64, 1996), of which the median is not impressed by edges.
 */
export function noiseShare({ image, weights }: Pick<RegistrationView, 'image' | 'weights'>): number {
  const responses = laplacianDifference(image, weights)
  if (responses.length === 0) return 1
  const [median] = percentiles(responses, [0.5])
  const [low, high] = percentiles(image.data, [0.05, 0.95], weights?.data)
  return high > low ? Math.min(1, median / MEDIAN_ABSOLUTE / 6 / (high - low)) : 1
}

function laplacianDifference({ width, height, data }: Image, weights?: Image): number[] {
  const out: number[] = []
  for (let y = 1; y < height - 1; y++)
    for (let x = 1, i = y * width + 1; x < width - 1; x++, i++) {
      if (weights && !weights.data[i]) continue
      const [a, b] = [i - width, i + width]
      out.push(
        Math.abs(
          data[a - 1] +
            data[a + 1] +
            data[b - 1] +
            data[b + 1] +
            4 * data[i] -
            2 * (data[a] + data[b] + data[i - 1] + data[i + 1])
        )
      )
    }
  return out
}
