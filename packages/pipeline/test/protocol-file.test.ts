import { DEGREE, type RayposeError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { ablationArms, captureRangeProtocol, mergePatch } from '../src/protocol/ablations.js'
import { parseLocatedJson } from '../src/protocol/located-json.js'
import { parseProtocol, readProtocol, shippedProtocols } from '../src/protocol/read-protocol.js'
import { protocolViews } from '../src/protocol/stage.js'

const SMALL = `{
  "format": "raypose-protocol",
  "name": "small",
  "title": "Two views",
  "anatomy": "femur",
  "seed": 3,
  "geometry": { "sddMm": 1000, "sourceToIsocenterMm": 600, "pixelMm": [4, 4], "size": [60, 50] },
  "views": {
    "gammaDeg": { "from": -20, "to": 20, "count": 2 }
  },
  "xray": { "preset": "ideal" },
  "criteria": [{ "title": "near", "measure": "tre", "below": 2 }],
  "methods": {
    "still": {
      "title": "As it starts",
      "start": { "kind": "fixed" },
      "registration": { "kind": "none" }
    }
  }
}
`

/** The message of the error that a protocol is refused with. */
function refusal(text: string): string {
  try {
    parseProtocol(text, 'p.json')
  } catch (error) {
    expect((error as RayposeError).code).toBe('file-format')
    return (error as RayposeError).message
  }
  throw new TypeError('it was taken')
}

describe('a protocol file', () => {
  it('is read with its defaults', () => {
    const p = parseProtocol(SMALL, 'p.json')
    expect(p.views.betaDeg).toEqual({ from: 0, to: 0, count: 1 })
    expect(p.methods.still.start).toEqual({
      kind: 'fixed',
      alphaDeg: 0,
      betaDeg: 0,
      gammaDeg: 0,
      offsetMm: [0, 0, 0]
    })
    expect(p.prepare).toEqual({})
  })

  it.each([
    ['a value of the wrong kind', '"count": 2', '"count": "two"', /^p\.json:9: "views\.gammaDeg\.count" /],
    ['an unknown key', '"anatomy"', '"anatonomy"', /^p\.json:5: "anatonomy" is not known here$/m],
    ['a missing key', '  "seed": 3,\n', '', /^p\.json:1: "seed" is missing$/m],
    ['an unknown word', '"preset": "ideal"', '"preset": "best"', /^p\.json:11: "xray\.preset" /],
    ['an unknown kind', '"kind": "fixed"', '"kind": "fix"', /^p\.json:16: "methods\.still\.start\.kind" /],
    ['no threshold', ', "below": 2', '', /^p\.json:12: "criteria\.0" .*wants one of/],
    ['two thresholds', '"below": 2', '"below": 2, "above": 3', /^p\.json:12: "criteria\.0" .*wants one of/],
    [
      'a key that stands twice',
      '"seed": 3',
      '"seed": 3, "seed": 4',
      /^p\.json:6: "seed" stands here a second/
    ],
    ['a comma too many', '"seed": 3,', '"seed": 3,,', /^p\.json:6: /],
    ['an end too early', '  }\n}\n', '', /^p\.json:\d+: it ends too early/]
  ])('is refused for %s, with the line', (_, good, bad, message) => {
    expect(SMALL).toContain(good)
    expect(refusal(SMALL.replace(good, bad))).toMatch(message)
  })

  it('is refused for all its mistakes at once, by line', () => {
    const text = SMALL.replace('"count": 2', '"count": 0').replace('"seed": 3', '"seed": 3.5')
    expect(
      refusal(text)
        .split('\n')
        .map(l => l.slice(0, 9))
    ).toEqual(['p.json:6:', 'p.json:9:'])
  })

  it.each([
    [
      'an optimiser that there is not',
      '"optimiser": "simplex"',
      /"methods\.still\.registration\.optimiser" /
    ],
    [
      'a similarity without derivatives for Gauss–Newton',
      '"optimiser": "gauss-newton", "similarity": "mi"',
      /"methods\.still\.registration\.similarity" has no derivatives/
    ],
    [
      'the same on a level',
      '"optimiser": "gauss-newton", "levels": [{ "pixelMm": 4, "rotationDeg": 1, "inPlaneMm": 1, "depthMm": 1, "similarity": "mi" }]',
      /"methods\.still\.registration\.levels\.0\.similarity" has no derivatives/
    ]
  ])('is refused for %s, with the line', (_, what, message) => {
    const text = SMALL.replace('"kind": "none"', `"kind": "intensity", ${what}`)
    expect(refusal(text)).toMatch(/^p\.json:17: /)
    expect(refusal(text)).toMatch(message)
  })

  it('may not refer to a method that it does not have', () => {
    const text = SMALL.replace(
      '"criteria"',
      '"captureRange": { "methods": ["mi"], "treMm": [5], "sample": 1 },\n  "criteria"'
    )
    expect(refusal(text)).toMatch(/^p\.json:12: "captureRange\.methods\.0" is none of the methods still$/)
  })

  it('comes with Raypose, and makes the 81 views of the paper', async () => {
    expect(await shippedProtocols()).toContain('paper')
    const paper = await readProtocol('paper')
    const views = protocolViews(paper, { from: -80, to: 120 })
    expect(views).toHaveLength(81)
    const levels = (f: (v: (typeof views)[number]) => number) =>
      [...new Set(views.map(v => Math.round(f(v) * 1e6) / 1e6))].sort((a, b) => a - b)
    expect(levels(v => v.gamma / DEGREE)).toEqual([-40, -30, -20, -10, 0, 10, 20, 30, 40])
    expect(levels(v => v.beta / DEGREE)).toEqual([-15, 0, 15])
    expect(levels(v => v.translation[2])).toEqual([-80, 20, 120])
    await expect(readProtocol('paperr')).rejects.toThrow(/no protocol "paperr"/)
  })

  it('draws the same sample of its views each time', async () => {
    const paper = await readProtocol('paper')
    const some = { seed: 1, views: { ...paper.views, sample: 10 } }
    const views = protocolViews(some, { from: 0, to: 1 })
    expect(views).toHaveLength(10)
    expect(protocolViews(some, { from: 0, to: 1 })).toEqual(views)
    expect(new Set(views.map(v => JSON.stringify(v))).size).toBe(10)
  })
})

it('lines of JSON are those of keys, and of values in lists', () => {
  const { value, lineOf } = parseLocatedJson('{"a":\n [1,\n  {"b": "x\\"}"}\n ], "c": null}', 'x')
  expect(value).toEqual({ a: [1, { b: 'x"}' }], c: null })
  expect([['a'], ['a', 0], ['a', 1, 'b'], ['c'], ['a', 1, 'gone'], []].map(lineOf)).toEqual([
    1, 2, 3, 4, 3, 1
  ])
})

describe('ablations', () => {
  it('merge as RFC 7386 has it', () => {
    // The examples of its appendix A.
    const cases: [unknown, unknown, unknown][] = [
      [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
      [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
      [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
      [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
      [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
      [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
      [{ a: 'foo' }, null, null],
      [{ e: null }, { a: 1 }, { e: null, a: 1 }],
      [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }]
    ]
    for (const [target, patch, result] of cases) expect(mergePatch(target, patch)).toEqual(result)
  })

  it('of the paper are all protocols themselves', async () => {
    const paper = await readProtocol('paper')
    const arms = ablationArms(paper, 'all')
    expect(new Set(arms.map(a => a.ablation)).size).toBe(Object.keys(paper.ablations).length)
    for (const { protocol } of arms) expect(Object.keys(protocol.methods)).toEqual(['default'])
    const [usual, general] = ablationArms(paper, ['network'])
    expect(usual.protocol.methods.default.system).toEqual({})
    expect(general.protocol.methods.default.system).toEqual({ network: 'general' })
    const k = ablationArms(paper, ['views'])
      .filter(a => a.protocol.prepare.views)
      .map(({ protocol: { prepare } }) =>
        ['alphaDeg', 'gammaDeg', 'zMm']
          .map(a => prepare.views?.[a as 'zMm'].count ?? 0)
          .reduce((x, y) => x * y)
      )
    expect(k).toEqual([10, 30, 60, 90])
    expect(() => ablationArms(paper, ['nothing'])).toThrow(/no ablation "nothing"/)
  })

  it('of the paper are those that the issue lists', async () => {
    const paper = await readProtocol('paper')
    const arms = (name: string) => ablationArms(paper, [name])
    const settings = (name: string) => arms(name).map(a => ({ ...a.protocol.prepare, ...a.protocol.ct }))
    expect(arms('landmarks').map(a => a.protocol.methods.default.system.landmarks)).toEqual([
      undefined,
      'reference'
    ])
    expect(arms('weights').map(a => a.protocol.methods.default.system.weights)).toEqual([undefined, 'equal'])
    // Without a setting: the preparation as it is, which is robust, with τ = 6 mm and poses drawn from the whole range.
    expect(settings('back-projection')).toEqual([{}, { backProjection: { method: 'median' } }])
    expect(settings('tau').map(s => s.backProjection?.tauMm)).toEqual([2, 4, undefined, 10])
    expect(settings('sampling')).toEqual([{}, { sampling: 'grid' }])
    expect(arms('slices').map(a => a.protocol.ct.sliceMm)).toEqual([1, 3, 5])
    expect(arms('xray').map(a => a.protocol.xray.preset)).toEqual([
      'ideal',
      'paper',
      'c-arm',
      'low-dose',
      'worst'
    ])
    const pairs = arms('similarity').flatMap(a => {
      const r = a.protocol.methods.default.registration
      return r.kind === 'intensity' ? [`${r.optimiser} ${r.similarity}`] : []
    })
    const optimisers = ['bobyqa', 'gauss-newton', 'cma-es']
    expect(pairs).toEqual(
      optimisers.flatMap(o =>
        ['ncc', 'lncc', 'gncc', 'pgncc', 'mi']
          .filter(s => !(o === 'gauss-newton' && s === 'mi'))
          .map(s => `${o} ${s}`)
      )
    )
  })

  it('the capture range is one method for each start', async () => {
    const paper = await readProtocol('paper')
    const sub = captureRangeProtocol(paper)
    const { methods = [], treMm = [] } = paper.captureRange ?? {}
    expect(Object.keys(sub?.methods ?? {})).toHaveLength(methods.length * treMm.length)
    expect(sub?.methods['default+20mm'].start).toEqual({ kind: 'displaced', treMm: 20 })
    expect(captureRangeProtocol({ ...paper, captureRange: undefined })).toBeNull()
  })
})
