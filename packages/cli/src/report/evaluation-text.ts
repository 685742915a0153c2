import type { Evaluation } from '@raypose/pipeline'
import { textTable } from '../terminal/table.js'
import { duration, fixed, percentage } from './format.js'
import { countCriteria, MEASURES } from './measures.js'

/** An evaluation as text for a terminal: what counts, in two tables. */
export function evaluationText(e: Evaluation): string {
  const numeric = (title: string) => ({ title, align: 'right' as const })
  const cells = (s: Evaluation['final'], key: (typeof MEASURES)[number]['key']) => {
    const m = s?.measures[key]
    return [`${fixed(m?.mean, 2)} ± ${fixed(m?.std, 2)}`, fixed(m?.median, 2), fixed(m?.p95, 2)]
  }
  const measures = textTable(
    [
      { title: 'Measure' },
      numeric('initial'),
      numeric('median'),
      numeric('p95'),
      numeric('final'),
      numeric('median'),
      numeric('p95')
    ],
    MEASURES.map(m => [`${m.name}, ${m.unit}`, ...cells(e.initial, m.key), ...cells(e.final, m.key)])
  )
  const rate = (count: number, of: number) => (of > 0 ? `${count} of ${of} (${percentage(count / of)})` : '–')
  const criteria = countCriteria(e)
  const rates = textTable(
    [{ title: 'Rate' }, { title: 'threshold' }, numeric('initial'), numeric('final')],
    criteria.map(c => [c.title, c.condition, rate(c.initial, c.of), rate(c.final, c.of)])
  )
  const missing = e.views.filter(v => !v.final).length
  return [
    `${e.successes} of ${e.views.length} views registered within ${criteria[0].condition} (${e.conditions.views}; targets: ${e.conditions.targets}; ${duration(e.seconds)})`,
    ...(missing > 0 ? [`${missing} without a pose`] : []),
    ...(e.timings
      ? [
          `X-ray in memory to initial pose: ${fixed(e.timings.initMs.median, 0)} ms (median), ${fixed(e.timings.initMs.p95, 0)} ms (p95)`
        ]
      : []),
    '',
    measures,
    '',
    rates
  ].join('\n')
}
