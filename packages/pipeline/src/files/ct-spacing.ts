import { type Grid, VolumeError } from '@raypose/core'

/** Voxels of a CT, mm: beyond these a file gives its lengths in another unit than it says. */
const FINEST_MM = 0.05
const COARSEST_MM = 20

/**
 * Refuses voxels of a size that no CT has.
 * @throws VolumeError that names the unit the lengths seem to be in
 */
export function assertCtSpacing({ spacing }: Grid, what: string): void {
  const low = Math.min(...spacing)
  const high = Math.max(...spacing)
  if (low >= FINEST_MM && high <= COARSEST_MM) return
  throw new VolumeError(
    `${what} has voxels of ${spacing.map(s => Number(s.toPrecision(3))).join(' × ')} mm: those of a CT are between ${FINEST_MM} and ${COARSEST_MM} mm`,
    `${likelyUnit(low, high)} Write it again with its lengths in millimetres.`
  )
}

function likelyUnit(low: number, high: number): string {
  // What the lengths would have to be multiplied by to be those of a CT.
  const units: [string, number][] = [
    ['Its lengths seem to be metres, or millimetres that the header calls micrometres.', 1000],
    ['Its lengths seem to be micrometres, or millimetres that the header calls metres.', 1e-3],
    ['Its lengths seem to be centimetres.', 10]
  ]
  const found = units.find(([, f]) => low * f >= FINEST_MM && high * f <= COARSEST_MM)
  return found ? found[0] : 'The unit of length in its header, or one of its spacings, is wrong.'
}
