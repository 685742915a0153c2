import { gridSource } from './grid-source.js'
import type { SourceConfig } from './messages.js'
import { mixtureSource } from './mixture-source.js'
import { populationSource } from './population.js'
import { patientSource, phantomSource, type ViewSource } from './view-source.js'

/** The stream of views that a description stands for. */
export function openSource(s: SourceConfig): ViewSource {
  switch (s.kind) {
    case 'phantoms':
      return phantomSource(s)
    case 'patient':
      return patientSource(s)
    case 'population':
      return populationSource(s)
    case 'grid':
      return gridSource(s)
    case 'mixture':
      return mixtureSource(
        s.seed,
        s.parts.map(p => ({ weight: p.weight, source: openSource(p.source) }))
      )
  }
}
