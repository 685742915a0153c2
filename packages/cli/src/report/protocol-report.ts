import type { Comparison, ProtocolResults, ProtocolRow, ProtocolRun } from '@raypose/pipeline'
import { duration, fixed, plural } from './format.js'
import { type Content, type Html, html } from './html.js'
import { facts, page, picture, section, table } from './page.js'
import { protocolFigures, titleOf } from './protocol-figures.js'
import type { PoseScene } from './protocol-poses.js'
import {
  calibrationTable,
  changeTable,
  conditionOf,
  groupBy,
  measureTable,
  type PlainTable,
  publishedTable,
  rateTable,
  rateText,
  shortTable,
  statusTable
} from './protocol-tables.js'

export interface ProtocolReportInput {
  readonly results: ProtocolResults
  readonly run: ProtocolRun
  readonly comparison: Comparison | null
  readonly scene: PoseScene
  /** Of the first method, worst first. */
  readonly gallery: readonly { readonly row: ProtocolRow; readonly png: Uint8Array }[]
}

/** The page that `raypose evaluate --protocol` writes. */
export function protocolReport(input: ProtocolReportInput): string {
  const { results: r, run, comparison, gallery } = input
  const titles = titleOf(run)
  const { overall, patients, published } = r.summary
  const figures = new Map(protocolFigures(input).map(f => [f.name, f.figure]))
  const shown = (prefix: string, least = 300): Html =>
    html`<div class="columns" style="grid-template-columns:repeat(auto-fit,minmax(min(100%,${least}px),1fr))">${[...figures].flatMap(([name, figure]) => (name.startsWith(prefix) ? [html`<figure>${figure}</figure>`] : []))}</div>`
  const has = (prefix: string) => [...figures.keys()].some(name => name.startsWith(prefix))
  const arms = groupBy(r.ablations, a => a.ablation)
  return page({
    title: r.protocol.title,
    subtitle: html`${plural(r.patients.length, 'patient')}, ${plural(new Set(run.rows.map(x => `${x.patient} ${x.view}`)).size, 'simulated X-ray')} (preset “${run.protocol.xray.preset}”, float64 reference renderer), seed ${r.protocol.seed}. Targets: ${targetWords(run)}.`,
    body: [
      headline(run, overall, titles),
      section(
        'Methods',
        plain(
          shortTable(
            overall.map(s => ({ name: titles(s.method), summary: s })),
            'Method'
          )
        )
      ),
      published.length > 0 &&
        section('Beside the published figures', plain(publishedTable(published, titles))),
      comparison &&
        section(
          'Against the earlier run',
          html`${plain(changeTable(comparison.changes, titles))}<p class="note">${comparison.pairs} views of both runs, ${comparison.unpaired} of but one. Wilcoxon’s signed-rank test (McNemar’s for rates), adjusted by Holm over the whole table; intervals by drawing patients, then their views.</p>`
        ),
      section('Where the C-arm stood', shown('poses', 440)),
      has('initial') &&
        section(
          'Initialisation',
          html`${shown('initial', 440)}<p class="note">Boxes: quartiles and median; whiskers: 5th to 95th percentile. Maps: mean over heights and patients.</p>`
        ),
      section('Registration against initialisation', shown('outcome')),
      has('capture') && section('Capture range', shown('capture', 440)),
      judged(overall, titles, has('reliability') && shown('reliability')),
      section('Time', shown('time', 440)),
      section(
        'By patient',
        html`${patients.map(
          p =>
            html`<h3>${p.name}</h3>${plain(
              shortTable(
                p.methods.map(s => ({ name: titles(s.method), summary: s })),
                'Method'
              )
            )}`
        )}`
      ),
      section('Errors of the initial pose', plain(measureTable(overall.slice(0, 1), 'initial', titles))),
      section('Errors of the final pose', plain(measureTable(overall, 'final', titles))),
      section('Errors of the successes', plain(measureTable(overall, 'finalOfSuccesses', titles))),
      section(
        'Rates',
        html`<h3>Initial pose</h3>${plain(rateTable(overall, 'initialRates', titles))}<h3>Final pose</h3>${plain(rateTable(overall, 'finalRates', titles))}<p class="note">Of all views: one without a pose is no success.</p>`
      ),
      [...arms.values()].map(list =>
        section(
          `Ablation: ${list[0].title}`,
          plain(
            shortTable(
              list.flatMap(a =>
                a.methods.map(s => ({
                  name: a.methods.length > 1 ? `${a.arm}: ${titles(s.method)}` : a.arm,
                  summary: s
                }))
              ),
              'Arm'
            )
          )
        )
      ),
      gallery.length > 0 &&
        section(`The worst ${gallery.length}, ${titles(gallery[0].row.method)}`, pictures(gallery)),
      section(
        'Conditions',
        facts([
          ['Machine', r.conditions.machine],
          ['Views at a time', String(r.conditions.workers)],
          ['Time of the last call', duration(r.conditions.seconds)],
          ...r.patients.map(
            p =>
              [
                p.name,
                html`${p.views} views, ${p.targets} ${p.targetKind === 'landmarks' ? 'reference landmarks' : 'points of the bone’s surface'}; CT <code>${p.ctSha256.slice(0, 16)}</code>${p.bundleSha256 && html`, preparation <code>${p.bundleSha256.slice(0, 16)}</code>`}`
              ] as const
          )
        ])
      )
    ],
    footer: `Raypose ${r.version}. Not a medical device: for research only.`
  })
}

/** Whether methods knew which of their poses were right. */
function judged(
  overall: ProtocolResults['summary']['overall'],
  titles: (method: string) => string,
  diagrams: Content
): Content {
  const [status, calibration] = [statusTable(overall, titles), calibrationTable(overall, titles)]
  if (!status && !diagrams) return null
  return section(
    'Did it know which poses were right?',
    html`${status && plain(status)}${calibration && html`<br>${plain(calibration)}`}${diagrams}<p class="note">A success is what the first criterion says. Dots: views by their stated probability, with 95 % intervals (Wilson) and their number; on the dotted line what is said comes true. A Brier score below that of the share alone says more than “that many of all”.</p>`
  )
}

const plain = (t: PlainTable): Html => table(t.columns, t.rows)

function targetWords(run: ProtocolRun): string {
  const kinds = new Set(run.patients.map(p => p.targetKind))
  const words = { landmarks: 'the reference landmarks M', surface: 'points of the bone’s surface' }
  return [...kinds].map(k => words[k]).join('; ')
}

function headline(
  run: ProtocolRun,
  overall: ProtocolResults['summary']['overall'],
  titles: (method: string) => string
): Html {
  const [first] = overall
  if (!first) return html`<p class="headline">No view was evaluated.</p>`
  const [rate] = first.finalRates
  const median = (key: 'initial' | 'final') => fixed(first[key]?.measures.tre.median, 2)
  return html`<p class="headline">${titles(first.method)}: ${rateText(rate)} within ${conditionOf(rate)}</p>
<p>Median target registration error: ${median('initial')} mm from landmarks alone, ${median('final')} mm after registration, over ${plural(first.poses, 'pose')} of ${plural(run.patients.length, 'patient')}.</p>`
}

function pictures(gallery: ProtocolReportInput['gallery']): Html {
  const outcome = (r: ProtocolRow): Content =>
    r.failure ??
    `${r.status ? `${r.status}; ` : ''}TRE ${fixed(r.initial?.tre, 2)} → ${fixed(r.final?.tre, 2)} mm, mPD ${fixed(r.initial?.projectionDistance, 2)} → ${fixed(r.final?.projectionDistance, 2)} mm`
  return html`<div class="gallery">${gallery.map(({ row: r, png }) =>
    picture(
      png,
      `${r.patient}, view ${r.view}`,
      html`<strong>${r.patient}, view ${r.view}</strong> β ${fixed(r.betaDeg, 0)}°, γ ${fixed(r.gammaDeg, 0)}°, z ${fixed(r.offsetMm[2], 0)} mm<br>${outcome(r)}`
    )
  )}</div><p class="note">Crosses: the targets where they truly are; circles: where the pose found has them; lines: edges of the DRR at that pose.</p>`
}
