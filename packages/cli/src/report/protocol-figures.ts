import type { PoseErrors } from '@raypose/core'
import {
  criteriaOf,
  isSuccess,
  type Method,
  type ProtocolResults,
  type ProtocolRow,
  type ProtocolRun,
  STATED_TRE,
  statements
} from '@raypose/pipeline'
import { fixed } from './format.js'
import type { Html } from './html.js'
import type { Limit } from './plots.js'
import {
  boxPlot,
  heatMap,
  medianOf,
  methodColour,
  outcomeEnds,
  outcomePlot,
  rateCurves,
  reliabilityDiagram,
  timingBars
} from './protocol-plots.js'
import { FROM_HEAD, OBLIQUE, type PoseScene, posesPlot } from './protocol-poses.js'
import { conditionOf, groupBy, shortName } from './protocol-tables.js'

export interface FiguresInput {
  readonly results: ProtocolResults
  readonly run: ProtocolRun
  readonly scene: PoseScene
}

export interface NamedFigure {
  /** Of its file, without ending. */
  readonly name: string
  readonly figure: Html
}

export const titleOf =
  (run: ProtocolRun) =>
  (method: string): string =>
    (run.protocol.methods[method] as Method | undefined)?.title ?? method

/** All figures of a run under the names of their files. */
export function protocolFigures({ results, run, scene }: FiguresInput): NamedFigure[] {
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
  const figures: NamedFigure[] = [
    { name: 'poses', figure: posesPlot(`Evaluation poses, ${run.patients[0].name}`, scene, OBLIQUE) },
    { name: 'poses-from-head', figure: posesPlot('Seen from the head', scene, FROM_HEAD) }
  ]
  if (mine.some(r => r.initial)) {
    for (const m of initial)
      figures.push({
        name: `initial-${m.key}-by-patient`,
        figure: boxPlot(
          m.title,
          m.unit,
          byPatient(run, mine, m.key),
          'var(--initial)',
          m.key === success.measure ? limit : undefined
        )
      })
    for (const m of initial) figures.push({ name: `initial-${m.key}-by-angle`, figure: angleMap(m, mine) })
  }
  figures.push(...outcomes(run, methods, titles, success.measure, limit))
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
  figures.push(...reliability(run, mine))
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
    { name: 'γ (left/right orbit), degrees', levels: levels(r => r.gammaDeg) },
    { name: 'β', levels: levels(r => r.betaDeg) },
    (gamma, beta) => means.get(`${gamma} ${beta}`) ?? null,
    Math.max(...means.values())
  )
}

/** What parts of a registration are called. */
const PARTS: Record<string, string | undefined> = {
  detect: 'landmarks',
  initialPose: 'initial pose',
  refine: 'registration'
}

function timings(run: ProtocolRun, methods: readonly string[], titles: (method: string) => string) {
  return methods.flatMap(method => {
    const rows = run.rows.filter(r => r.method === method && r.seconds.total !== undefined)
    const parts = [...new Set(rows.flatMap(r => Object.keys(r.seconds)))].filter(k => k !== 'total')
    const measured = parts.map(name => ({
      name: PARTS[name] ?? name,
      seconds: medianOf(rows.map(r => r.seconds[name] ?? 0))
    }))
    const rest = medianOf(rows.map(r => r.seconds.total)) - measured.reduce((s, p) => s + p.seconds, 0)
    const all = rest > 0.001 ? [...measured, { name: 'rest', seconds: rest }] : measured
    return rows.length > 0 ? [{ name: titles(method), parts: all }] : []
  })
}

/** A measure of the initial poses: a box for each patient, and one for all where there are several. */
function byPatient(run: ProtocolRun, rows: readonly ProtocolRow[], key: keyof PoseErrors) {
  const groups = run.patients.map(p => ({
    name: p.name,
    samples: rows.flatMap(r =>
      r.patient === p.name && r.initial ? [{ value: r.initial[key], title: `${p.name}, view ${r.view}` }] : []
    )
  }))
  return groups.length > 1 ? [...groups, { name: 'all', samples: groups.flatMap(g => g.samples) }] : groups
}

/** Final error against initial error, a plot for each method, all on the same axes. */
function outcomes(
  run: ProtocolRun,
  methods: readonly string[],
  titles: (method: string) => string,
  measure: keyof PoseErrors,
  limit: Limit
): NamedFigure[] {
  const points = methods.map(method =>
    run.rows.flatMap(r =>
      r.method === method && r.initial && r.final
        ? [
            {
              x: r.initial.tre,
              y: r.final[measure],
              title: `${r.patient}, view ${r.view}: ${fixed(r.initial.tre, 1)} mm to ${fixed(r.final[measure], 2)}`
            }
          ]
        : []
    )
  )
  const ends = outcomeEnds(points.flat(), limit)
  const names = { x: 'initial TRE, mm', y: `final ${shortName(measure)}, mm` }
  return methods.flatMap((method, i) =>
    points[i].length > 0
      ? [
          {
            name: `outcome-${i + 1}`,
            figure: outcomePlot(titles(method), points[i], methodColour(i), limit, names, ends)
          }
        ]
      : []
  )
}

/** Stated probabilities against what happened: of the initial pose (success), and of the final one (TRE beyond its limits). */
function reliability(run: ProtocolRun, rows: readonly ProtocolRow[]): NamedFigure[] {
  const initial = rows.flatMap(r =>
    r.initialProbability === null || !r.initial
      ? []
      : [{ probability: r.initialProbability, happened: isSuccess(run.protocol, { final: r.initial }) }]
  )
  return [
    {
      name: 'reliability-initial',
      title: 'Initial pose is a success',
      samples: initial
    },
    ...STATED_TRE.map(stated => ({
      name: `reliability-tre-above-${stated.treAboveMm}`,
      title: `Final TRE beyond ${stated.treAboveMm} mm`,
      samples: statements(rows, stated)
    }))
  ].flatMap(({ name, title, samples }) =>
    samples.length > 0
      ? [
          {
            name,
            figure: reliabilityDiagram(
              title,
              { stated: 'stated probability', happened: 'share that it came true in' },
              samples
            )
          }
        ]
      : []
  )
}
