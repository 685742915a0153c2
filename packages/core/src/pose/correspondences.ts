import type { Detector } from '../geometry/camera.js'
import type { Mat4, Vec2, Vec3 } from '../geometry/linear.js'

/**
 * Points and where they were seen, in the units that every solver of this folder works in: image positions as
 * x/z and y/z of the camera frame, so that residuals times `sdd` are millimetres on the detector.
 */
export interface Correspondences {
  /** LPS, mm. */
  readonly points: readonly Vec3[]
  /** x/z, y/z of point i at 2i, 2i + 1. */
  readonly rays: Float64Array
  /** Relative inverse variance of each point's detection. */
  readonly weights: Float64Array
  /** Source-to-detector distance, mm. */
  readonly sdd: number
}

/**
 * @param points LPS, mm
 * @param pixels (u, v) of each point, pixels
 * @param weights relative inverse variances, default 1
 */
export function createCorrespondences(
  points: readonly Vec3[],
  pixels: readonly Vec2[],
  detector: Detector,
  weights?: ArrayLike<number>
): Correspondences {
  const rays = new Float64Array(2 * points.length)
  pixels.forEach(([u, v], i) => {
    rays[2 * i] = ((u - detector.principalPoint[0]) * detector.pixel[0]) / detector.sdd
    rays[2 * i + 1] = ((v - detector.principalPoint[1]) * detector.pixel[1]) / detector.sdd
  })
  return {
    points,
    rays,
    weights: Float64Array.from(points, (_, i) => (weights ? weights[i] : 1)),
    sdd: detector.sdd
  }
}

/** The correspondences at `indices`. */
export const pick = (c: Correspondences, indices: readonly number[]): Correspondences => ({
  points: indices.map(i => c.points[i]),
  rays: Float64Array.from(indices.flatMap(i => [c.rays[2 * i], c.rays[2 * i + 1]])),
  weights: Float64Array.from(indices, i => c.weights[i]),
  sdd: c.sdd
})

/**
 * Squared reprojection distances, mm² on the detector; infinite for points at or behind the source.
 * @param out n numbers, else a new array
 */
export function squaredResiduals(
  c: Correspondences,
  pose: Mat4,
  out = new Float64Array(c.points.length)
): Float64Array {
  const m = pose
  for (let i = 0; i < c.points.length; i++) {
    const p = c.points[i]
    const z = m[8] * p[0] + m[9] * p[1] + m[10] * p[2] + m[11]
    const x = (m[0] * p[0] + m[1] * p[1] + m[2] * p[2] + m[3]) / z - c.rays[2 * i]
    const y = (m[4] * p[0] + m[5] * p[1] + m[6] * p[2] + m[7]) / z - c.rays[2 * i + 1]
    out[i] = z > 0 ? (x * x + y * y) * c.sdd * c.sdd : Number.POSITIVE_INFINITY
  }
  return out
}
