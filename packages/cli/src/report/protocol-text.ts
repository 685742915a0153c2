import type { Comparison, Method, ProtocolResults } from '@raypose/pipeline'
import { textTable } from '../terminal/table.js'
import { duration, plural } from './format.js'
import {
  calibrationTable,
  changeTable,
  groupBy,
  type PlainTable,
  publishedTable,
  rateText,
  shortTable,
  statusTable
} from './protocol-tables.js'

const plain = (t: PlainTable): string =>
  textTable(
    t.columns.map(c => ({ title: c.title, align: c.numeric ? 'right' : 'left' })),
    t.rows
  )

/** What a protocol came to, for a terminal. */
export function protocolText(r: ProtocolResults, comparison: Comparison | null): string {
  const methods = r.protocol.methods as Record<string, Method | undefined>
  const titles = (m: string) => methods[m]?.title ?? m
  const named = (list: ProtocolResults['summary']['overall']) =>
    list.map(s => ({ name: titles(s.method), summary: s }))
  const capture = groupBy(r.captureRange, p => p.method)
  const ablations = groupBy(r.ablations, a => a.ablation)
  return [
    `${r.protocol.title}: ${plural(r.patients.length, 'patient')} (${duration(r.conditions.seconds)})`,
    '',
    plain(shortTable(named(r.summary.overall), 'Method')),
    ...(r.summary.published.length > 0 ? ['', plain(publishedTable(r.summary.published, titles))] : []),
    ...[statusTable(r.summary.overall, titles), calibrationTable(r.summary.overall, titles)].flatMap(t =>
      t ? ['', plain(t)] : []
    ),
    ...r.summary.patients.flatMap(p => ['', plain(shortTable(named(p.methods), p.name))]),
    ...[...capture].flatMap(([method, points]) => [
      '',
      `Capture range, ${titles(method)}: ${points.map(p => `${p.treMm} mm ${rateText({ count: p.successes, of: p.of })}`).join(', ')}`
    ]),
    ...[...ablations.values()].flatMap(list => [
      '',
      plain(
        shortTable(
          list.flatMap(a => a.methods.map(s => ({ name: `${a.arm} (${titles(s.method)})`, summary: s }))),
          list[0].title
        )
      )
    ]),
    ...(comparison
      ? [
          '',
          `Against the earlier run, ${plural(comparison.pairs, 'view')} of both:`,
          plain(changeTable(comparison.changes, titles))
        ]
      : [])
  ].join('\n')
}
