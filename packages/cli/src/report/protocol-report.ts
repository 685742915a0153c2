import type { PoseErrors } from '@raypose/core'
import {
  type Comparison,
  criteriaOf,
  isSuccess,
  type Method,
  type ProtocolResults,
  type ProtocolRow,
  type ProtocolRun
} from '@raypose/pipeline'
import { duration, fixed, plural } from './format.js'
import { type Content, type Html, html } from './html.js'
import { facts, page, picture, section, table } from './page.js'
import {
  boxPlot,
  heatMap,
  medianOf,
  methodColour,
  outcomePlot,
  rateCurves,
  reliabilityDiagram,
  timingBars
} from './protocol-plots.js'
import { type PoseScene, posesPlot } from './protocol-poses.js'
import {
  changeTable,
  conditionOf,
  groupBy,
  measureTable,
  type PlainTable,
  publishedTable,
  rateTable,
  rateText,
  shortTable
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
      has('reliability') && section('Does the stated probability come true?', shown('reliability')),
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

const plain = (t: PlainTable): Html => table(t.columns, t.rows)

const titleOf =
  (run: ProtocolRun) =>
  (method: string): string =>
    (run.protocol.methods[method] as Method | undefined)?.title ?? method

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

/** All figures of a run under the names of their files. */
export function protocolFigures({
  results,
  run,
  scene
}: Pick<ProtocolReportInput, 'results' | 'run' | 'scene'>): { name: string; figure: Html }[] {
  const titles = titleOf(run)
  const methods = results.summary.overall.map(s => s.method)
  const [first] = methods
  const mine = run.rows.filter(r => r.method === first)
  const [success] = criteriaOf(run.protocol)
  const limit = { value: success.threshold, name: conditionOf(success) }
  const initial: readonly { key: keyof PoseErrors; title: string; unit: string }[] = [
    { key: 'tre', title: 'Initial TRE', unit: 'mm' },
    { key: 'projectionDistance', title: 'Initial projection distance', unit: 'mm' },
    { key: 'cameraTranslation', title: 'Source position, initial pose', unit: 'mm' },
    { key: 'cameraRotationDeg', title: 'Camera rotation, initial pose', unit: 'degrees' }
  ]
  const figures: { name: string; figure: Html }[] = [
    { name: 'poses', figure: posesPlot(`Evaluation poses, ${run.patients[0].name}`, scene) }
  ]
  if (mine.some(r => r.initial)) {
    for (const m of initial)
      figures.push({
        name: `initial-${m.key}-by-patient`,
        figure: boxPlot(
          m.title,
          m.unit,
          run.patients.map(p => ({
            name: p.name,
            samples: mine.flatMap(r =>
              r.patient === p.name && r.initial
                ? [{ value: r.initial[m.key], title: `${p.name}, view ${r.view}` }]
                : []
            )
          })),
          'var(--initial)',
          m.key === success.measure ? limit : undefined
        )
      })
    for (const m of initial.filter(x => x.key !== 'projectionDistance'))
      figures.push({ name: `initial-${m.key}-by-angle`, figure: angleMap(m, mine) })
  }
  methods.forEach((method, i) => {
    const points = run.rows.flatMap(r =>
      r.method === method && r.initial && r.final
        ? [
            {
              x: r.initial.tre,
              y: r.final[success.measure],
              title: `${r.patient}, view ${r.view}: ${fixed(r.initial.tre, 1)} mm to ${fixed(r.final[success.measure], 2)}`
            }
          ]
        : []
    )
    if (points.length > 0)
      figures.push({
        name: `outcome-${i + 1}`,
        figure: outcomePlot(titles(method), points, methodColour(i), limit, {
          x: 'initial TRE, mm',
          y: 'final mPD, mm'
        })
      })
  })
  if (results.captureRange.length > 0)
    figures.push({
      name: 'capture-range',
      figure: rateCurves(
        `Success (${conditionOf(success)}) by the distance of the start`,
        'TRE of the start, mm',
        [...groupBy(results.captureRange, p => p.method)].map(([method, points]) => ({
          name: titles(method),
          points: points.map(p => ({ x: p.treMm, count: p.successes, of: p.of }))
        }))
      )
    })
  for (const which of ['initial', 'final'] as const) {
    const samples = mine.flatMap(r => {
      const probability = which === 'initial' ? r.initialProbability : r.probability
      const errors = r[which]
      return probability === null || !errors
        ? []
        : [{ probability, success: isSuccess(run.protocol, { final: errors }) }]
    })
    if (samples.length > 0)
      figures.push({
        name: `reliability-${which}`,
        figure: reliabilityDiagram(which === 'initial' ? 'Initial pose' : 'Final pose', samples)
      })
  }
  figures.push({
    name: 'time',
    figure: timingBars('Median seconds from X-ray to pose', timings(run, methods, titles))
  })
  return figures
}

/** Mean initial error over γ × β. */
function angleMap(
  m: { readonly key: keyof PoseErrors; readonly title: string; readonly unit: string },
  rows: readonly ProtocolRow[]
): Html {
  const levels = (f: (r: ProtocolRow) => number) => [...new Set(rows.map(f))].sort((a, b) => a - b)
  const means = new Map(
    [...groupBy(rows, r => `${r.gammaDeg} ${r.betaDeg}`)].flatMap(([place, list]) => {
      const values = list.flatMap(r => (r.initial ? [r.initial[m.key]] : [])).filter(Number.isFinite)
      return values.length > 0 ? [[place, values.reduce((s, x) => s + x, 0) / values.length] as const] : []
    })
  )
  return heatMap(
    m.title,
    m.unit,
    { name: 'γ, degrees', levels: levels(r => r.gammaDeg) },
    { name: 'β, degrees', levels: levels(r => r.betaDeg) },
    (gamma, beta) => means.get(`${gamma} ${beta}`) ?? null,
    Math.max(...means.values())
  )
}

function timings(run: ProtocolRun, methods: readonly string[], titles: (method: string) => string) {
  return methods.flatMap(method => {
    const rows = run.rows.filter(r => r.method === method && r.seconds.total !== undefined)
    const parts = [...new Set(rows.flatMap(r => Object.keys(r.seconds)))].filter(k => k !== 'total')
    const measured = parts.map(name => ({ name, seconds: medianOf(rows.map(r => r.seconds[name] ?? 0)) }))
    const rest = medianOf(rows.map(r => r.seconds.total)) - measured.reduce((s, p) => s + p.seconds, 0)
    const all = rest > 0.001 ? [...measured, { name: 'rest', seconds: rest }] : measured
    return rows.length > 0 ? [{ name: titles(method), parts: all }] : []
  })
}

function pictures(gallery: ProtocolReportInput['gallery']): Html {
  const outcome = (r: ProtocolRow): Content =>
    r.failure ??
    `TRE ${fixed(r.initial?.tre, 2)} → ${fixed(r.final?.tre, 2)} mm, mPD ${fixed(r.initial?.projectionDistance, 2)} → ${fixed(r.final?.projectionDistance, 2)} mm`
  return html`<div class="gallery">${gallery.map(({ row: r, png }) =>
    picture(
      png,
      `${r.patient}, view ${r.view}`,
      html`<strong>${r.patient}, view ${r.view}</strong> β ${fixed(r.betaDeg, 0)}°, γ ${fixed(r.gammaDeg, 0)}°, z ${fixed(r.offsetMm[2], 0)} mm<br>${outcome(r)}`
    )
  )}</div><p class="note">Crosses: the targets where they truly are; circles: where the pose found has them; lines: edges of the DRR at that pose.</p>`
}
