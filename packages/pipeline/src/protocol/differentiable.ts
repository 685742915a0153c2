import { type DifferentiableSimilarityFactory, patchCorrelation, type SimilarityByName } from '@raypose/core'

/** Similarities that Gauss–Newton can climb: all are correlations of patches. */
export const DIFFERENTIABLE = ['ncc', 'lncc', 'gncc', 'pgncc'] as const satisfies readonly SimilarityByName[]
export type DifferentiableName = (typeof DIFFERENTIABLE)[number]

/** Side of patches, pixels: it fits the coarsest picture of the pyramid. */
const PATCH = 16

/** What is correlated, and whether patch by patch: `patchCorrelation` covers all four. */
const OPTIONS: Record<DifferentiableName, { of: 'value' | 'gradient'; patches: boolean }> = {
  ncc: { of: 'value', patches: false },
  lncc: { of: 'value', patches: true },
  gncc: { of: 'gradient', patches: false },
  pgncc: { of: 'gradient', patches: true }
}

/** A similarity with derivatives by the name that the one without goes by. */
export const differentiable = (name: DifferentiableName): DifferentiableSimilarityFactory => {
  const { of, patches } = OPTIONS[name]
  return (fixed, options) => {
    const side = Math.min(PATCH, 2 * Math.floor(Math.min(fixed.width, fixed.height) / 2))
    return patchCorrelation(fixed, { ...options, of, patch: patches ? side : Number.POSITIVE_INFINITY })
  }
}
