import { ModelError } from '@raypose/core'
import { parameterLayout } from '../architectures/network.js'
import type { NetworkSpec } from '../architectures/spec.js'
import { randomParameters } from './initialise.js'

/**
 * Parameters for a network from those of another one that lies within it: layers of the same name are taken over, also where the new
 * one has more outputs (more landmarks: the old ones come first), and what is new starts as in a new network. Residual blocks
 * start as the identity, so that a deeper network begins where the shallower one stood (Chen et al., Net2Net, 2016).
 * @param seed of what is new
 * @param options.landmarks `new`: those of another anatomy, whose last layers start as in a new network
 * @throws ModelError when a layer of `from` has no place in `to`
 */
export function transferParameters(
  from: { readonly spec: NetworkSpec; readonly parameters: Float32Array },
  to: NetworkSpec,
  seed: number,
  { landmarks = 'kept' }: { readonly landmarks?: 'kept' | 'new' } = {}
): Float32Array {
  const values = randomParameters(to, seed)
  const places = new Map(parameterLayout(to).entries.map(e => [e.name, e]))
  for (const { name, shape, offset, size, head } of parameterLayout(from.spec).entries) {
    if (landmarks === 'new' && head) continue
    const place = places.get(name)
    const fits =
      place !== undefined &&
      place.shape.length === shape.length &&
      place.shape[0] >= shape[0] &&
      place.shape.slice(1).every((n, i) => n === shape[i + 1])
    if (!fits)
      throw new ModelError(
        `The network to start from has a layer ${name} [${shape}], which the new one ${place ? `has as [${place.shape}]` : 'lacks'}`,
        'Start from a network of the same kind with the same channels, no deeper and with no more landmarks.'
      )
    values.set(from.parameters.subarray(offset, offset + size), place.offset)
  }
  return values
}
