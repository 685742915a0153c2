import { statistics, successCriteria } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { evaluationReport } from '../src/report/evaluation-report.js'
import { evaluationText } from '../src/report/evaluation-text.js'
import { worstFirst } from '../src/report/measures.js'
import { prepareReport } from '../src/report/prepare-report.js'
import { registerReport } from '../src/report/register-report.js'
import { aManifest, anEvaluation, aRegistration, TINY_PNG } from './fixtures.js'
import { elementsOf, externalReferences } from './markup.js'

const DATA = Buffer.from(TINY_PNG).toString('base64')
const textOf = (page: string) => page.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')

describe.each([
  ['register', () => registerReport({ result: aRegistration(), before: TINY_PNG, after: TINY_PNG })],
  [
    'evaluate',
    () => evaluationReport({ evaluation: anEvaluation(), gallery: [{ index: 1, png: TINY_PNG }] })
  ],
  ['prepare', () => prepareReport({ manifest: aManifest(), gallery: [{ png: TINY_PNG, caption: 'γ < 0' }] })]
])('the %s report', (_, make) => {
  it('is a well-formed page that stands alone', () => {
    const page = make()
    const elements = elementsOf(page)
    expect(page.startsWith('<!doctype html>')).toBe(true)
    expect(elements.filter(e => e === 'title').length).toBeGreaterThan(0)
    expect(elements).toContain('table')
    expect(elements).not.toContain('script')
    expect(elements).not.toContain('link')
    expect(externalReferences(page)).toEqual([])
    expect(page).toContain(`data:image/png;base64,${DATA}`)
    expect(page).not.toMatch(/NaN|undefined|\[object|Infinity/)
  })
})

describe('the register report', () => {
  const page = registerReport({ result: aRegistration(), before: TINY_PNG, after: TINY_PNG })
  const text = textOf(page)

  it('says all that the result has', () => {
    for (const part of [
      'a &amp; b.dcm',
      '0.4321',
      '0.8765',
      '12.0° towards the patient’s left',
      '137 evaluations',
      'f00d',
      'beef',
      'ischial spine R',
      '0.93',
      '100.3, 80.5',
      '1.5 mm',
      'is 8 bits &lt;deep&gt;',
      '1.5 s',
      '31 ms',
      '1200 mm'
    ])
      expect(text).toContain(part)
    // A degree of turn between the two poses, as the fixture has it.
    expect(text).toMatch(/refinement turned it by 1\.00°/)
    // Standard deviations out of the covariance: √4 mm, √1e-6 rad.
    expect(text).toContain('± 2.0 mm')
    expect(text).toContain('± 0.1, 0.1, 0.1°')
  })

  it('shows both pictures', () => expect(page.split(DATA).length - 1).toBe(2))

  it('bears a result without refinement, as it comes back from a file', () => {
    const result = {
      ...aRegistration(),
      similarity: { name: 'gncc', before: Number.NaN, after: Number.NaN },
      initialCovariance: new Array(36).fill(Number.POSITIVE_INFINITY)
    }
    const again = registerReport({
      result: JSON.parse(JSON.stringify(result)),
      before: TINY_PNG,
      after: TINY_PNG
    })
    expect(textOf(again)).toContain('there was no refinement')
    expect(again).not.toMatch(/NaN|null|Infinity/)
  })
})

describe('the evaluation report', () => {
  const evaluation = anEvaluation()
  const gallery = evaluation.views.map(v => ({ index: v.index, png: TINY_PNG }))
  const page = evaluationReport({ evaluation, gallery })
  const text = textOf(page)

  it('leads with the rate over all views and its threshold', () => {
    expect(evaluation.successes).toBe(4)
    expect(text).toContain('4 of 6 views within the success threshold of the paper (mPD &lt; 9.6 mm)')
    expect(text).toContain('66.7 %')
    expect(text).toContain('1 view without a pose counts as failed')
  })

  it('has the statistics of every measure for both poses', () => {
    for (const which of ['initial', 'final'] as const)
      for (const key of [
        'tre',
        'treInPlane',
        'treDepth',
        'projectionDistance',
        'reprojectionDistance',
        'cameraTranslation',
        'cameraRotationDeg'
      ] as const) {
        const s = statistics(evaluation.views.flatMap(v => v[which]?.[key] ?? []))
        expect(text).toContain(`${s.mean.toFixed(2)} ± ${s.std.toFixed(2)}`)
        expect(text).toContain(`${s.median.toFixed(2)} ${s.p95.toFixed(2)} ${s.max.toFixed(2)}`)
      }
  })

  it('counts a view without a pose as no success in any rate', () => {
    const strict = evaluation.views.filter(v => v.final && v.final.tre < 2).length
    expect(text).toMatch(new RegExp(`Strict success TRE &lt; 2 mm .*? ${strict} of 6`))
    expect(successCriteria(evaluation.detector)).toHaveLength(4)
    expect(text).toContain('No pose 1 of 6 (16.7 %) 1 of 6 (16.7 %)')
  })

  it('draws a dot for every view that can be placed', () => {
    const plots = page.split('<svg').slice(1)
    // Three distributions, before against after, and one plot for each of what varies: γ, β, z, visible landmarks.
    expect(plots).toHaveLength(3 + 1 + 4)
    const dots = plots.map(p => p.slice(0, p.indexOf('</svg>')).split('<circle').length - 1)
    expect(dots).toEqual([10, 10, 10, 5, 10, 10, 10, 10])
    // The threshold is in the plots of the measure that it belongs to.
    expect(plots.map(p => p.includes('stroke="var(--good)"'))).toEqual([
      false,
      true,
      false,
      true,
      false,
      false,
      false,
      false
    ])
    for (const p of plots)
      for (const [, x] of p.matchAll(/ c[xy]="([^"]*)"/g)) expect(Number.isFinite(Number(x))).toBe(true)
  })

  it('shows the views from the worst to the best', () => {
    const order = worstFirst(evaluation.views).map(v => v.index)
    expect(order.slice(0, 2)).toEqual([4, 2])
    const shown = [...page.matchAll(/<strong>View (\d+)<\/strong>/g)].map(m => Number(m[1]) - 1)
    expect(shown).toEqual(order)
    expect(text).toContain('Only 3 landmarks &lt;were&gt; found')
  })

  it('bears an evaluation in which nothing worked', () => {
    const none = {
      ...evaluation,
      views: evaluation.views.map(v => ({ ...v, initial: null, final: null, failure: 'no' })),
      initial: null,
      final: null,
      successes: 0
    }
    const failed = evaluationReport({ evaluation: none, gallery: [] })
    expect(() => elementsOf(failed)).not.toThrow()
    expect(textOf(failed)).toContain('0 of 6 views within')
    expect(failed).not.toMatch(/NaN|undefined|Infinity/)
  })

  it('bears errors of 0 and without limit', () => {
    const views = evaluation.views.map((v, i) =>
      v.final && i < 2
        ? { ...v, final: { ...v.final, tre: 0, projectionDistance: i === 0 ? 0 : Number.POSITIVE_INFINITY } }
        : v
    )
    const odd = evaluationReport({ evaluation: { ...evaluation, views }, gallery: [] })
    expect(odd).not.toMatch(/NaN|Infinity/)
    expect(odd).toContain('∞')
  })
})

describe('evaluationText', () => {
  it('gives the rate, both tables and what failed', () => {
    const text = evaluationText(anEvaluation())
    expect(text).toMatch(/^4 of 6 views registered within mPD < 9\.6 mm/)
    expect(text).toContain('1 without a pose')
    expect(text).toMatch(/Projection distance \(mPD\), mm +\d/)
    expect(text).toMatch(/Gross failure +TRE > 10 mm/)
  })
})

describe('the prepare report', () => {
  const page = prepareReport({
    manifest: aManifest(),
    gallery: [],
    slices: [{ png: TINY_PNG, caption: 'a slice' }],
    worst: [{ png: TINY_PNG, caption: 'the worst view' }]
  })
  const text = textOf(page)

  it('has every landmark and why one was placed by the prior', () => {
    for (const part of [
      '1 of 2 landmarks',
      'ischial spine R 1.3, 2.0, 3.0 77 1234 91 % 2.3 mm 1.1 mm 5.0 mm 0.9 mm',
      'sacral promontory M',
      'prior: seen in 2 views',
      '512 × 512 × 160 voxels &lt;fine&gt;'
    ])
      expect(text).toContain(part)
  })

  it('shows slices through landmarks and the worst views', () => {
    expect(text).toContain('a slice')
    expect(text).toContain('the worst view')
    expect(page.split(DATA).length - 1).toBe(2)
  })

  it('compares the networks and draws the loss', () => {
    expect(text).toContain('Median error 4.21 mm 1.11 mm')
    expect(text).toContain('Found with confidence 80.0 % 97.0 %')
    expect([...page.matchAll(/points="([^"]*)"/g)].map(m => m[1].split(' ').length)).toEqual([4, 2])
  })
})
