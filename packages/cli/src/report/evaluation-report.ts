import { DEGREE, type PoseErrors, type Summary } from '@raypose/core'
import type { EvaluatedView, Evaluation } from '@raypose/pipeline'
import { duration, fixed, percentage, plural } from './format.js'
import { type Content, type Html, html, markup } from './html.js'
import { countCriteria, MEASURES, worstFirst } from './measures.js'
import { facts, page, picture, section, table } from './page.js'
import { againstPlot, beforeAfterPlot, type Sample, type Series, stripPlot } from './plots.js'

export interface EvaluationReportInput {
  readonly evaluation: Evaluation
  /** Overlays of some or all views (see `drawOverlay`), by the views' index; shown worst first. */
  readonly gallery: readonly { readonly index: number; readonly png: Uint8Array }[]
  readonly title?: string
}

/** The page that `raypose evaluate` writes. */
export function evaluationReport({ evaluation: e, gallery, title }: EvaluationReportInput): string {
  return page({
    title: title ?? `Evaluation on ${plural(e.views.length, 'view')}`,
    subtitle: html`${e.conditions.views}; X-rays: preset “${e.conditions.preset}”, ${e.conditions.renderer}; targets: ${e.conditions.targets}; seed ${e.conditions.seed}`,
    body: [
      headline(e),
      section('Errors', measureTable(e)),
      section('Rates', rateTable(e)),
      section('Distributions', distributions(e)),
      section('Before and after', beforeAfter(e)),
      section('Error against the view', againstAngles(e)),
      gallery.length > 0 && section('Views, worst first', pictures(e, gallery)),
      section('All views', viewTable(e)),
      section(
        'Conditions',
        facts([
          [
            'Detector',
            `${e.detector.size.join(' × ')} pixels of ${e.detector.pixel.join(' × ')} mm, ${fixed(e.detector.sdd, 0)} mm from the source`
          ],
          ['Time', duration(e.seconds)],
          ['SHA-256 of the patient', html`<code>${e.patientSha256}</code>`]
        ])
      )
    ],
    footer: `Raypose ${e.version}. Not a medical device: for research only.`
  })
}

function headline(e: Evaluation): Html {
  const [success] = countCriteria(e)
  const missing = e.views.filter(v => !v.final).length
  const all = e.successes === e.views.length
  return html`<p class="headline"><span${all && markup(' class="good"')}>${e.successes} of ${e.views.length}</span> views within the success threshold of the paper (${success.condition}) after registration: ${percentage(e.views.length > 0 ? e.successes / e.views.length : Number.NaN, 1)}</p>
<p>${medians(e)}${missing > 0 && ` ${plural(missing, 'view')} without a pose ${missing === 1 ? 'counts' : 'count'} as failed.`}</p>`
}

function medians(e: Evaluation): string {
  const tre = (s: Summary | null) => s?.measures.tre.median
  return `Median target registration error: ${fixed(tre(e.initial), 2)} mm from landmarks alone, ${fixed(tre(e.final), 2)} mm after registration.`
}

function measureTable(e: Evaluation): Html {
  const cells = (s: Summary | null, key: keyof PoseErrors): Content[] => {
    const m = s?.measures[key]
    return [
      `${fixed(m?.mean, 2)} ± ${fixed(m?.std, 2)}`,
      fixed(m?.median, 2),
      fixed(m?.p95, 2),
      fixed(m?.max, 2)
    ]
  }
  const heads = (which: string) => [
    {
      title: html`<span class="${which}">${which === 'initial' ? 'Initial' : 'Final'}: mean ± std</span>`,
      numeric: true
    },
    { title: 'median', numeric: true },
    { title: 'p95', numeric: true },
    { title: 'max', numeric: true }
  ]
  return html`${table(
    [{ title: 'Measure' }, ...heads('initial'), ...heads('final')],
    MEASURES.map(m => [`${m.name}, ${m.unit}`, ...cells(e.initial, m.key), ...cells(e.final, m.key)])
  )}<p class="note">Initial: from landmarks alone. Final: after intensity-based registration. Over the ${e.final?.count ?? 0} of ${e.views.length} views that gave a pose.</p>`
}

const rateTable = (e: Evaluation): Html =>
  table(
    [
      { title: 'Criterion' },
      { title: 'Threshold' },
      { title: 'Initial', numeric: true },
      { title: 'Final', numeric: true }
    ],
    [
      ...countCriteria(e).map(c => [c.title, c.condition, rate(c.initial, c.of), rate(c.final, c.of)]),
      [
        'No pose',
        '',
        rate(e.views.filter(v => !v.initial).length, e.views.length),
        rate(e.views.filter(v => !v.final).length, e.views.length)
      ]
    ]
  )

const rate = (count: number, of: number) =>
  of > 0 ? `${count} of ${of} (${percentage(count / of, 1)})` : '–'

const COLOURS = { initial: 'var(--initial)', final: 'var(--final)' } as const
const WHICH = ['initial', 'final'] as const

const samples = (
  e: Evaluation,
  which: 'initial' | 'final',
  key: keyof PoseErrors
): (Sample & { view: EvaluatedView })[] =>
  e.views.flatMap(view => {
    const errors = view[which]
    return errors ? [{ value: errors[key], title: `View ${view.index + 1}, ${which}`, view }] : []
  })

function distributions(e: Evaluation): Html {
  const series = (key: keyof PoseErrors): Series[] =>
    WHICH.map(which => ({ name: which, colour: COLOURS[which], samples: samples(e, which, key) }))
  const [success] = countCriteria(e)
  return html`<div class="columns">${MEASURES.filter(m =>
    ['tre', 'projectionDistance', 'cameraRotationDeg'].includes(m.key)
  ).map(
    m =>
      html`<figure>${stripPlot(
        m.name,
        m.unit,
        series(m.key),
        m.key === 'projectionDistance' ? { value: success.thresholdMm, name: 'success' } : undefined
      )}</figure>`
  )}</div>`
}

function beforeAfter(e: Evaluation): Html {
  const [success] = countCriteria(e)
  const points = e.views.flatMap(v =>
    v.initial && v.final
      ? [
          {
            before: v.initial.projectionDistance,
            after: v.final.projectionDistance,
            title: `View ${v.index + 1}`
          }
        ]
      : []
  )
  return html`<div class="columns"><figure>${beforeAfterPlot('Projection distance', 'mm', points, { value: success.thresholdMm, name: success.condition })}<figcaption>Each dot is a view. Below the dotted diagonal, registration improved on the landmarks; below the dashed line, the view is a success.</figcaption></figure></div>`
}

const ANGLES = [
  { key: 'gamma', name: 'γ, left/right orbit (degrees)' },
  { key: 'alpha', name: 'α, cranial/caudal tilt (degrees)' },
  { key: 'beta', name: 'β, roll (degrees)' }
] as const

function againstAngles(e: Evaluation): Html {
  const varies = (f: (v: EvaluatedView) => number) =>
    new Set(e.views.map(v => Math.round(1000 * f(v)))).size > 1
  const plot = (name: string, x: (v: EvaluatedView) => number) =>
    html`<figure>${againstPlot(
      'TRE',
      'mm',
      name,
      WHICH.map(which => ({
        name: which,
        colour: COLOURS[which],
        points: samples(e, which, 'tre').map(s => ({ ...s, x: x(s.view) }))
      }))
    )}</figure>`
  const shown = [
    ...ANGLES.map(a => ({ name: a.name, x: (v: EvaluatedView) => v.view[a.key] / DEGREE })),
    { name: 'height over the isocentre (mm)', x: (v: EvaluatedView) => v.view.translation[2] },
    { name: 'landmarks in the picture', x: (v: EvaluatedView) => v.visibleLandmarks }
  ].filter(p => varies(p.x))
  return html`<div class="columns">${shown.map(p => plot(p.name, p.x))}</div><p class="note"><span class="initial">Initial</span> and <span class="final">final</span> pose; the axis of errors is logarithmic.</p>`
}

function pictures(e: Evaluation, gallery: EvaluationReportInput['gallery']): Html {
  const byIndex = new Map(gallery.map(g => [g.index, g.png]))
  return html`<div class="gallery">${worstFirst(e.views).map(v => {
    const png = byIndex.get(v.index)
    return (
      png &&
      picture(
        png,
        `View ${v.index + 1}`,
        html`<strong>View ${v.index + 1}</strong> ${viewText(v)}<br>${outcome(v)}`
      )
    )
  })}</div>`
}

const viewText = ({ view: v }: EvaluatedView) =>
  `α ${fixed(v.alpha / DEGREE, 0)}°, β ${fixed(v.beta / DEGREE, 0)}°, γ ${fixed(v.gamma / DEGREE, 0)}°, z ${fixed(v.translation[2], 0)} mm`

const outcome = (v: EvaluatedView): Content =>
  v.failure ??
  `TRE ${fixed(v.initial?.tre, 2)} → ${fixed(v.final?.tre, 2)} mm, mPD ${fixed(v.initial?.projectionDistance, 2)} → ${fixed(v.final?.projectionDistance, 2)} mm`

const viewTable = (e: Evaluation): Html =>
  table(
    [
      { title: 'View', numeric: true },
      { title: 'C-arm' },
      { title: 'Landmarks', numeric: true },
      { title: 'Initial TRE', numeric: true },
      { title: 'Final TRE', numeric: true },
      { title: 'Initial mPD', numeric: true },
      { title: 'Final mPD', numeric: true },
      { title: 'Similarity', numeric: true },
      { title: 'Time', numeric: true },
      { title: '' }
    ],
    e.views.map(v => [
      v.index + 1,
      viewText(v),
      v.visibleLandmarks,
      fixed(v.initial?.tre, 2),
      fixed(v.final?.tre, 2),
      fixed(v.initial?.projectionDistance, 2),
      fixed(v.final?.projectionDistance, 2),
      v.similarity ? `${fixed(v.similarity.before, 3)} → ${fixed(v.similarity.after, 3)}` : '–',
      duration(v.timings?.total),
      v.failure ?? ''
    ])
  )
