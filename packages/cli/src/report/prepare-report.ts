import type { PatientManifest } from '@raypose/pipeline'
import { fixed, millimetres, percentage, plural } from './format.js'
import { type Content, type Html, html } from './html.js'
import { facts, meter, page, picture, section, setting, table } from './page.js'
import { curvePlot } from './plots.js'

/** Figures of a network on the validation views; absent or null where there are none. */
interface AccuracyFigures {
  readonly visible?: number | null
  readonly meanMm?: number | null
  readonly medianMm?: number | null
  readonly recall?: number | null
  readonly confidentMeanMm?: number | null
  readonly falsePositives?: number | null
}

interface Figure {
  readonly png: Uint8Array
  readonly caption: string
}

export interface PrepareReportInput {
  readonly manifest: PatientManifest
  /** DRRs with the patient's landmarks (see `drawThumbnail`). */
  readonly gallery: readonly Figure[]
  /** Slices through landmarks (see `drawSlices`). */
  readonly slices?: readonly Figure[]
  /** The validation views that the network did worst in. */
  readonly worst?: readonly Figure[]
}

/** The page that lets a person check a prepared patient: landmarks on bone, and how well the network finds them. */
export function prepareReport({ manifest: m, gallery, slices = [], worst = [] }: PrepareReportInput): string {
  const placed = (source: string) => m.landmarks.filter(l => l.source === source).length
  const [found, extra] = [placed('rays'), placed('surface')]
  return page({
    title: 'Prepared patient',
    subtitle: html`${found} of ${m.landmarks.length - extra} landmarks from the patient’s own views, the rest placed by the shape of others${extra > 0 ? `; ${extra} distinct points of the bone’s surface besides` : ''}`,
    body: [
      m.notes.length > 0 &&
        section('What was made of the CT', html`<ul>${m.notes.map(n => html`<li>${n}</li>`)}</ul>`),
      figures(
        'Landmarks on DRRs',
        gallery,
        'Circles should lie on the same places of the bone in every view.'
      ),
      figures(
        'Landmarks on slices',
        slices,
        'Axial, coronal and sagittal slices through each landmark; the patient’s left is at the right, anterior up in the first and left in the last. Circles should lie on the surface of bone.'
      ),
      section('Landmarks', landmarkTable(m)),
      section(
        'Network on validation views',
        html`<div class="columns"><div>${accuracyTable(m)}</div>${curve('Training loss', 'loss', m.curve)}${curve(
          'Mean error on validation views',
          'mm',
          m.validationCurve
        )}</div>`
      ),
      figures(
        'Worst validation views',
        worst,
        'Circles: where the landmarks are. Crosses: where the retrained network sees them with confidence.'
      ),
      section(
        'Provenance',
        facts([
          ['Isocentre (LPS)', `${m.isocenter.map(x => fixed(x, 1)).join(', ')} mm`],
          [
            'Detector',
            `${m.detector.size.join(' × ')} pixels of ${m.detector.pixel.join(' × ')} mm, ${fixed(m.detector.sdd, 0)} mm from the source`
          ],
          ...Object.entries(m.provenance).map(([name, value]): [string, Content] => [
            name,
            html`<code>${setting(value)}</code>`
          ]),
          ['SHA-256 of the network', html`<code>${m.files.network.sha256}</code>`],
          ['SHA-256 of the volume', html`<code>${m.files.volume.sha256}</code>`]
        ])
      )
    ],
    footer: `Raypose ${m.version}, ${m.created}. Not a medical device: for research only.`
  })
}

const figures = (title: string, list: readonly Figure[], note: string): Content =>
  list.length > 0 &&
  section(title, [
    html`<div class="gallery">${list.map(g => picture(g.png, g.caption, g.caption))}</div>`,
    html`<p class="note">${note}</p>`
  ])

const curve = (title: string, unit: string, points: readonly (readonly [number, number])[]): Content =>
  points.length > 1 &&
  html`<figure>${curvePlot(
    title,
    'step',
    unit,
    points.map(([x, y]) => ({ x, y }))
  )}</figure>`

const landmarkTable = (m: PatientManifest): Html =>
  html`${table(
    [
      { title: '', numeric: true },
      { title: 'Landmark' },
      { title: 'L, P, S', numeric: true },
      { title: 'Rays', numeric: true },
      { title: 'Pairs', numeric: true },
      { title: 'Agree', numeric: true },
      { title: 'Spread', numeric: true },
      { title: 'To bone', numeric: true },
      { title: 'From prior', numeric: true },
      { title: 'Validation', numeric: true },
      { title: 'Weight' },
      { title: 'Placed by' }
    ],
    m.landmarks.map((l, i) => [
      i + 1,
      l.name,
      l.point.map(x => fixed(x, 1)).join(', '),
      l.rays,
      l.pairs,
      l.support === null ? '–' : percentage(l.support, 0),
      millimetres(l.spreadMm, 1),
      millimetres(l.surfaceDistanceMm, 1),
      millimetres(l.priorResidualMm, 1),
      millimetres(l.validationMm, 1),
      meter(l.weight, fixed(l.weight, 2)),
      PLACED[l.source](l.reason)
    ]),
    i => m.landmarks[i].source === 'prior'
  )}<p class="note">Rays: views in which the landmark was seen. Pairs: pairs of rays that pass close to each other; agree: share of the rays that meet there; spread: how far apart the pairs put it. To bone: how far it was moved to the surface. Validation: median error of the retrained network, at the isocentre.</p>`

const PLACED: Record<PatientManifest['landmarks'][number]['source'], (reason?: string) => string> = {
  rays: reason => (reason ? `rays: ${reason}` : 'rays'),
  prior: reason => `prior: ${reason ?? ''}`,
  surface: () => 'distinct on the surface; rays of the retrained network'
}

function accuracyTable(m: PatientManifest): Html {
  const of = (key: string) => (m.validation[key] ?? {}) as AccuracyFigures
  const [before, after] = [of('before'), of('after')]
  const share = (x: number | null | undefined) => (x === null || x === undefined ? '–' : percentage(x, 1))
  const rows: [string, (a: AccuracyFigures) => string][] = [
    ['Mean error', a => millimetres(a.meanMm)],
    ['Median error', a => millimetres(a.medianMm)],
    ['Found with confidence', a => share(a.recall)],
    ['Mean error of these', a => millimetres(a.confidentMeanMm)],
    ['Found though outside the picture', a => share(a.falsePositives)]
  ]
  return html`${table(
    [{ title: '' }, { title: 'General network', numeric: true }, { title: 'Retrained', numeric: true }],
    rows.map(([name, f]) => [name, f(before), f(after)])
  )}<p class="note">Errors at the isocentre, over ${plural(after.visible ?? before.visible ?? 0, 'landmark')} in views that were not trained on.</p>`
}
