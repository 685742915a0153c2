import { ArgumentError, createRandom } from '@raypose/core'
import type { ViewSource } from './view-source.js'

export interface MixturePart {
  /** Share of the views, relative to the other parts'. */
  readonly weight: number
  readonly source: ViewSource
}

/**
 * Views of several sources, each drawn by its weight: view by view, so that batches are mixed whatever each source's order.
 * @throws ArgumentError where the weights are not positive numbers
 */
export function mixtureSource(seed: number, parts: readonly MixturePart[]): ViewSource {
  const total = parts.reduce((sum, p) => sum + p.weight, 0)
  if (!(parts.length > 0 && parts.every(p => p.weight > 0) && Number.isFinite(total)))
    throw new ArgumentError(
      `${parts.map(p => p.weight).join(', ') || 'Nothing'} cannot be the weights of a mixture`,
      'Give at least one part, each with a positive weight.'
    )
  const random = createRandom(seed ^ 0x3017)
  return () => {
    let at = random.uniform(0, total)
    for (const { weight, source } of parts) {
      at -= weight
      if (at < 0) return source()
    }
    return parts[parts.length - 1].source()
  }
}
