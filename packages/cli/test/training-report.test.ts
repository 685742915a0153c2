import type { LoggedStep, LoggedValidation } from '@raypose/pipeline'
import { describe, expect, it } from 'vitest'
import { populationPart } from '../src/commands/pretrain.js'
import { drawDetections } from '../src/report/detection-picture.js'
import { trainingReport } from '../src/report/training-report.js'
import { lossTrace, trainingDetail } from '../src/terminal/training-line.js'
import { TINY_PNG } from './fixtures.js'
import { elementsOf, externalReferences } from './markup.js'

const step = (n: number): LoggedStep => ({
  step: n,
  loss: 5 - n / 100,
  gradientNorm: 1,
  lr: 1e-3,
  seconds: 2 * n,
  imagesPerSecond: 31.25,
  shares: { training: 0.9, waiting: 0.05, feeding: 0.4, views: 0.2 }
})
const accuracy = (mean: number) => ({
  visible: 1200,
  meanMm: mean,
  medianMm: mean / 2,
  recall: 0.75,
  // As JSON has a mean of nothing.
  confidentMeanMm: null as unknown as number,
  falsePositives: 0,
  perLandmarkMm: [3.25, null as unknown as number]
})
const validation = (n: number, mean: number): LoggedValidation => ({
  step: n,
  validation: accuracy(mean),
  groups: [
    { name: 'phantoms', accuracy: accuracy(mean - 1) },
    { name: '<warped>', accuracy: accuracy(mean + 1) }
  ]
})
const report = (validations: LoggedValidation[], steps = [50, 100].map(step)) =>
  trainingReport({
    log: { steps, validations, events: [{ resumed: 50 }, { rolledBack: { from: 90, to: 80, rate: 0.3 } }] },
    config: { version: '9.9.9', seed: 1 },
    landmarkNames: ['spine L', 'spine R'],
    worst: [{ png: TINY_PNG, caption: 'view < 7' }]
  })
const textOf = (page: string) => page.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')

describe('the training page', () => {
  it('stands alone and says what the log says', () => {
    const page = report([validation(50, 4.5), validation(100, 5.5)])
    expect(elementsOf(page)).not.toContain('script')
    expect(externalReferences(page)).toEqual([])
    expect(page).not.toMatch(/NaN|undefined|\[object|Infinity|<warped>/)
    const text = textOf(page)
    for (const said of [
      'Step 100, 3:20 min of training, 31.3 images/s',
      'Mean error 5.50 mm',
      '4.50 mm at step 50',
      '&lt;warped&gt; 6.50 mm',
      'spine L 3.25 mm',
      'spine R –',
      'Gone on from step 50',
      'Steps 80 to 90 taken back',
      'view &lt; 7'
    ])
      expect(text).toContain(said)
  })

  it('can be written before anything is known', () => {
    const page = report([], [])
    expect(elementsOf(page).length).toBeGreaterThan(10)
    expect(page).not.toMatch(/NaN|undefined|\[object|Infinity/)
  })
})

describe('a picture of detections', () => {
  it('marks landmarks inside the image only', () => {
    const image = { width: 40, height: 30, data: new Float32Array(1200).fill(1) }
    const found = [{ u: 20, v: 10, confidence: 1 }]
    const empty = drawDetections(image, [Number.NaN, Number.NaN], found)
    expect(drawDetections(image, [-3, 10], found)).toEqual(empty)
    expect(drawDetections(image, [10, 10], found)).not.toEqual(empty)
  })
})

describe('the line of a training', () => {
  it('draws the loss from its smallest to its largest value', () => {
    const trace = lossTrace()
    expect(trace.text()).toBe('')
    for (const [progress, loss] of [
      [0, 9],
      [0.01, 8],
      [0.5, 4.5],
      [1, 1],
      [1, Number.NaN]
    ])
      trace.add(progress, loss)
    expect(trace.text()).toBe('█▅▁')
  })

  it('puts what matters most first', () => {
    const s = { step: 7, loss: 2.5, imagesPerSecond: 12.34 }
    expect(trainingDetail(s, null, '▁')).toBe('loss 2.500, 12.3 images/s, step 7, ▁')
    expect(trainingDetail(s, 3.456, '▁')).toContain('loss 2.500, validation 3.46 mm')
  })
})

describe('a part of a population', () => {
  it('is phantoms or a folder, with a weight after an @', () => {
    expect(populationPart('phantom:40')).toEqual({ patients: 40 })
    expect(populationPart('phantom:40@2.5')).toEqual({ patients: 40, weight: 2.5 })
    expect(populationPart('a@b/')).toEqual({ patients: 'a@b/' })
    expect(populationPart('warped/@.5')).toEqual({ patients: 'warped/', weight: 0.5 })
    expect(() => populationPart('warped/@0')).toThrow(/positive weight/)
    expect(() => populationPart('phantom:x@1')).toThrow(/phantom:N/)
  })
})
