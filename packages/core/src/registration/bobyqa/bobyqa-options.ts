/** What to minimise within, and how closely. */
export interface BobyqaOptions {
  readonly start: ArrayLike<number>
  readonly lower: ArrayLike<number>
  readonly upper: ArrayLike<number>
  /** First radius of the trust region: about a tenth to a quarter of the change expected; bounds are at least twice it apart. */
  readonly rhoBegin: number
  /** Last radius: the precision wanted in the variables. */
  readonly rhoEnd: number
  /** Default: no limit. */
  readonly maxEvaluations?: number
  /** Interpolation points; default 2n + 1. */
  readonly points?: number
}
