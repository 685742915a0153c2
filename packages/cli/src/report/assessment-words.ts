import type { Assessment } from '@raypose/pipeline'
import { fixed } from './format.js'

/** How probable errors are, in a line. */
export const chances = (a: Assessment): string =>
  `TRE > 2 mm: ${percent(a.probabilityTreAbove2mm)}, > 10 mm: ${percent(a.probabilityTreAbove10mm)}`

/** How large the error is where the pose is right, in a line. */
export function expectedError({ expectedTreMm, ellipsoid }: Assessment): string {
  if (expectedTreMm === null || !ellipsoid) return 'not known'
  const axes = ellipsoid.axes.map(({ mm }) => fixed(mm, 2)).join(' × ')
  return `${fixed(expectedTreMm, 2)} mm TRE if the pose is right; at the pelvis's centre ± ${axes} mm`
}

const percent = (p: number): string =>
  p < 0.001 ? '< 0.1 %' : p > 0.999 ? '> 99.9 %' : `${fixed(100 * p, 1)} %`
