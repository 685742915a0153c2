import {
  ArgumentError,
  DEGREE,
  PAPER_DETECTOR,
  poseFromView,
  project,
  sourcePosition,
  type View
} from '@raypose/core'
import { describe, expect, it } from 'vitest'
import {
  imageSize,
  oneOf,
  pixelSize,
  positiveNumber,
  range,
  vector,
  viewAngles,
  wholeNumber
} from '../src/arguments.js'
import { population } from '../src/commands/pretrain.js'
import { duration, fixed, significant } from '../src/report/format.js'
import { poseInWords } from '../src/report/pose-words.js'
import { linearScale, logScale, roundTicks } from '../src/report/svg.js'

describe('argument parsers', () => {
  it('read what they are meant to', () => {
    expect(viewAngles('--view')('10, 0,-20')).toEqual({ alpha: 10 * DEGREE, beta: 0, gamma: -20 * DEGREE })
    expect(vector('--isocenter')('-1.5,2e1,0')).toEqual([-1.5, 20, 0])
    expect(pixelSize('--pixel')('0.4')).toEqual([0.4, 0.4])
    expect(pixelSize('--pixel')('0.4,0.5')).toEqual([0.4, 0.5])
    for (const text of ['240x188', '240,188', '240×188', '240X188'])
      expect(imageSize('--size')(text)).toEqual([240, 188])
    expect(range('--w', 'x', '1,2')('200,inf')).toEqual([200, Number.POSITIVE_INFINITY])
    expect(wholeNumber('--seed', 0, '1')('0')).toBe(0)
    expect(positiveNumber('--tau', '6')('0.5')).toBe(0.5)
    expect(oneOf('--a', ['x', 'y'])('y')).toBe('y')
    expect(population('phantom:400')).toBe(400)
    expect(population('atlas/')).toBe('atlas/')
  })

  it.each([
    [viewAngles('--view'), ['', '1,2', '1,2,3,4', '1,,3', 'a,b,c', '1,2,NaN', '1,2,Infinity', '1;2;3']],
    [vector('--translate'), ['1,2', '1,2,x', ' ']],
    [pixelSize('--pixel'), ['0', '-1', '1,2,3', 'x']],
    [imageSize('--size'), ['240', '0x5', '1.5x2', '1x2x3']],
    [range('--w', 'x', '1,2'), ['2,1', '1', '1,1', 'inf,3', '-inf,3']],
    [wholeNumber('--steps', 1, '5'), ['0', '1.5', '', '1e400', '1,2', '-3']],
    [positiveNumber('--sdd', '5'), ['0', '-1', 'x', '1,2']],
    [oneOf('--a', ['x']), ['', 'X']],
    [population, ['phantom:', 'phantom:0', 'phantom:1.5', 'phantom:-3']]
  ] as [(text: string) => unknown, string[]][])(
    'refuse anything else, naming flag and example',
    (parse, texts) => {
      for (const text of texts) {
        let error: unknown
        try {
          parse(text)
        } catch (e) {
          error = e
        }
        expect(error, text).toBeInstanceOf(ArgumentError)
        expect((error as ArgumentError).message).toContain('wants')
        expect((error as ArgumentError).message).toContain(`"${text}"`)
        expect((error as ArgumentError).hint).toMatch(/--\w/)
      }
    }
  )
})

describe('poseInWords', () => {
  const words = (
    v: Partial<Record<'a' | 'b' | 'g', number>>,
    t: readonly [number, number, number] = [0, 0, 0]
  ) => poseInWords({ alphaDeg: v.a ?? 0, betaDeg: v.b ?? 0, gammaDeg: v.g ?? 0, translationMm: t })
  const pose = (v: Partial<View>) =>
    poseFromView({ alpha: 0, beta: 0, gamma: 0, translation: [0, 0, 0], ...v }, [0, 0, 0])

  it('names the side that the source is on', () => {
    // LPS: +x is left, +z towards the head.
    expect(sourcePosition(pose({ gamma: 0.2 }))[0]).toBeGreaterThan(1)
    expect(words({ g: 11.46 })).toContain('turned 11.5° towards the patient’s left')
    expect(words({ g: -5 })).toContain('turned 5.0° towards the patient’s right')
    expect(sourcePosition(pose({ alpha: 0.2 }))[2]).toBeLessThan(-1)
    expect(words({ a: 11.46 })).toContain('turned 11.5° towards the feet')
    expect(words({ a: -3, g: 4 })).toContain(
      'turned 4.0° towards the patient’s left and 3.0° towards the head'
    )
  })

  it('names the sense of the roll', () => {
    // The C-arm turns clockwise as seen along the beam, so a point at the patient's left moves up in the picture.
    const { v } = project({ detector: PAPER_DETECTOR, cameraFromLps: pose({ beta: 0.2 }) }, [50, 0, 0])
    expect(v).toBeLessThan(PAPER_DETECTOR.principalPoint[1])
    expect(words({ b: 2 })).toContain('rolled about its beam by 2.0° clockwise')
  })

  it('says where the centre is, and when there is nothing to say', () => {
    expect(words({}, [-3, 0, 20])).toContain('by 3.0 mm to the patient’s right and 20.0 mm towards the head')
    expect(words({})).toBe(
      'The X-ray source is straight in front of the patient. Its centre is the isocentre of the patient.'
    )
  })
})

describe('numbers in reports', () => {
  it('are written as they should be', () => {
    expect([
      fixed(-1.25, 1),
      fixed(-0.001, 2),
      fixed(Number.NaN, 1),
      fixed(null, 1),
      fixed(Number.POSITIVE_INFINITY, 1)
    ]).toEqual(['−1.3', '0.00', '–', '–', '∞'])
    expect([significant(0.01234), significant(12.34), significant(1234.5), significant(0)]).toEqual([
      '0.0123',
      '12.3',
      '1235',
      '0'
    ])
    expect([duration(0.0304), duration(3.21), duration(725), duration(4000)]).toEqual([
      '30 ms',
      '3.2 s',
      '12:05 min',
      '1:06:40 h'
    ])
  })
})

describe('scales', () => {
  it('have round ticks that cover the values', () => {
    expect(roundTicks([0.03, 0.97])).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1])
    expect(roundTicks([-40, 40], 6)).toEqual([-40, -20, 0, 20, 40])
    const x = linearScale([-37, 41], [0, 100])
    expect([x(x.domain[0]), x(x.domain[1])]).toEqual([0, 100])
    expect(linearScale([3, 3], [0, 10])(3)).toBe(5)
  })

  it('map logarithms, and hold what is beyond at the ends', () => {
    const y = logScale([0.3, 18], [0, 100])
    expect(y.domain).toEqual([0.2, 20])
    expect(y(2)).toBeCloseTo(50, 9)
    expect([y(0), y(1e9)]).toEqual([0, 100])
    expect(logScale([0, 0], [0, 1]).ticks.length).toBeGreaterThan(1)
    expect(logScale([1e-3, 5e4], [0, 1]).ticks).toEqual([0.001, 0.01, 0.1, 1, 10, 100, 1000, 10000])
  })
})
