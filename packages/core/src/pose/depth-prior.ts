import { type Mat3, mulMat3Vec3, sub, type Vec3 } from '../geometry/linear.js'

/**
 * A weak belief in how far from the source a point is (the C-arm's isocentre, where the patient was put): single views hardly tell.
 */
export interface DepthPrior {
  /** LPS mm. */
  readonly point: Vec3
  /** Its distance from the source along the optical axis, mm. */
  readonly depth: number
  /** Standard deviation of that belief, mm. */
  readonly sigma: number
  /** Noise of detections of weight 1, mm on the detector: against it the belief is weighed. Default 3. */
  readonly noise?: number
  /** From about where on it is rather disbelieved: scale of its Cauchy loss, mm. Default Infinity: a quadratic one. */
  readonly scale?: number
}

/** A {@link DepthPrior} as one more residual, mm, of a pose that turns about `centre`. */
export interface PriorTerm {
  /** Prior's point minus the centre, LPS mm. */
  readonly arm: Vec3
  readonly depth: number
  readonly weight: number
  readonly noise: number
  readonly scale: number
}

export const priorTerm = (
  { point, depth, sigma, noise = 3, scale = Number.POSITIVE_INFINITY }: DepthPrior,
  centre: Vec3
): PriorTerm => ({
  arm: sub(point, centre),
  depth,
  weight: (noise / sigma) ** 2,
  noise,
  scale
})

/** Residual (mm) and its derivatives by the six unknowns of {@link reprojectionJacobian}. */
export function priorResidual(
  prior: PriorTerm,
  r: Mat3,
  t: Vec3
): { value: number; slope: readonly [number, number, number, number, number, number] } {
  const [ax, ay, az] = mulMat3Vec3(r, prior.arm)
  return { value: az + t[2] - prior.depth, slope: [ay, -ax, 0, 0, 0, 1] }
}
