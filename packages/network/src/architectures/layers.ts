import { type ConvolutionOptions, conv2d } from '../graph/convolution.js'
import type { Tensor } from '../graph/graph.js'
import { groupNorm } from '../graph/image-ops.js'
import { addScalar, div, linear, mul, reduceMean, reshape, sqrt, sub } from '../graph/ops.js'
import type { Normalisation } from './spec.js'

/** How a parameter starts: normal with this standard deviation, or a constant. */
export type Initial = { readonly normal: number } | { readonly constant: number }

export interface ParameterDeclaration {
  readonly name: string
  readonly shape: readonly number[]
  readonly initial: Initial
  /** Whether its layer gives the landmarks: not Muon's to train, and learnt anew for another anatomy. */
  readonly head: boolean
}

/** Gives the tensor for a parameter: a slice of the flat vector in training, a constant in inference. */
export type ParameterSource = (declaration: ParameterDeclaration) => Tensor

export interface LayerOptions extends ConvolutionOptions {
  /** Multiplies the He standard deviation; small for layers that should start near zero. */
  readonly gain?: number
  readonly bias?: number
  readonly normalisation?: Normalisation
  /** Whether the layer gives the landmarks; default false. */
  readonly head?: boolean
}

/** Layers with parameters; `tap` sees the result of each before its activation (for data-dependent scaling). */
export interface Layers {
  convolution(name: string, x: Tensor, channels: number, kernel: number, options?: LayerOptions): Tensor
  linear(name: string, x: Tensor, outputs: number, options?: LayerOptions): Tensor
}

export interface Tap {
  readonly weight: string
  readonly gain: number
  readonly value: Tensor
}

export function createLayers(parameter: ParameterSource, tap: (t: Tap) => void = () => {}): Layers {
  return {
    convolution(name, x, channels, kernel, options = {}) {
      const inputs = x.shape[1]
      const { gain = 1, bias = 0, normalisation = 'none', head = false } = options
      // He et al. 2015: keeps the variance through ReLU layers.
      const normal = gain * Math.sqrt(2 / (inputs * kernel * kernel))
      const shape = [channels, inputs, kernel, kernel]
      let weight = parameter({ name: `${name}.weight`, shape, initial: { normal }, head })
      const scaleName = `${name}.gain`
      if (normalisation === 'weight') {
        const factor = parameter({
          name: scaleName,
          shape: [channels],
          initial: { constant: gain * Math.SQRT2 },
          head
        })
        weight = mul(standardised(weight), reshape(factor, [channels, 1, 1, 1]))
      }
      const shift = parameter({ name: `${name}.bias`, shape: [channels], initial: { constant: bias }, head })
      if (normalisation !== 'group') {
        const value = conv2d(x, weight, shift, options)
        tap({ weight: normalisation === 'weight' ? scaleName : `${name}.weight`, gain, value })
        return value
      }
      const factor = parameter({ name: scaleName, shape: [channels], initial: { constant: gain }, head })
      return groupNorm(conv2d(x, weight, undefined, options), groupsFor(channels), factor, shift)
    },
    linear(name, x, outputs, options = {}) {
      const inputs = x.shape[1]
      const { gain = 1, bias = 0, head = false } = options
      const initial = { normal: gain * Math.sqrt(2 / inputs) }
      const weight = parameter({ name: `${name}.weight`, shape: [outputs, inputs], initial, head })
      return linear(
        x,
        weight,
        parameter({ name: `${name}.bias`, shape: [outputs], initial: { constant: bias }, head })
      )
    }
  }
}

/** Scaled weight standardisation (Brock et al. 2021): every filter with zero mean and variance 1/fan-in. */
function standardised(weight: Tensor): Tensor {
  const [o, ...rest] = weight.shape
  const fanIn = rest.reduce((a, b) => a * b, 1)
  const flat = reshape(weight, [o, fanIn])
  const centred = sub(flat, reduceMean(flat, [1], true))
  const norm = sqrt(
    addScalar(mul(reduceMean(mul(centred, centred), [1], true), weight.graph.scalar(fanIn)), 1e-4)
  )
  return reshape(div(centred, norm), weight.shape)
}

function groupsFor(channels: number): number {
  const most = Math.max(1, Math.floor(channels / 16))
  for (let groups = most; groups > 1; groups--) if (channels % groups === 0) return groups
  return 1
}
