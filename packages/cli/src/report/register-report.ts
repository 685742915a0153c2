import { assertRigid, cameraRotation, cameraTranslation, DEGREE } from '@raypose/core'
import type { RegistrationJson } from '@raypose/pipeline'
import { chances, expectedError } from './assessment-words.js'
import { duration, fixed, millimetres, plural } from './format.js'
import { type Content, type Html, html } from './html.js'
import { facts, meter, page, picture, section, setting, table } from './page.js'
import { poseInWords } from './pose-words.js'

export interface RegisterReportInput {
  readonly result: RegistrationJson
  /** Overlays under the initial and the final pose, PNG (see `drawOverlay`). */
  readonly before: Uint8Array
  readonly after: Uint8Array
}

/** `report.html` of `raypose register`: all of `result.json` for people, in one file. */
export function registerReport({ result: r, before, after }: RegisterReportInput): string {
  const used = r.landmarks.filter(l => l.inlier).length
  return page({
    title: `Registration of ${fileName(r.inputs.xray.file)}`,
    subtitle: html`Pose from ${plural(used, 'landmark')}, refined by ${r.similarity.name.toUpperCase()} in ${plural(r.evaluations, 'evaluation')}; ${duration(r.timingsSeconds.total)} in all`,
    body: [
      html`<p class="headline"><span class="${r.status === 'accepted' ? 'good' : 'bad'}">${r.status}</span> ${similarityLine(r)}</p>`,
      html`<ul>${r.assessment.reasons.map(reason => html`<li>${reason}</li>`)}</ul>`,
      html`<p>${r.status === 'rejected' ? 'The pose is not to be used.' : poseInWords(r.view)}</p>`,
      r.notes.length > 0 && html`<ul>${r.notes.map(n => html`<li>${n}</li>`)}</ul>`,
      section('Overlay', [
        html`<div class="columns">${picture(before, 'X-ray with DRR edges under the initial pose', html`<strong class="initial">Initial pose</strong>, from landmarks alone`)}${picture(after, 'X-ray with DRR edges under the final pose', html`<strong class="final">Final pose</strong>, after intensity-based registration`)}</div>`,
        html`<p class="note">Lines: bone borders of the CT as the pose has them. Where the pose is right they lie on the borders in the X-ray. Crosses: landmarks detected in the X-ray; circles: the patient’s landmarks under the pose.</p>`
      ]),
      section(
        'Pose',
        html`<div class="columns"><div class="panel"><h3>C-arm</h3>${viewFacts(r)}</div><div class="panel"><h3>How it was found</h3>${poseFacts(r, used)}</div></div>`
      ),
      section('Reliability', reliability(r)),
      section('Picture', pictureFacts(r)),
      section('Landmarks', landmarkTable(r)),
      section(
        'Time',
        facts([
          ['Detecting landmarks', duration(r.timingsSeconds.detect)],
          ['Pose from landmarks', duration(r.timingsSeconds.initialPose)],
          ['Intensity-based registration', duration(r.timingsSeconds.refine)],
          ['In all', duration(r.timingsSeconds.total)]
        ])
      ),
      section(
        'Inputs and settings',
        facts([
          ['X-ray', html`<code>${r.inputs.xray.file}</code>`],
          ['SHA-256 of the X-ray', html`<code>${r.inputs.xray.sha256}</code>`],
          ['SHA-256 of the patient', html`<code>${r.inputs.patient.sha256}</code>`],
          ...Object.entries(r.parameters).map(([name, value]): [string, Content] => [name, setting(value)]),
          [
            'camera from LPS',
            html`<code>${matrixRows(r.geometry.cameraFromLps ?? []).map(row => html`${row}<br>`)}</code>`
          ]
        ])
      )
    ],
    footer: `Raypose ${r.version}. Not a medical device: for research only.`
  })
}

const fileName = (path: string): string => path.split(/[/\\]/).pop() || path

function similarityLine({ similarity: s }: RegistrationJson): Content {
  // JSON has no NaN: where there was no refinement the values come back as null.
  if (!Number.isFinite(s.before) || !Number.isFinite(s.after))
    return 'The pose comes from landmarks alone; there was no refinement.'
  const better = s.after > s.before
  return html`${s.name.toUpperCase()} <span class="initial">${fixed(s.before, 4)}</span> before, <span class="${better ? 'good' : 'bad'}">${fixed(s.after, 4)}</span> after refinement`
}

const viewFacts = ({ view: v, geometry: g }: RegistrationJson): Html =>
  facts([
    ['α (cranial/caudal)', `${fixed(v.alphaDeg, 2)}°`],
    ['β (roll)', `${fixed(v.betaDeg, 2)}°`],
    ['γ (left/right)', `${fixed(v.gammaDeg, 2)}°`],
    ['offset L, P, S', `${v.translationMm.map(t => fixed(t, 1)).join(', ')} mm`],
    ['source to detector', millimetres(g.sddMm, 0)],
    ['detector', `${g.size.join(' × ')} pixels of ${g.pixelMm.join(' × ')} mm`]
  ])

function reliability({ status, assessment: a }: RegistrationJson): Html {
  const e = a.evidence
  return facts([
    ['status', html`<strong class="${status === 'accepted' ? 'good' : 'bad'}">${status}</strong>`],
    ['chances', chances(a)],
    ['expected error', expectedError(a)],
    ...(e
      ? ([
          ['X-ray and DRR agree at 6.4, 3.2, 1.6 mm', e.similarity.map(x => fixed(x, 2)).join(', ')],
          ['… in the worst quarter', fixed(e.weakestQuarter, 2)],
          ['better than the mirror image by', fixed(e.overMirror, 2)],
          ['starts that came here', `${fixed(100 * e.agreeingStarts, 0)} %`],
          ['landmarks off by (median)', e.landmarks ? millimetres(e.landmarks.medianMm, 1) : 'none'],
          ['pixels that count', `${fixed(100 * e.usableShare, 0)} %`]
        ] satisfies [string, Content][])
      : [])
  ])
}

function pictureFacts({ normalisation: n, initialConfidence: c }: RegistrationJson): Html {
  const how = (key: keyof typeof n.settled) => (n.settled[key] === 'found' ? 'found' : 'as told')
  return facts([
    ['values', `${n.intensity === 'log' ? 'line integrals' : 'detector readings'}, ${how('intensity')}`],
    ['bright is', `${n.bright}, ${how('bright')}`],
    ['mirrored', `${n.mirrored ? 'yes' : 'no'}, ${how('mirrored')}`],
    ['tube', `${n.tube === 'front' ? 'in front of' : 'behind'} the patient, ${how('tube')}`],
    ['head points', `${fixed(n.rotationDeg, 1)}° clockwise from the top, ${how('rotation')}`],
    ['exposed field', `${fixed(100 * n.fieldShare, 0)} % of the picture`],
    ['ways tried', n.tried],
    ['landmarks', c.reason]
  ])
}

function poseFacts(r: RegistrationJson, used: number): Html {
  const first = assertRigid(r.initialCameraFromLps, 'initialCameraFromLps')
  const last = assertRigid(r.geometry.cameraFromLps ?? [], 'cameraFromLps')
  const deviation = (k: number) => {
    const variance = r.initialCovariance[7 * k]
    return Number.isFinite(variance) && variance >= 0 ? Math.sqrt(variance) : Number.NaN
  }
  return facts([
    ['landmarks used', `${used} of ${r.landmarks.length}`],
    ['confidence', `${r.initialConfidence.word} (${fixed(r.initialConfidence.value, 2)})`],
    ['likeness of X-ray and DRR', fixed(r.initialConfidence.evidence.similarity, 2)],
    ['their reprojection (RMS)', millimetres(r.reprojectionRmsMm)],
    ['expected error in depth', `± ${millimetres(deviation(5), 1)}`],
    ['expected error in plane', `± ${fixed(deviation(3), 1)}, ${millimetres(deviation(4), 1)}`],
    ['expected error in rotation', `± ${[0, 1, 2].map(k => fixed(deviation(k) / DEGREE, 1)).join(', ')}°`],
    ['refinement turned it by', `${fixed(cameraRotation(last, first) / DEGREE, 2)}°`],
    ['and moved the source by', millimetres(cameraTranslation(last, first), 1)]
  ])
}

const landmarkTable = (r: RegistrationJson): Html =>
  html`${table(
    [
      { title: '', numeric: true },
      { title: 'Landmark' },
      { title: 'Confidence' },
      { title: 'Column, row', numeric: true },
      { title: 'Residual', numeric: true },
      { title: 'Used' }
    ],
    r.landmarks.map((l, i) => [
      i + 1,
      l.name,
      meter(l.confidence, fixed(l.confidence, 2)),
      `${fixed(l.u, 1)}, ${fixed(l.v, 1)}`,
      millimetres(l.residualMm, 1),
      l.inlier ? 'yes' : 'no'
    ]),
    i => !r.landmarks[i].inlier
  )}<p class="note">Residual: distance on the detector to the landmark of the patient under the initial pose. Landmarks that are not used were not seen with confidence or did not fit the others; one outside the picture cannot be seen.</p>`

const matrixRows = (m: readonly number[]): string[] =>
  Array.from({ length: Math.floor(m.length / 4) }, (_, i) =>
    m
      .slice(4 * i, 4 * i + 4)
      .map(x => fixed(x, 6))
      .join('  ')
  )
