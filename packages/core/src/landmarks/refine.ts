import type { Camera } from '../geometry/camera.js'
import type { Vec3 } from '../geometry/linear.js'
import {
  type BackProjectedPoint,
  type BackProjectionOptions,
  backProject,
  type Detection
} from './back-projection.js'
import { nearestPoint, type PointCells } from './sphere-growing.js'

export interface RefinementOptions {
  readonly backProjection?: Partial<BackProjectionOptions>
  /** A point that has no bone surface within this distance is dropped, mm. */
  readonly maxSurfaceMm?: number
  /** Whether p_rays is moved to the bone surface (the paper does). */
  readonly snap?: boolean
}

/** One landmark of M′ and how it came about. */
export interface RefinedLandmark {
  /** m′, LPS mm; null if the landmark was dropped. */
  readonly point: Vec3 | null
  /** p_rays and the agreement of its rays. */
  readonly rays: BackProjectedPoint
  /** Distance from p_rays to the nearest surface point, mm; NaN if there is none. */
  readonly surfaceDistance: number
  /** Why it was dropped. */
  readonly reason?: string
}

/** Furthest bone surface that p_rays is moved to, mm: landmarks lie on bone, so a point further off is wrong. */
export const MAX_SURFACE_MM = 30

/**
 * Phase 2b (paper section 2): the patient's own landmarks M′ from detections in views of known geometry and the
 * bone surface of the CT (`pointCells(boneSurface(volume))`). One entry per landmark, in the order of the set.
 *
 * @param detections [K][Ω]
 * @throws ArgumentError as {@link backProject}.
 */
export function refineLandmarks(
  detections: readonly (readonly Detection[])[],
  cameras: readonly Camera[],
  surface: PointCells,
  options: RefinementOptions = {}
): RefinedLandmark[] {
  const { maxSurfaceMm = MAX_SURFACE_MM, snap = true } = options
  return backProject(detections, cameras, options.backProjection).map(rays => {
    if (!rays.point) return { point: null, rays, surfaceDistance: Number.NaN, reason: rays.reason }
    const near = nearestPoint(surface, rays.point, maxSurfaceMm)
    if (!near)
      return {
        point: null,
        rays,
        surfaceDistance: Number.NaN,
        reason: `no bone surface within ${maxSurfaceMm} mm of where the rays meet`
      }
    return { point: snap ? near.point : rays.point, rays, surfaceDistance: near.distance }
  })
}
