import type { Tensor } from './graph.js'
import { type MatrixPlace, withMuonSteps } from './muon.js'
import { add, addScalar, div, mul, reduceSum, reshape, scale, slice, sqrt, sub } from './ops.js'

/**
 * AdamW (Kingma & Ba 2015; Loshchilov & Hutter 2019) on one flat vector, with clipping of the gradient's global norm
 * and an exponential moving average of the weights, appended to the graph so that one run is one training step. Some
 * matrices in the vector may take Muon's steps instead (`muon.ts`).
 */
export interface AdamState {
  readonly parameters: Tensor
  readonly first: Tensor
  readonly second: Tensor
  readonly average: Tensor
}

/** Numbers that may change from step to step, in the order of the `hyper` input. */
export interface AdamHyper {
  readonly lr: number
  /** Decay of the mean of the gradients: Adam's β₁ and Muon's momentum. */
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  /** Decoupled weight decay, times lr, on weights (not on biases and gains). */
  readonly weightDecay: number
  /** Largest global norm of the gradient; Infinity for no clipping. */
  readonly clipNorm: number
  /** Share of the old average kept; 0 makes the average equal the parameters. */
  readonly averageDecay: number
}

export const hyperLength = 10

/** The `hyper` input for step `step` (1 for the first): AdamHyper with the bias corrections worked out. */
export function hyperVector(
  h: AdamHyper,
  step: number,
  into: Float32Array = new Float32Array(hyperLength)
): Float32Array {
  // An average that starts at the initial weights would remember them for 1/(1 − decay) steps.
  const averageDecay = Math.min(h.averageDecay, step / (step + 9))
  into.set([
    h.lr / (1 - h.beta1 ** step),
    1 / (1 - h.beta2 ** step),
    h.beta1,
    h.beta2,
    h.epsilon,
    h.lr * h.weightDecay,
    Math.min(h.clipNorm, 3e38),
    averageDecay,
    1 - averageDecay,
    h.lr
  ])
  return into
}

/**
 * @param gradient flat gradient [P]
 * @param decayed [P], 1 where weight decay applies
 * @param hyper [hyperLength] from `hyperVector`
 * @param matrices that take Muon's steps, in the order of their places
 * @returns the next state and the norm of the gradient before clipping (a scalar)
 */
export function adamUpdate(
  state: AdamState,
  gradient: Tensor,
  decayed: Tensor,
  hyper: Tensor,
  matrices: readonly MatrixPlace[] = []
): { next: AdamState; gradientNorm: Tensor } {
  const { graph } = gradient
  return graph.withoutTape(() => {
    const at = (i: number) => reshape(slice(hyper, 0, i, i + 1), [])
    const [stepSize, secondCorrection, beta1, beta2, epsilon, decay, clip, kept, taken, rate] = Array.from(
      { length: hyperLength },
      (_, i) => at(i)
    )
    const complement = (t: Tensor) => addScalar(scale(t, -1), 1)
    const gradientNorm = sqrt(reduceSum(mul(gradient, gradient)))
    const ratio = div(clip, addScalar(gradientNorm, 1e-12))
    const factor = graph.node('Min', [ratio, graph.scalar(1)], {}, [])
    const g = mul(gradient, factor)
    const first = add(mul(state.first, beta1), mul(g, complement(beta1)))
    const second = add(mul(state.second, beta2), mul(mul(g, g), complement(beta2)))
    const direction = div(first, add(sqrt(mul(second, secondCorrection)), epsilon))
    const shrunk = mul(state.parameters, complement(mul(decayed, decay)))
    const adamStep = mul(direction, stepSize)
    // Nesterov's look ahead.
    const ahead = () => add(first, mul(sub(g, first), complement(beta1)))
    const step = matrices.length === 0 ? adamStep : withMuonSteps(adamStep, ahead(), rate, matrices)
    const parameters = sub(shrunk, step)
    const average = add(mul(state.average, kept), mul(parameters, taken))
    return { next: { parameters, first, second, average }, gradientNorm }
  })
}
