import type { LoggedValidation, TrainingLog } from '@raypose/pipeline'
import { duration, fixed, millimetres, percentage, plural, significant } from './format.js'
import { type Content, type Html, html } from './html.js'
import { facts, meter, page, picture, section, setting, table } from './page.js'
import { curvesPlot } from './plots.js'

export interface TrainingReportInput {
  readonly log: TrainingLog
  /** Settings of the run, as its config.json has them. */
  readonly config: Readonly<Record<string, unknown>>
  readonly landmarkNames: readonly string[]
  /** Validation views with the largest errors. */
  readonly worst: readonly { readonly png: Uint8Array; readonly caption: string }[]
}

const CURVES = ['var(--final)', 'var(--initial)', 'var(--good)', 'var(--bad)']

/** The page that shows how a training goes: curves, errors, where the time goes, and where the network fails. */
export function trainingReport({ log, config, landmarkNames, worst }: TrainingReportInput): string {
  const last = log.validations[log.validations.length - 1] as LoggedValidation | undefined
  const best = log.validations.reduce<LoggedValidation | undefined>(
    (b, v) => (b && b.validation.meanMm <= v.validation.meanMm ? b : v),
    undefined
  )
  const step = log.steps[log.steps.length - 1]
  const of = last?.validation
  return page({
    title: 'Training',
    subtitle: [
      last ? `Step ${last.step}` : 'Not validated yet',
      step ? `, ${duration(step.seconds)} of training, ${fixed(step.imagesPerSecond, 1)} images/s` : '',
      '. Reload to see how it goes on.'
    ],
    body: [
      section('Curves', [
        html`<div class="columns">${lossPlot(log)}${validationPlot(log)}</div>`,
        html`<div class="columns">${ratePlot(log)}${sharesPlot(log)}</div>`,
        html`<p class="note">Each thread’s time is counted for itself: training and waiting are the thread that learns; preparing is the one that renders and augments, of which views are rendering and making or reading patients. Where waiting is near 0, training is not held up.</p>`
      ]),
      of &&
        section('Validation', [
          facts([
            ['Mean error', millimetres(of.meanMm)],
            ['Median error', millimetres(of.medianMm)],
            [
              'Found with confidence',
              `${percentage(of.recall, 1)}, mean error ${millimetres(of.confidentMeanMm)}`
            ],
            ['Found though outside the picture', percentage(of.falsePositives, 1)],
            ['Best so far', best ? `${millimetres(best.validation.meanMm)} at step ${best.step}` : '–']
          ]),
          groupTable(last),
          html`<p class="note">Over ${plural(of.visible, 'visible landmark')} in views of patients that are not trained on; errors at the isocentre.</p>`
        ]),
      of && section('Landmarks', landmarkTable(landmarkNames, of.perLandmarkMm)),
      worst.length > 0 &&
        section('Worst views', [
          html`<div class="gallery">${worst.map(w => picture(w.png, w.caption, w.caption))}</div>`,
          html`<p class="note">Circles: where the landmarks are. Crosses: where the network sees them, with a line to where they are.</p>`
        ]),
      log.events.length > 0 && section('Events', eventList(log)),
      section(
        'Settings',
        facts(
          Object.entries(config)
            .filter(([name]) => name !== 'landmarkNames')
            .map(([name, value]): [string, Content] => [name, html`<code>${shortened(value)}</code>`])
        )
      )
    ],
    footer: `Raypose ${String(config.version ?? '')}. Not a medical device: for research only.`
  })
}

const figure = (drawing: Html): Html => html`<figure>${drawing}</figure>`

const lossPlot = (log: TrainingLog): Html =>
  figure(
    curvesPlot('Training loss', 'step', 'moving average', [
      { name: '', colour: CURVES[0], points: log.steps.map(s => ({ x: s.step, y: s.loss })) }
    ])
  )

function validationPlot(log: TrainingLog): Html {
  const curve = (name: string, colour: string, value: (v: LoggedValidation) => number | undefined) => ({
    name,
    colour,
    points: log.validations.map(v => ({ x: v.step, y: value(v) ?? Number.NaN }))
  })
  const groups = log.validations[log.validations.length - 1]?.groups ?? []
  return figure(
    curvesPlot('Validation error', 'step', 'mm', [
      curve('mean', CURVES[0], v => v.validation.meanMm),
      curve('median', CURVES[1], v => v.validation.medianMm),
      ...groups.map(({ name }, i) =>
        curve(
          `mean, ${name}`,
          CURVES[2 + (i % 2)],
          v => v.groups?.find(g => g.name === name)?.accuracy.meanMm
        )
      )
    ])
  )
}

const ratePlot = (log: TrainingLog): Html =>
  figure(
    curvesPlot('Learning rate', 'step', '× 10⁻³', [
      { name: '', colour: CURVES[0], points: log.steps.map(s => ({ x: s.step, y: 1000 * s.lr })) }
    ])
  )

const SHARES = [
  ['training', 'training'],
  ['waiting', 'waiting'],
  ['feeding', 'preparing'],
  ['views', 'views']
] as const

const sharesPlot = (log: TrainingLog): Html =>
  figure(
    curvesPlot(
      'Where the time goes',
      'step',
      '%',
      SHARES.map(([key, name], i) => ({
        name,
        colour: CURVES[i],
        points: log.steps.map(s => ({ x: s.step, y: 100 * (s.shares?.[key] ?? Number.NaN) }))
      }))
    )
  )

const groupTable = (v: LoggedValidation): Content =>
  v.groups &&
  table(
    [
      { title: 'Patients' },
      { title: 'Mean', numeric: true },
      { title: 'Median', numeric: true },
      { title: 'Found', numeric: true }
    ],
    v.groups.map(({ name, accuracy: a }) => [
      name,
      millimetres(a.meanMm),
      millimetres(a.medianMm),
      percentage(a.recall, 1)
    ])
  )

function landmarkTable(names: readonly string[], errors: readonly (number | null)[]): Html {
  const most = Math.max(...errors.map(e => (Number.isFinite(e) ? (e as number) : 0)), 1e-9)
  return table(
    [{ title: '', numeric: true }, { title: 'Landmark' }, { title: 'Median error' }],
    names.map((name, i) => [i + 1, name, meter((errors[i] ?? 0) / most, millimetres(errors[i]))])
  )
}

const eventList = (log: TrainingLog): Html =>
  html`<ul>${log.events.map(e =>
    'resumed' in e
      ? html`<li>Gone on from step ${e.resumed}.</li>`
      : html`<li>Steps ${e.rolledBack.to} to ${e.rolledBack.from} taken back: the loss was not finite. Learning rate × ${significant(e.rolledBack.rate)} from there.</li>`
  )}</ul>`

/** A setting without the names of hundreds of patients. */
function shortened(value: unknown): string {
  const text = setting(value)
  return text.length > 600 ? `${text.slice(0, 600)} …` : text
}
