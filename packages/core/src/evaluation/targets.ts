import { VolumeError } from '../errors.js'
import type { Vec3 } from '../geometry/linear.js'
import { type BoneSurfaceOptions, boneSurface, OPEN_BONE_WINDOW } from '../landmarks/bone-surface.js'
import { createRandom } from '../random/random.js'
import type { Box } from '../volume/resample.js'
import type { Volume } from '../volume/volume.js'

export interface SurfaceTargetOptions extends BoneSurfaceOptions {
  /** Only points in this box (LPS mm), so that the table or another bone does not count. */
  readonly within?: Box
}

/**
 * Targets for error measures where there is no reference landmark set: `n` different points drawn uniformly from
 * the bone surface. The same volume, options and seed give the same points. LPS mm.
 *
 * @throws VolumeError if the surface has fewer than `n` points.
 */
export function surfaceTargets(
  volume: Volume,
  n: number,
  seed: number,
  options: SurfaceTargetOptions = {}
): Vec3[] {
  const surface = boneSurface(volume, { window: OPEN_BONE_WINDOW, ...options })
  const { within } = options
  const points: Vec3[] = []
  for (let i = 0; i < surface.length; i += 3) {
    const p: Vec3 = [surface[i], surface[i + 1], surface[i + 2]]
    if (!within || p.every((x, a) => x >= within.min[a] && x <= within.max[a])) points.push(p)
  }
  if (points.length < n)
    throw new VolumeError(
      `The bone surface has ${points.length} points${within ? ' in the box' : ''}, fewer than the ${n} targets asked for`,
      'Ask for fewer targets, or widen the bone window or the box.'
    )
  const random = createRandom(seed)
  // The first n steps of a shuffle.
  for (let i = 0; i < n; i++) {
    const j = i + random.integer(points.length - i)
    const p = points[i]
    points[i] = points[j]
    points[j] = p
  }
  return points.slice(0, n)
}
