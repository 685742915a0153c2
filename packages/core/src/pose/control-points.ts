import { PoseError } from '../errors.js'
import { centroid, sub, type Vec3 } from '../geometry/linear.js'
import { symmetricEigen } from './symmetric-eigen.js'

/** EPnP's control points and every point's barycentric coordinates in them (each row sums to 1). */
export interface ControlPoints {
  /** 4, or 3 where the points lie in a plane. */
  readonly count: 3 | 4
  /** LPS, mm. */
  readonly positions: readonly Vec3[]
  /** n × count, row-major. */
  readonly alphas: Float64Array
}

/** A cloud thinner than this share of its length is a plane or a line: barycentric coordinates would be noise. */
const FLAT = 1e-5

/** How far points spread along their principal axes: standard deviations (ascending, mm) and unit axes. */
export function principalAxes(points: readonly Vec3[]): { centre: Vec3; spread: Vec3; axes: Vec3[] } {
  const centre = centroid(points)
  const m = new Float64Array(9)
  for (const p of points) {
    const d = sub(p, centre)
    for (let r = 0; r < 3; r++) for (let k = 0; k < 3; k++) m[r * 3 + k] += (d[r] * d[k]) / points.length
  }
  const { values, vectors } = symmetricEigen(m, 3)
  const s = (i: number) => Math.sqrt(Math.max(values[i], 0))
  const axis = (i: number): Vec3 => [vectors[3 * i], vectors[3 * i + 1], vectors[3 * i + 2]]
  return { centre, spread: [s(0), s(1), s(2)], axes: [axis(0), axis(1), axis(2)] }
}

/** @throws PoseError where the points lie on one line (or coincide): no pose follows from them. */
export function assertSpread(points: readonly Vec3[]): void {
  const { spread } = principalAxes(points)
  if (!(spread[1] > FLAT * spread[2]))
    throw new PoseError(
      `The ${points.length} points lie on one line or coincide`,
      'Give landmarks that span a plane at least.'
    )
}

/**
 * The centroid and the principal axes, each scaled by the points' standard deviation along it.
 * @throws PoseError where the points lie on one line
 */
export function controlPoints(points: readonly Vec3[]): ControlPoints {
  assertSpread(points)
  const { centre, spread, axes } = principalAxes(points)
  const planar = !(spread[0] > FLAT * spread[2])
  const used = planar ? [1, 2] : [0, 1, 2]
  const count = planar ? 3 : 4
  const positions: Vec3[] = [
    centre,
    ...used.map(
      (k): Vec3 => [
        centre[0] + axes[k][0] * spread[k],
        centre[1] + axes[k][1] * spread[k],
        centre[2] + axes[k][2] * spread[k]
      ]
    )
  ]
  const alphas = new Float64Array(points.length * count)
  points.forEach((p, i) => {
    const d = sub(p, centre)
    let rest = 1
    used.forEach((k, j) => {
      const a = (d[0] * axes[k][0] + d[1] * axes[k][1] + d[2] * axes[k][2]) / spread[k]
      alphas[i * count + j + 1] = a
      rest -= a
    })
    alphas[i * count] = rest
  })
  return { count, positions, alphas }
}
